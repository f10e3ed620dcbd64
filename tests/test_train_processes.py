"""Runs that are killed, and runs of several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shapegen import checkpoint, registry
from shapegen.train import state
from tests import toy_model, train_worker

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_same_run(a: Path, b: Path) -> None:
    for name in ("best.safetensors", "last.safetensors"):
        assert checkpoint.sha256(a / name) == checkpoint.sha256(b / name)
    one, two = state.read(a), state.read(b)
    assert one is not None
    assert two is not None
    assert one.groups.keys() == two.groups.keys()
    for group, tensors in one.groups.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, two.groups[group][name]), (group, name)
    logs = []
    for out in (a, b):
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        logs.append([line | {"shapes_per_second": 0} for line in lines])
    assert logs[0] == logs[1]
    assert {path.name for path in a.iterdir()} == {path.name for path in b.iterdir()}


def test_a_run_that_is_killed_ten_times_ends_as_one_that_was_not(tmp_path: Path) -> None:
    steps = run("tests.train_worker", "kill", str(tmp_path / "killed")).split()
    # The kills fell into the run: some came after a checkpoint, and checkpoints went on.
    assert len(steps) == 10
    assert len(set(steps)) > 3
    train_worker.train(tmp_path / "whole", train_worker.KILLED)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    run(*launcher, "-m", "tests.train_worker", "share", str(tmp_path))
    config = replace(train_worker.SHARED)
    train_worker.train(tmp_path / "single", config, noise=0.0, shapes=33)
    one, two = (
        state.read(tmp_path / name).groups["model"]  # type: ignore[union-attr]
        for name in ("single", "equal")
    )
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-9, atol=1e-12)
    # And a run of two processes is resumed to the bit, each with its own noise.
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    with pytest.raises(ValueError, match=r"`train\.devices` was 2 and is 1"):
        train_worker.train(tmp_path / "whole", config)
