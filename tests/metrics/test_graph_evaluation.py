"""``evaluate`` and ``compare`` of graphs, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.data.graph_sets import make_graphs
from shapegen.graphs.graphs import Graphs
from shapegen.metrics import compare, evaluate
from shapegen.metrics.graph_figures import METRICS
from shapegen.metrics.tables import comparison_table, evaluation_table

TINY = Path(__file__).resolve().parents[2] / "configs" / "tiny"


class Copier:
    """Draws training graphs, and has a figure of its own."""

    def __init__(self, train: Graphs) -> None:
        self.train = train

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Graphs:
        return self.train[torch.randperm(len(self.train), generator=rng)[:n]]

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        return {"nll": float(len(shapes)), "worse": float("inf")}


def test_a_copier_is_at_the_floor_and_is_found_out() -> None:
    graphs = make_graphs("graphs-cycle", 30)
    train, test = graphs[:10], graphs[10:]
    result = evaluate(Copier(train), train, test, n=10)
    assert tuple(result["metrics"]) == METRICS
    assert result["metrics"] == pytest.approx(result["floor"])
    assert result["metrics"]["mmd-degree"] < 0.01 < result["baseline"]["mmd-degree"]
    assert result["novelty"]["samples"]["novel"] == 0
    assert result["validity"]["samples"]["cycle"] == result["validity"]["data"]["cycle"] == 1
    assert result["validity"]["samples"]["size_known"] == 1
    assert result["model"] == {"nll": 20.0, "worse": None}
    settings = result["settings"]
    assert (settings["samples"], settings["reference"], settings["train"]) == (10, 20, 10)
    assert json.loads(json.dumps(result)) == result
    assert evaluation_table(result).row_count > 15
    assert evaluate(Copier(train), train, test, n=10) == result


def test_sets_of_graphs_are_compared(tmp_path: Path) -> None:
    graphs = make_graphs("graphs-community-small", 60)
    ours, theirs, train = graphs[:20], graphs[20:40], graphs[40:]
    result = compare(ours, theirs, train=train, draws=2)
    assert (
        set(result["metrics"]) == set(result["floor"]) == set(result["baseline"]) == set(METRICS)
    )
    assert result["metrics"]["mmd-orbit"] < 0.2 < result["baseline"]["mmd-orbit"]
    assert result["novelty"] == {"unique": 1.0, "novel": 1.0}
    assert comparison_table(result).row_count > 10
    ours.write(tmp_path / "ours.jsonl")
    theirs.write(tmp_path / "theirs.npz")
    plain = compare(tmp_path / "ours.jsonl", tmp_path / "theirs.npz", metrics=["mmd-degree"])
    assert plain["metrics"] == {"mmd-degree": pytest.approx(result["metrics"]["mmd-degree"])}
    assert plain["floor"] == plain["novelty"] == {}
    varied = compare(list(ours), theirs.to_data(), preset="graphrnn-tv")
    assert varied["metrics"]["mmd-degree"] != result["metrics"]["mmd-degree"]
    assert varied["metrics"]["mmd-orbit"] == pytest.approx(result["metrics"]["mmd-orbit"])


def test_bad_input_is_refused() -> None:
    graphs = make_graphs("graphs-cycle", 4)
    with pytest.raises(TypeError, match="samples graphs is needed; got object"):
        evaluate(object(), graphs, graphs)
    with pytest.raises(TypeError, match=r"train must be graphs or a path; got list"):
        evaluate(Copier(graphs), [[1, 2]], graphs)
    with pytest.raises(ValueError, match="n at least 2; got 1 and 1"):
        evaluate(Copier(graphs), graphs, graphs, n=1)
    with pytest.raises(ValueError, match="samples: graph 0 is directed"):
        compare([networkx.DiGraph([(0, 1)])], graphs)
    with pytest.raises(ValueError, match="for graphs preset must be one of"):
        compare(graphs, graphs, preset="pointflow")
    with pytest.raises(ValueError, match="'graphrnn' measures graphs"):
        compare(torch.rand(2, 9, 3), torch.rand(2, 9, 3), preset="graphrnn")
    with pytest.raises(ValueError, match="reference must hold at least one graph"):
        compare(graphs, graphs[:0])


@pytest.mark.parametrize("name", ["graphrnn", "dgmg"])
def test_a_model_is_trained_sampled_and_measured(name: str, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.output

    out = tmp_path / "run"
    short = ["data.count=30", "data.holdout=10", "data.validation=4", "train.epochs=2"]
    short += ["train.pictures_every=2", "train.pictures=2", "train.tensorboard=false"]
    run("train", TINY / f"{name}.yaml", *short, "--out", out)
    assert (out / "samples/epoch-00002.png").stat().st_size > 0
    lines = (out / "log.jsonl").read_text().splitlines()
    assert any("likelihood.nats_per_node" in json.loads(line) for line in lines)
    run("sample", out, "-n", 3, "--seed", 1, "--format", "json", "--out", tmp_path / "drawn")
    drawn = shapegen.read(tmp_path / "drawn")
    assert isinstance(drawn, Graphs)
    assert len(drawn) == 3
    assert (tmp_path / "drawn/contact.png").stat().st_size > 0
    run("evaluate", out, "-n", 10, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["settings"]["reference"] == 10
    assert figures["settings"]["train"] == 16
    assert set(figures["metrics"]) == set(METRICS)
    assert {"nll-bound", "nll-ordered"} == set(figures["model"])
    assert "mmd-orbit" in run("compare", tmp_path / "drawn", tmp_path / "drawn/samples.jsonl")
    assert "connected" in run("data", "info", tmp_path / "drawn")
    assert "sound, graphs" in run("data", "check", tmp_path / "drawn/samples.jsonl")
