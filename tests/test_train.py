"""The training loop: it learns, its laws hold, and bad input and failures leave order behind."""

from __future__ import annotations

import errno
import json
import math
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shapegen import checkpoint, registry
from shapegen.config import TrainConfig
from shapegen.core.objective import Objective
from shapegen.train import TrainingDiverged, TrainResult, fit, state
from shapegen.train.progress import Progress, clock
from shapegen.train.schedule import rate_factor
from tests import toy_model
from tests.toy_model import Toy, ToyConfig, vectors

SMALL = TrainConfig(epochs=6, batch_size=16, save_every=2, log_every=3, tensorboard=False)
"""Six epochs of three steps, the last with 8 shapes."""


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


def build(cls: type[Toy] = Toy, **fields: Any) -> Toy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cls(ToyConfig(**fields))


def train(
    out: Path, config: TrainConfig = SMALL, model: Toy | None = None, **options: Any
) -> tuple[Toy, TrainResult]:
    model = model or build()
    result = fit(model, vectors(40), config, out=out, progress=False, **options)
    return model, result


def log_lines(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("shapes_per_second", None)
    return lines


def assert_same_files(a: Path, b: Path) -> None:
    assert log_lines(a) == log_lines(b)
    names = {path.name for path in a.glob("*.safetensors")}
    assert names == {path.name for path in b.glob("*.safetensors")}
    for name in names - {"state.safetensors"}:
        assert checkpoint.sha256(a / name) == checkpoint.sha256(b / name), name


class Stopping(Toy):
    """Calls something when a step begins."""

    at: int
    action: Callable[[], None]

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        (inner,) = super().objectives(rng=rng)

        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            if step == self.at and self.training:
                self.action()
            return inner.loss(batch, step)

        return (replace(inner, loss=loss),)


def stopping(at: int, action: Callable[[], None], **fields: Any) -> Stopping:
    model = build(Stopping, **fields)
    assert isinstance(model, Stopping)
    model.at, model.action = at, action
    return model


# Learning ----------------------------------------------------------------------------------


def test_a_model_learns_and_its_folder_holds_what_is_promised(tmp_path: Path) -> None:
    config = replace(SMALL, epochs=150, learning_rate=1e-2, save_every=50, log_every=50)
    model, result = train(tmp_path, config, validation=vectors(20, seed=1))
    assert (result.step, result.epoch, result.stopped) == (450, 150, "finished")
    lines = [line for line in log_lines(tmp_path) if "vae" in line]
    # Two latents suffice for this surface; untrained, the error is the data's variance, 0.2.
    assert lines[-1]["vae.error"] < 0.02
    scores = [line["validation"] for line in log_lines(tmp_path) if "validation" in line]
    assert result.best == min(scores)
    assert not model.training
    loaded = checkpoint.load(tmp_path / "last.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert torch.isfinite(loaded.latent_mean).all()
    assert loaded.latent_mean.abs().sum() > 0


def test_the_log_holds_means_and_rates(tmp_path: Path) -> None:
    train(tmp_path, replace(SMALL, schedule="cosine", log_every=4))
    lines = log_lines(tmp_path)
    assert [line["step"] for line in lines] == [4, 8, 12, 16, 18]
    assert lines[-1]["epoch"] == 6
    assert lines[-1]["rate"] == 0.0
    train(tmp_path / "every", replace(SMALL, schedule="cosine", log_every=1))
    every = log_lines(tmp_path / "every")
    mean = sum(line["vae.error"] for line in every[:4]) / 4
    assert lines[0]["vae.error"] == pytest.approx(mean, rel=1e-6)


def test_tensorboard_is_written_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    config = replace(SMALL, tensorboard=True)
    train(tmp_path / "with", config)
    assert list((tmp_path / "with" / "tensorboard").iterdir())
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(tmp_path / "without", config)
    assert not (tmp_path / "without" / "tensorboard").exists()
    assert_same_files(tmp_path / "with", tmp_path / "without")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_precisions(tmp_path: Path, precision: Any) -> None:
    model, _ = train(tmp_path, replace(SMALL, precision=precision))
    assert all(tensor.dtype == torch.float32 for tensor in model.state_dict().values())


# Laws --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"warmup": 3}, [0.25, 0.5, 0.75, 1, 1, 1]),
        ({"schedule": "step", "step_every": 2, "step_factor": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"schedule": "cosine"}, [(1 + math.cos(math.pi * i / 5)) / 2 for i in range(6)]),
        ({"schedule": "cosine", "warmup": 1, "final_factor": 0.2}, [0.5, 1, None, 0.6, None, 0.2]),
    ],
)
def test_schedules(fields: dict[str, Any], expected: list[float | None]) -> None:
    config = TrainConfig(**fields)
    for step, value in enumerate(expected):
        if value is not None:
            assert rate_factor(config, step, 6) == pytest.approx(value, abs=1e-12)


def test_one_step_is_that_of_adam(tmp_path: Path) -> None:
    config = replace(SMALL, epochs=1, batch_size=40, learning_rate=0.1, betas=(0.8, 0.9))
    model, by_hand = build(noise=0.0), build(noise=0.0)
    train(tmp_path, config, model)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.1, betas=(0.8, 0.9))
    by_hand.objectives()[0].loss(vectors(40).values, 0)[0].backward()
    optimizer.step()
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_average_is_an_exponential_one(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    class Watched(Toy):
        def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
            (inner,) = super().objectives(rng=rng)

            def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
                seen.append(self.decoder[0].weight.detach().clone())
                return inner.loss(batch, step)

            return (replace(inner, loss=loss),)

    model, _ = train(tmp_path, replace(SMALL, ema=0.8), build(Watched))
    plain, _ = train(tmp_path / "plain", SMALL)
    seen.append(plain.decoder[0].weight.detach())
    average = seen[1]
    for weight in seen[2:]:
        average = 0.8 * average + 0.2 * weight
    torch.testing.assert_close(model.decoder[0].weight.detach(), average)
    assert not torch.allclose(average, seen[-1], atol=1e-4)


def test_pieces_of_a_batch_give_the_step_of_the_batch(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "a", SMALL, build(noise=0.0))
    pieces, _ = train(tmp_path / "b", replace(SMALL, accumulate=3), build(noise=0.0))
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    # With these betas Adam's first moment is the gradient.
    config = replace(SMALL, epochs=1, batch_size=40, clip=1e-3, betas=(0.0, 0.0))
    train(tmp_path, config)
    saved = state.read(tmp_path)
    assert saved is not None
    moments = saved.groups["optimizer/vae"]
    first = [tensor.flatten() for name, tensor in moments.items() if name.endswith("exp_avg")]
    norm = torch.cat(first).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


class Adversarial(Toy):
    """Two objectives: the decoder against the encoder."""

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        def judge(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            fake = self.decoder(torch.randn(len(batch), 2, generator=rng)).detach()
            loss = (self.encoder(fake) - self.encoder(batch)).mean()
            return loss + 0.1 * self.encoder(batch).square().mean(), {}

        def create(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            assert not any(p.requires_grad for p in self.encoder.parameters())
            return -self.encoder(
                self.decoder(torch.randn(len(batch), 2, generator=rng))
            ).mean(), {}

        return (
            Objective("discriminator", self.encoder, judge),
            Objective("generator", self.decoder, create),
        )


def test_every_objective_trains_its_own_module(tmp_path: Path) -> None:
    config = replace(SMALL, rates={"generator": 1e-12})
    model, _ = train(tmp_path, config, build(Adversarial))
    first = build()
    torch.testing.assert_close(model.decoder[0].weight, first.decoder[0].weight)
    assert not torch.allclose(model.encoder[0].weight, first.encoder[0].weight, atol=1e-3)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert {"discriminator", "generator"} <= set(log_lines(tmp_path)[0])
    with pytest.raises(ValueError, match=r"`train\.rates\.genrator`; accepted: \['disc"):
        train(tmp_path / "b", replace(SMALL, rates={"genrator": 1.0}), build(Adversarial))


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    model = build()
    model.encoder.requires_grad_(False)
    train(tmp_path, SMALL, model)
    torch.testing.assert_close(model.encoder[0].weight, build().encoder[0].weight)
    assert not model.encoder[0].weight.requires_grad


def test_saving_leaves_no_trace_in_the_training(tmp_path: Path) -> None:
    # Calibration and validation draw random numbers, dropout takes them from torch's own stream.
    for ema in (None, 0.9):
        rare, often = tmp_path / f"rare{ema}", tmp_path / f"often{ema}"
        config = replace(SMALL, ema=ema)
        a, _ = train(rare, replace(config, save_every=6), build(dropout=0.2))
        b, _ = train(
            often, replace(config, save_every=1), build(dropout=0.2), validation=vectors(9, 1)
        )
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y)


def test_the_callers_random_state_and_signals_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(4)
    before, handler = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    train(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_seed_decides(tmp_path: Path) -> None:
    runs = [
        train(tmp_path / str(i), replace(SMALL, seed=seed)) for i, seed in enumerate((0, 0, 1))
    ]
    weights = [model.decoder[0].weight for model, _ in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_prepared_data_are_shapes_prepared(tmp_path: Path) -> None:
    a, b = build(), build()
    fit(a, vectors(40), SMALL, out=tmp_path / "a", progress=False)
    fit(b, vectors(40).values, SMALL, out=tmp_path / "b", progress=False)
    assert_same_files(tmp_path / "a", tmp_path / "b")


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


# What is shown -----------------------------------------------------------------------------


def test_lines_elsewhere_than_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(build(), vectors(40), SMALL, out=tmp_path / "a", progress=False)
    assert capsys.readouterr() == ("", "")
    fit(build(), vectors(40), SMALL, out=tmp_path / "b")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("epoch 6.0/6  vae 0.")
    assert "shapes/s" in err


def test_the_line_says_epoch_speed_and_time_left() -> None:
    progress = Progress(100, 10, 20, 55, shown=False)
    progress.losses({"vae": 0.123456, "vae.kl": 2.0, "rate": 0.1})
    text = progress.text(30, 5.0)
    assert text.startswith("epoch 3.0/10  vae 0.1235")
    assert text.endswith("11 shapes/s  0:35 left")
    assert clock(3725) == "1:02:05"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("terminal")
def test_a_bar_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(build(), vectors(40), SMALL, out=tmp_path)
    assert "epoch 6.0/6" in capsys.readouterr().err
