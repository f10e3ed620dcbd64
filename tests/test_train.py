"""The training loop learns, its laws hold, and it says how far it is."""

from __future__ import annotations

import math
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen import checkpoint, registry
from shapegen.config import TrainConfig
from shapegen.core.objective import Objective
from shapegen.train import fit, parallel, state
from shapegen.train.progress import Progress, clock
from shapegen.train.schedule import rate_factor
from tests import toy_model
from tests.toy_model import Toy, vectors
from tests.toy_training import SMALL, assert_same_files, build, log_lines, stopping, train


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


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


def test_pictures_of_samples(tmp_path: Path) -> None:
    config = replace(SMALL, pictures_every=4, pictures=3)
    train(tmp_path / "a", config)
    train(tmp_path / "b", config)
    names = ["epoch-00004.png", "epoch-00006.png"]
    assert sorted(path.name for path in (tmp_path / "a" / "samples").iterdir()) == names
    for name in names:
        picture = (tmp_path / "a" / "samples" / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert picture == (tmp_path / "b" / "samples" / name).read_bytes()


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_precisions(tmp_path: Path, precision: Any) -> None:
    model, _ = train(tmp_path, replace(SMALL, precision=precision))
    assert all(tensor.dtype == torch.float32 for tensor in model.state_dict().values())


OTHER = {"32-true": "bf16-mixed", "bf16-mixed": "32-true"}


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_automatic_precision_is_what_the_device_has_instructions_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, native: bool, expected: str
) -> None:
    monkeypatch.setattr(parallel, "has_bfloat16", lambda device: native)
    assert parallel.resolved_precision("auto", torch.device("cpu")) == expected
    for name in ("32-true", "bf16-mixed"):
        assert parallel.resolved_precision(name, torch.device("cpu")) == name
    automatic, _ = train(tmp_path / "auto", replace(SMALL, precision="auto"))
    named, _ = train(tmp_path / "named", replace(SMALL, precision=expected))
    other, _ = train(tmp_path / "other", replace(SMALL, precision=OTHER[expected]))
    for key, value in named.state_dict().items():
        assert torch.equal(automatic.state_dict()[key], value)
    assert any(
        not torch.equal(other.state_dict()[key], value)
        for key, value in named.state_dict().items()
    )


# Laws --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"warmup": 3}, [0.25, 0.5, 0.75, 1, 1, 1]),
        ({"schedule": "step", "step_every": 2, "step_factor": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"schedule": "step", "step_every": (1, 4), "step_factor": 0.5}, [1, 0.5, 0.5, 0.5, 0.25]),
        ({"schedule": "cosine"}, [(1 + math.cos(math.pi * i / 5)) / 2 for i in range(6)]),
        ({"schedule": "cosine", "warmup": 1, "final_factor": 0.2}, [0.5, 1, None, 0.6, None, 0.2]),
    ],
)
def test_schedules(fields: dict[str, Any], expected: list[float | None]) -> None:
    config = TrainConfig(**fields)
    for step, value in enumerate(expected):
        if value is not None:
            assert rate_factor(config, step, 6) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_one_step_is_that_of_the_optimizer(tmp_path: Path, name: Any) -> None:
    config = replace(SMALL, epochs=1, batch_size=40, learning_rate=0.1, betas=(0.8, 0.9))
    model, by_hand = build(noise=0.0), build(noise=0.0)
    train(tmp_path, replace(config, optimizer=name), model)
    optimizer: torch.optim.Optimizer = torch.optim.RMSprop(by_hand.parameters(), lr=0.1, alpha=0.9)
    if name == "adam":
        optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.1, betas=(0.8, 0.9))
    by_hand.objectives()[0].loss(vectors(40).values, 0)[0].backward()
    optimizer.step()
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("warmup", [False, True])
def test_the_average_is_an_exponential_one(tmp_path: Path, warmup: bool) -> None:
    seen: list[Tensor] = []

    class Watched(Toy):
        def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
            (inner,) = super().objectives(rng=rng)

            def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
                seen.append(self.decoder[0].weight.detach().clone())
                return inner.loss(batch, step)

            return (replace(inner, loss=loss),)

    model, _ = train(tmp_path, replace(SMALL, ema=0.6, ema_warmup=warmup), build(Watched))
    plain, _ = train(tmp_path / "plain", SMALL)
    seen.append(plain.decoder[0].weight.detach())
    average = seen[1]
    for updates, weight in enumerate(seen[2:], 1):
        decay = min(0.6, (1 + updates) / (10 + updates)) if warmup else 0.6
        average = decay * average + (1 - decay) * weight
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


def test_an_objective_that_is_not_due_waits_and_its_means_are_of_its_own_steps(
    tmp_path: Path,
) -> None:
    seen: dict[str, list[int]] = {"discriminator": [], "generator": []}

    class Patient(Toy):
        def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
            def loss(name: str, module: torch.nn.Module) -> Objective:
                def value(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
                    seen[name].append(step)
                    weight: Any = module.get_parameter("0.weight")
                    return weight.square().mean(), {"step": torch.tensor(float(step))}

                return Objective(name, module, value, every=3 if name == "generator" else 1)

            return loss("discriminator", self.encoder), loss("generator", self.decoder)

    config = replace(SMALL, schedule="constant", log_every=6, ema=None)
    train(tmp_path, config, build(Patient))
    steps = len(seen["discriminator"])
    assert seen["discriminator"] == list(range(steps))
    assert seen["generator"] == list(range(2, steps, 3))
    line = log_lines(tmp_path)[0]
    assert line["discriminator.step"] == pytest.approx(2.5)
    assert line["generator.step"] == pytest.approx(3.5)  # the mean of 2 and 5


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    model = build()
    model.encoder.requires_grad_(False)
    train(tmp_path, SMALL, model)
    torch.testing.assert_close(model.encoder[0].weight, build().encoder[0].weight)
    assert not model.encoder[0].weight.requires_grad


def test_data_that_a_model_cannot_be_calibrated_to_are_refused_before_the_first_step(
    tmp_path: Path,
) -> None:
    class Choosy(Toy):
        def calibrate(self, prepared: Tensor, *, rng: torch.Generator | None = None) -> None:
            raise ValueError(f"128 components need that many shapes; got {len(prepared)}")

    model = build(Choosy)
    before = model.state_dict()["encoder.0.weight"].clone()
    with pytest.raises(ValueError, match="128 components need that many shapes; got 40"):
        train(tmp_path, model=model)
    assert torch.equal(model.state_dict()["encoder.0.weight"], before)
    assert not list(tmp_path.iterdir())


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


def test_settings_may_be_a_mapping(tmp_path: Path) -> None:
    fields = {"epochs": 6, "batch_size": 16, "save_every": 2, "log_every": 3, "tensorboard": False}
    fit(build(), vectors(40), fields, out=tmp_path / "a", progress=False)
    train(tmp_path / "b")
    assert_same_files(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ValueError, match=r"unknown key `train\.epoch`; did you mean"):
        fit(build(), vectors(40), {"epoch": 6}, out=tmp_path / "c")


def test_the_seed_decides(tmp_path: Path) -> None:
    runs = [
        train(tmp_path / str(i), replace(SMALL, seed=seed)) for i, seed in enumerate((0, 0, 1))
    ]
    weights = [model.decoder[0].weight for model, _ in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_threads_are_set_for_the_run_only(tmp_path: Path) -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    model = stopping(0, lambda: seen.append(torch.get_num_threads()))
    train(tmp_path, replace(SMALL, threads=before + 1), model)
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_prepared_data_are_shapes_prepared(tmp_path: Path) -> None:
    a, b = build(), build()
    fit(a, vectors(40), SMALL, out=tmp_path / "a", progress=False)
    fit(b, vectors(40).values, SMALL, out=tmp_path / "b", progress=False)
    assert_same_files(tmp_path / "a", tmp_path / "b")


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
