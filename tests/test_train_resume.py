"""Runs that stop, fail or are called wrongly: nothing is lost, and they go on to the same end."""

from __future__ import annotations

import errno
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shapegen import checkpoint, registry
from shapegen.core.objective import Objective
from shapegen.formats.tensors import read_tensors, write_tensors
from shapegen.train import TrainingDiverged, fit, state, streams, trainer
from tests import toy_model
from tests.toy_model import Toy, vectors
from tests.toy_training import SMALL, assert_same_files, build, log_lines, stopping, train


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


# Resuming ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 5, 6, 11, 17])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_an_interrupted_run_ends_as_one_that_was_not(
    tmp_path: Path, at: int, ema: float | None
) -> None:
    config = replace(SMALL, ema=ema, schedule="cosine", log_every=4)
    options = {"validation": vectors(9, seed=1)}
    train(tmp_path / "whole", config, build(dropout=0.2), **options)

    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    _, result = train(tmp_path / "cut", config, stopping(at, interrupt, dropout=0.2), **options)
    assert result.step == at + 1
    assert result.stopped == ("interrupted" if at < 17 else "finished")
    _, result = train(tmp_path / "cut", config, build(dropout=0.2), resume=True, **options)
    assert (result.step, result.stopped) == (18, "finished")
    assert_same_files(tmp_path / "whole", tmp_path / "cut")
    whole, cut = (state.read(tmp_path / run) for run in ("whole", "cut"))
    assert whole is not None
    assert cut is not None
    # The log's bytes depend on the speed that it reports.
    assert whole.values | {"log_size": 0} == cut.values | {"log_size": 0}
    assert whole.groups.keys() == cut.groups.keys()
    for group, tensors in whole.groups.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, cut.groups[group][name]), (group, name)


def test_time_runs_out(tmp_path: Path) -> None:
    config = replace(SMALL, max_minutes=1e-9)
    _, result = train(tmp_path / "a", config)
    assert (result.step, result.stopped) == (1, "time")
    while result.stopped == "time":
        _, result = train(tmp_path / "a", config, resume=True)
    train(tmp_path / "b", SMALL)
    assert_same_files(tmp_path / "a", tmp_path / "b")


def test_a_state_of_the_first_format_goes_on_as_it_began(tmp_path: Path) -> None:
    """Then all objectives took every step, and averages had one decay."""
    config = replace(SMALL, ema=0.9, ema_warmup=False, log_every=7)
    train(tmp_path / "whole", config)
    train(tmp_path / "old", config, stopping(9, lambda: signal.raise_signal(signal.SIGINT)))
    path = tmp_path / "old" / "state.safetensors"
    tensors, values = read_tensors(path)
    values["format_version"] = 1
    values["count"] = next(iter(values.pop("counts").values()))
    del values["train"]["ema_warmup"], values["fitted"]
    write_tensors(path, tensors, values)
    with pytest.raises(ValueError, match=r"`train\.ema_warmup` was False and is True"):
        train(tmp_path / "old", replace(config, ema_warmup=True), resume=True)
    train(tmp_path / "old", config, resume=True)
    assert_same_files(tmp_path / "whole", tmp_path / "old")


class Clock:
    """Time that passes by itself: a second a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(trainer.time, "monotonic", lambda: self.now)
        step = trainer.Trainer._train_step

        def slow(own: trainer.Trainer) -> None:
            step(own)
            self.now += 1.0

        monkeypatch.setattr(trainer.Trainer, "_train_step", slow)


def test_a_run_is_cut_to_its_time_and_its_schedule_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    config = replace(SMALL, epochs=50, schedule="cosine", log_every=1, fit_minutes=40 / 60)
    _, result = train(tmp_path, config)
    assert (result.step, result.stopped) == (40, "finished")
    lines = log_lines(tmp_path)
    assert lines[-1]["step"] == 40
    assert lines[-1]["rate"] == 0.0
    # What fits anyway is not cut.
    _, result = train(tmp_path / "b", replace(config, fit_minutes=10.0))
    assert result.step == 150


def test_a_resumed_run_keeps_the_steps_that_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    config = replace(SMALL, epochs=50, schedule="cosine", log_every=1, fit_minutes=40 / 60)
    whole, _ = train(tmp_path / "whole", config)
    # Another machine stops it after 12 steps, and a third one is three times as fast.
    stops = iter([False] * 11 + [True] * 99)
    with monkeypatch.context() as patch:
        reason = property(lambda self: "interrupted" if next(stops) else None)
        patch.setattr(streams.StopRequest, "reason", reason)
        _, result = train(tmp_path / "cut", config)
    assert (result.step, result.stopped) == (12, "interrupted")
    resumed, result = train(tmp_path / "cut", config, resume=True)
    assert (result.step, result.stopped) == (40, "finished")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor)
    # Without the time, it goes on to all epochs.
    _, result = train(tmp_path / "cut", replace(config, fit_minutes=None), resume=True)
    assert result.step == 150


def test_a_failure_between_any_two_files_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after best, after last, or while the state is written."""
    options = {"validation": vectors(9, seed=1)}
    train(tmp_path / "whole", **options)
    real = Path.replace
    for fatal in range(9):
        out, count = tmp_path / str(fatal), [fatal]

        def replace_or_die(self: Path, target: Path, count: list[int] = count) -> Path:
            if target.suffix == ".safetensors":
                if not count[0]:
                    raise RuntimeError("killed")
                count[0] -= 1
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace_or_die)
        with pytest.raises(RuntimeError, match="killed"):
            train(out, **options)
        monkeypatch.undo()
        monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
        train(out, resume=True, **options)
        assert_same_files(tmp_path / "whole", out)


def test_more_epochs_go_on_from_the_end(tmp_path: Path) -> None:
    train(tmp_path / "a", replace(SMALL, epochs=4))
    train(tmp_path / "a", SMALL, resume=True)
    train(tmp_path / "b", SMALL)
    assert log_lines(tmp_path / "a") == log_lines(tmp_path / "b")
    assert checkpoint.sha256(tmp_path / "a/last.safetensors") == checkpoint.sha256(
        tmp_path / "b/last.safetensors"
    )


def test_a_finished_run_is_loaded_and_left_as_it_is(tmp_path: Path) -> None:
    first, _ = train(tmp_path, replace(SMALL, ema=0.9))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again, result = train(tmp_path, replace(SMALL, ema=0.9), resume=True)
    assert result.stopped == "finished"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for x, y in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(x, y)


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(ValueError, match="holds a run of 18 steps; resume it or choose another"):
        train(tmp_path)
    with pytest.raises(ValueError, match=r"`train\.batch_size` was 16 and is 8"):
        train(tmp_path, replace(SMALL, batch_size=8), resume=True)
    with pytest.raises(ValueError, match=r"`model\.width` was 16 and is 4"):
        train(tmp_path, model=build(width=4), resume=True)
    with pytest.raises(ValueError, match="`shapes` was 40 and is 39"):
        fit(build(), vectors(39), SMALL, out=tmp_path, resume=True)


def test_a_damaged_state_is_refused_and_kept(tmp_path: Path) -> None:
    train(tmp_path)
    path = tmp_path / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="truncated or damaged"):
        train(tmp_path, resume=True)
    path.write_bytes((tmp_path / "last.safetensors").read_bytes())
    with pytest.raises(ValueError, match="is not the state of a run but 'model'"):
        train(tmp_path, resume=True)


# Failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, value: float) -> None:
    class Diverging(Toy):
        def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
            (inner,) = super().objectives(rng=rng)

            def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
                total, terms = inner.loss(batch, step)
                return total * (value if step == 10 else 1), terms

            return (replace(inner, loss=loss),)

    with pytest.raises(TrainingDiverged, match=r"the loss `vae` is not finite at step 10 \(epoch"):
        train(tmp_path, model=build(Diverging))
    assert checkpoint.header(tmp_path)["info"]["step"] == 6
    assert all(torch.isfinite(t).all() for t in checkpoint.load(tmp_path).state_dict().values())


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    def spoil() -> None:
        with torch.no_grad():
            model.spare.fill_(math.inf)

    model = stopping(11, spoil)
    model.spare = nn.Parameter(torch.zeros(1))
    with pytest.raises(TrainingDiverged, match="the weight `spare` is not finite at step 12"):
        train(tmp_path, model=model)
    assert checkpoint.header(tmp_path)["info"]["step"] == 6


def test_a_full_disk_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path / "whole")
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name.startswith(".state") and (out / "state.safetensors").exists():
            real(self, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return real(self, data)

    out = tmp_path / "cut"
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        train(out)
    assert {path.name for path in out.iterdir()} == {
        "last.safetensors",
        "state.safetensors",
        "log.jsonl",
    }
    checkpoint.load(out)
    monkeypatch.undo()
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
    train(out, resume=True)
    assert_same_files(tmp_path / "whole", out)


def test_a_full_disk_leaves_whole_log_lines(tmp_path: Path) -> None:
    from shapegen.train.record import Log

    log = Log(tmp_path, size=0, step=0, tensorboard=False)
    log.write(1, {"vae": 1.0})

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            return int(self.file.write(data[:5]))

    log._file = Full(log._file)
    with pytest.raises(OSError, match="No space left"):
        log.write(2, {"vae": 1.0})
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1, "vae": 1.0}\n'


def test_bad_calls(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write to the folder"):
        train(tmp_path / "file")
    with pytest.raises(ValueError, match="no training shapes; at least one is needed"):
        fit(build(), vectors(0), SMALL, out=tmp_path / "a")
    with pytest.raises(ValueError, match="no validation shapes"):
        train(tmp_path / "b", validation=vectors(0))
    with pytest.raises(
        ValueError, match=r"devices is 2 but .* is 1; start several with: torchrun"
    ):
        train(tmp_path / "c", replace(SMALL, devices=2))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device for 'cuda'"):
            train(tmp_path / "d", replace(SMALL, device="cuda"))


def test_terms_must_stay_the_same(tmp_path: Path) -> None:
    class Wavering(Toy):
        def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
            (inner,) = super().objectives(rng=rng)

            def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
                total, terms = inner.loss(batch, step)
                return total, terms if step else {"error": terms["error"]}

            return (replace(inner, loss=loss),)

    with pytest.raises(ValueError, match="objective 'vae' must log the same terms at every step"):
        train(tmp_path, model=build(Wavering))
