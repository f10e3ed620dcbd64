"""RealNVP and Glow: exact densities of images, and what every model can do."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import shapegen
from shapegen import registry
from shapegen.core.actnorm import ActNorm
from shapegen.core.flows import Chain
from shapegen.core.invertible_conv import InvertibleConv
from shapegen.images import image_flow
from shapegen.images.image_flow import ImageFlow
from shapegen.images.images import Images

SIZES: dict[str, dict[str, Any]] = {
    "glow": {"size": [4, 8], "hidden": 6, "steps": 2},
    "realnvp": {"size": [4, 8], "hidden": 6, "couplings": 2, "blocks": 1},
}


def built(name: str, std: float = 0.08, **changes: Any) -> ImageFlow:
    """A small model with weights away from where they start."""
    torch.manual_seed(0)
    model = registry.build(name, **(SIZES[name] | changes))
    assert isinstance(model, ImageFlow)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(std * torch.randn(parameter.shape))
    return model.eval()


def images(n: int = 5, channels: int = 1) -> Images:
    """Smooth pictures, half of whose pixels are black."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.randn(n, channels, 2, 3, generator=rng)
    fine = torch.nn.functional.interpolate(coarse, (4, 8), mode="bilinear")
    levels = (fine * 200).clamp(0, 255).round()
    return Images(levels / 127.5 - 1)


@pytest.fixture(params=list(SIZES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_whole_flow_has_the_volume_of_autograd_and_its_inverse(
    name: str, channels: int, rng: torch.Generator
) -> None:
    model = built(name, channels=channels).double()
    y = torch.rand(1, channels, 4, 8, generator=rng).double()
    dims = y.numel()
    z, log_det = model.flow(y)
    jacobian = torch.func.jacrev(lambda at: model.flow(at)[0])(y).view(dims, dims)
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1], atol=1e-7, rtol=0)
    back, inverse_log_det = model.flow.inverse(z)
    # In double precision a grey level, 1/256, comes back to a hundred-thousandth of it.
    torch.testing.assert_close(back, y, atol=1e-5 / 256, rtol=0)
    torch.testing.assert_close(inverse_log_det, -log_det, atol=1e-7, rtol=0)


def test_probabilities_of_all_images_add_up(name: str, rng: torch.Generator) -> None:
    # Four pixels of two levels: sixteen images, the integrals of their bins by many draws. What
    # the flow puts beyond black and white is the rest.
    model = built(name, size=[2, 2], scales=1, levels=2, alpha=0.2, hidden=4, std=0.3)
    every = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4))).view(16, 1, 2, 2)
    draws = model.log_prob(Images(every.repeat(1000, 1, 1, 1)), rng=rng)
    probability = draws.view(1000, 16).exp().mean(0)
    z = model.sample_latent(20000, rng=rng).view(-1, 1, 2, 2)
    with torch.no_grad():
        y = model.flow.generate(z)
    outside = ((y < 0) | (y > 1)).flatten(1).any(1).float().mean()
    assert 0.1 < outside < 0.9
    assert probability.std() > 0.01
    assert float(probability.sum() + outside) == pytest.approx(1, abs=0.03)
    # And the draws fall on the images as often.
    inside = ((y >= 0) & (y <= 1)).flatten(1).all(1)
    drawn = (y[inside] >= 0.5).flatten(1).float() @ torch.tensor([8.0, 4.0, 2.0, 1.0])
    shares = torch.bincount(drawn.long(), minlength=16) / len(y)
    torch.testing.assert_close(shares, probability, atol=0.015, rtol=0)


def test_the_likelihood_is_a_bound_that_draws_tighten(name: str) -> None:
    model = built(name)
    given = images(4)
    stream, same = (torch.Generator().manual_seed(0) for _ in range(2))
    singles = torch.stack([model.log_prob(given, rng=stream) for _ in range(10)])
    assert singles.std(0).min() > 0
    many = model.log_prob(given, draws=10, rng=same)
    # The mean of probabilities: above that of their logarithms.
    torch.testing.assert_close(many, singles.double().exp().mean(0).log().float())
    assert (many > singles.mean(0)).all()
    again, once_more = (
        model.log_prob(given, rng=torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert torch.equal(again, once_more)
    # The objective says the same in bits a dimension.
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(1))
    loss, _ = objective.loss(model.prepare(given), 0)
    torch.testing.assert_close(loss, -again.mean() / (32 * math.log(2)))
    figures = model.figures(given, rng=torch.Generator().manual_seed(1))
    assert figures["bits/dim"] == pytest.approx(loss.item(), rel=1e-5)
    assert figures["nats"] == pytest.approx(-again.mean().item(), rel=1e-5)
    assert figures["dims"] == 32
    assert 0 <= figures["inverse error"] < 1e-4


def test_images_come_back_from_their_latents(name: str) -> None:
    model, given = built(name), images()
    z = model.encode(given)
    assert z.shape == (5, model.latent_dim) == (5, 32)
    torch.testing.assert_close(model.decode(z).pixels, given.pixels)
    torch.testing.assert_close(model.reconstruct(given).pixels, given.pixels)
    torch.testing.assert_close(model.encode(list(given)), z)
    walk = model.interpolate(given[0], given[1], 4)
    torch.testing.assert_close(walk[[0, 3]].pixels, given[:2].pixels)
    assert (walk.pixels[1:3] != given.pixels[:2]).any()


def test_samples_follow_the_stream_and_the_temperature(name: str) -> None:
    model = built(name)
    a, b, c = (model.sample(6, rng=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.pixels, b.pixels)
    assert not torch.equal(a.pixels, c.pixels)
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(1))
    cold = model.sample_latent(6, temperature=0.5, rng=torch.Generator().manual_seed(1))
    torch.testing.assert_close(cold, z / 2)
    frozen = model.sample(3, temperature=0.0)
    assert torch.equal(frozen.pixels[0], frozen.pixels[2])
    config = built(name, temperature=0.5)
    torch.testing.assert_close(config.sample_latent(6, rng=torch.Generator().manual_seed(1)), cold)


def test_gradients_reach_every_parameter(name: str, rng: torch.Generator) -> None:
    model = built(name).train()
    (objective,) = model.objectives(rng=rng)
    objective.loss(model.prepare(images()), 0)[0].backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key


def test_the_first_training_batch_standardises_every_actnorm(
    name: str, rng: torch.Generator
) -> None:
    model = registry.build(name, **SIZES[name]).train()
    seen: list[Tensor] = []
    norms = [each for each in model.modules() if isinstance(each, ActNorm)]
    for norm in norms:
        norm.register_forward_hook(lambda _, __, out: seen.append(out[0].detach()))
    (objective,) = model.objectives(rng=rng)
    objective.loss(model.prepare(images(40)), 0)
    assert all(norm.initialised for norm in norms)
    assert len(seen) == len(norms) == (4 if name == "glow" else 8)
    for z in seen:
        torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(z.shape[1]), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            z.var((0, 2, 3), correction=0), torch.ones(z.shape[1]), atol=1e-3, rtol=0
        )


def test_a_saved_model_draws_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    model = built(name)
    shapegen.save(model, tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    samples = [each.sample(4, rng=torch.Generator().manual_seed(0)) for each in (model, again)]
    assert torch.equal(samples[0].pixels, samples[1].pixels)
    cold = shapegen.load(tmp_path / "a.safetensors", temperature=0.0)
    assert torch.equal(cold.sample(1).pixels, model.sample(1, temperature=0.0).pixels)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_learns_and_starts_from_the_first_batch(
    name: str, precision: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = registry.build(name, **SIZES[name])
    given = images(64)
    config = {
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 5e-3,
        "ema": 0.8,
        "precision": precision,
        "log_every": 1,
        "tensorboard": False,
    }
    shapegen.fit(model, given, config, out=tmp_path, validation=images(8), progress=False)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [row["bits_per_dim"] for row in rows if "bits_per_dim" in row]
    # An untrained flow of a logit has about 8 bits; the first step of actnorms is already better.
    assert losses[-1] < losses[0] - 0.3
    trained = shapegen.load(tmp_path)
    assert trained.figures(given, rng=torch.Generator().manual_seed(0))["bits/dim"] < losses[0]
    assert all(
        tensor.dtype == torch.float32 and tensor.isfinite().all()
        for tensor in trained.state_dict().values()
        if tensor.is_floating_point()
    )


def test_mixed_precision_says_nearly_the_same(name: str) -> None:
    model, given = built(name), images()
    losses = []
    for mixed in (False, True):
        (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            loss, _ = objective.loss(model.prepare(given), 0)
        assert loss.dtype == torch.float32
        losses.append(loss.item())
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_the_core_is_shared(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = built(name), images(3)
    before = model.log_prob(given, rng=torch.Generator().manual_seed(0))
    right = Chain.forward

    def broken(self: Chain, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = right(self, x, context)
        return z, log_det + 1

    monkeypatch.setattr(Chain, "forward", broken)
    after = model.log_prob(given, rng=torch.Generator().manual_seed(0))
    # The whole, and a chain for each of two scales.
    torch.testing.assert_close(after, before + 3)
    monkeypatch.setattr(
        image_flow, "standard_normal", lambda shape, *, like, rng: like.new_full(shape, 7.0)
    )
    assert torch.equal(model.sample_latent(2), torch.full((2, 32), 7.0))


def test_glows_options_change_what_they_name() -> None:
    reverse, conv = built("glow", mixing="reverse"), built("glow")
    assert not any(isinstance(each, InvertibleConv) for each in reverse.modules())
    assert sum(isinstance(each, InvertibleConv) for each in conv.modules()) == 4
    given = images(2)
    for model in (reverse, built("glow", learned_prior=False)):
        torch.testing.assert_close(model.reconstruct(given).pixels, given.pixels)
        assert len(model.state_dict()) < len(conv.state_dict())
    residual = built("glow", blocks=2, scale="tanh")
    torch.testing.assert_close(residual.reconstruct(given).pixels, given.pixels)
    assert len(residual.state_dict()) > len(conv.state_dict())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": [7, 8]}, "MODEL.size must be multiples of 4, for 2 scales .* got [7, 8]"),
        ({"size": [8, 8], "scales": 4}, "multiples of 16, for 4 scales"),
        ({"channels": 2}, "must be 1 (grey) or 3 (colour); got 2"),
        ({"scales": 0}, "MODEL.scales must be at least 1; got 0"),
        ({"hidden": 0}, "MODEL.hidden must be at least 1; got 0"),
        ({"levels": 1}, "must be from 2 to 256; got 1"),
        ({"alpha": 0.5}, "must be above 0 and below 0.5; got 0.5"),
        ({"temperature": -1.0}, "must be at least 0; got -1.0"),
        ({"scale": "exp"}, "`MODEL.scale` must be one of sigmoid, tanh; got 'exp'"),
    ],
)
def test_bad_options_are_refused(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        registry.build(name, **(SIZES[name] | fields))
    for part in message.split(" .* "):
        assert part.replace("MODEL", name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_counts_below_one_are_refused() -> None:
    for name, field in (("glow", "steps"), ("realnvp", "couplings"), ("realnvp", "blocks")):
        with pytest.raises(ValueError, match=f"{name}.{field} must be at least 1; got 0"):
            registry.build(name, **{field: 0})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.prepare(images(2, channels=3)), "1 x 4 x 8; got 3 x 4 x 8"),
        (lambda model: model.encode(torch.zeros(1, 1, 8, 4)), "1 x 4 x 8; got 1 x 8 x 4"),
        (lambda model: model.prepare([]), "at least one image is needed; got none"),
        (lambda model: model.log_prob(images(1), draws=0), "at least one draw; got 0"),
        (lambda model: model.sample(0), "number of samples must be at least 1; got 0"),
        (lambda model: model.sample(1, temperature=-1.0), "temperature must be at least 0"),
        (lambda model: model.decode(torch.zeros(2, 31)), r"codes must be \(n, 32\)"),
        (lambda model: model.decode(torch.full((1, 32), math.nan)), "codes must be finite"),
    ],
)
def test_bad_input_is_refused(
    name: str, call: Callable[[ImageFlow], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(built(name))


def test_a_flow_that_diverged_says_so(name: str) -> None:
    model = built(name)
    norm = next(each for each in model.modules() if isinstance(each, ActNorm))
    norm.shift.data.fill_(math.nan)
    with pytest.raises(ArithmeticError, match="the flow's inverse is not finite"):
        model.sample(1)
