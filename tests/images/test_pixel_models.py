"""PixelCNN and PixelRNN: probabilities of all images, draws, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen import registry
from shapegen.config import load_run
from shapegen.core.likelihoods import binarised
from shapegen.images.images import Images
from shapegen.images.pixel_model import PixelModel
from tests.images.pixel_cases import CASES, KINDS, build, everything, labels_of

ALL = pytest.mark.parametrize("case", list(CASES))


@ALL
def test_probabilities_of_all_images_sum_to_one(case: str) -> None:
    model = build(case).double()
    log_prob = model.log_prob(everything(2, 1, 3, 3))
    assert log_prob.shape == (512,)
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-6)
    # Not because every image is as likely as any other.
    assert float(log_prob.std()) > 0.5


@pytest.mark.parametrize("case", ["gated", "row"])
@pytest.mark.parametrize(
    ("levels", "changes"),
    [
        (2, {"channels": 3, "head": "bernoulli", "width": 2}),
        (3, {"head": "categorical", "width": 4}),
        (3, {"head": "logistic", "width": 4}),
        (2, {"channels": 3, "head": "categorical", "width": 2, "classes": 3}),
    ],
)
def test_every_head_sums_to_one(case: str, levels: int, changes: dict[str, Any]) -> None:
    model = build(case, height=1, **({"levels": levels} | changes)).double()
    pixels = everything(levels, *model.shape)
    for label in range(max(1, model.config.classes)):
        log_prob = model.log_prob(Images(pixels, torch.full((len(pixels),), label)))
        assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-5)
        assert float(log_prob.std()) > 0.1


@ALL
def test_draws_and_completions_have_their_probabilities(case: str, rng: torch.Generator) -> None:
    model = build(case, 2, 2)
    images = everything(2, 1, 2, 2)
    probability = model.log_prob(images).exp().view(4, 4)  # by the upper and the lower row
    powers = torch.tensor([8, 4, 2, 1])

    def shares(drawn: Images) -> torch.Tensor:
        numbers = ((drawn.pixels.flatten(1) > 0).long() * powers).sum(1)
        return torch.bincount(numbers, minlength=16).view(4, 4) / len(drawn)

    torch.testing.assert_close(
        shares(model.sample(20000, rng=rng)), probability, atol=0.015, rtol=0
    )
    upper = Images(images[8:9].expand(20000, -1, -1, -1))  # white, black
    drawn = shares(model.complete(upper, 1, rng=rng))
    given = probability[2] / probability[2].sum()
    torch.testing.assert_close(drawn[2], given, atol=0.015, rtol=0)
    assert float(drawn[2].sum()) == 1
    assert torch.equal(model.complete(upper[:2], 2, rng=rng).pixels, upper[:2].pixels)


@ALL
@pytest.mark.parametrize("kind", list(KINDS))
def test_gradients_reach_every_parameter(case: str, kind: str) -> None:
    model = build(case, 4, 3, **KINDS[kind])
    rng = torch.Generator().manual_seed(0)
    pixels = torch.rand(4, model.config.channels, 4, 3, generator=rng) * 2 - 1
    batch = model.prepare(Images(pixels, labels_of(model, 4)))
    (objective,) = model.objectives(rng=rng)
    loss, terms = objective.loss(batch, 0)
    loss.backward()
    numbers = pixels[0].numel()
    assert terms["bits/dim"].item() == pytest.approx(loss.item() / numbers / math.log(2))
    reached = {
        name: parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in model.named_parameters()
    }
    assert [name for name, found in reached.items() if not found] == []


@ALL
def test_labels_change_the_likelihood_and_samples_have_theirs(case: str) -> None:
    model = build(case, classes=3)
    pixels = everything(2, 1, 3, 3)[::64]
    scores = torch.stack(
        [model.log_prob(Images(pixels, torch.full((8,), label))) for label in range(3)]
    )
    assert float((scores[0] - scores[1]).abs().min()) > 1e-4
    together = model.log_prob(Images(pixels, torch.arange(8) % 3))
    torch.testing.assert_close(together, scores[torch.arange(8) % 3, torch.arange(8)])
    samples = model.sample(4, [2, 0, 1, 1])
    assert samples.labels is not None
    assert samples.labels.tolist() == [2, 0, 1, 1]
    drawn = model.sample(50, rng=torch.Generator().manual_seed(0)).labels
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 1, 2}


@ALL
def test_eight_images_are_learned(case: str, rng: torch.Generator) -> None:
    images = binarised(torch.zeros(8, 1, 4, 4), rng=rng)
    model = build(case, 4, 4, features=16) if "features" in CASES[case][1] else build(case, 4, 4)
    model.train()
    prepared = model.prepare(Images(images))
    (objective,) = model.objectives(rng=rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = last = 0.0
    for step in range(80):
        loss, _ = objective.loss(prepared, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        last = loss.item()
        first = first or last
    # Uniform over all images: 16 log 2 = 11.1 nats; over these eight: log 8 = 2.08.
    assert first > 8
    assert last < 4


@ALL
def test_a_saved_model_draws_the_same(case: str, tmp_path: Path) -> None:
    model = build(case, classes=2)
    shapegen.save(model, tmp_path / "model.safetensors")
    loaded = shapegen.load(tmp_path / "model.safetensors")
    samples = [
        each.sample(5, rng=torch.Generator().manual_seed(3)).pixels for each in (model, loaded)
    ]
    assert torch.equal(*samples)
    assert isinstance(loaded, PixelModel)
    assert loaded.config == model.config


@pytest.mark.parametrize("case", ["gated", "diagonal"])
def test_mixed_precision_trains(case: str, tmp_path: Path) -> None:
    grey = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        model = build(case, 4, 4)
        out = tmp_path / precision
        config = {"epochs": 2, "precision": precision, "log_every": 1, "tensorboard": False}
        shapegen.fit(model, Images(grey), config, out=out, progress=False)
        assert all(bool(each.isfinite().all()) for each in model.parameters())
        first = (out / "log.jsonl").read_text().splitlines()[0]
        losses.append(float(first.split('"nats":')[1].split(",")[0]))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_figures_are_of_the_images_binarised_once() -> None:
    grey = torch.rand(7, 1, 3, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    model = build("gated")
    uniforms = np.random.RandomState(1).uniform(size=(7, 1, 3, 3))
    white = torch.from_numpy(uniforms) < (grey + 1) / 2
    expected = -model.log_prob(Images(torch.where(white, 1.0, -1.0))).mean()
    figures = model.figures(Images(grey))
    assert figures == model.figures(Images(grey), rng=torch.Generator())
    assert figures["nats"] == pytest.approx(float(expected))
    # A model that knows nothing: a bit a pixel.
    with torch.no_grad():
        model.head.output.weight.zero_()
        model.head.output.bias.zero_()
    assert model.figures(Images(grey)) == pytest.approx({"nats": 9 * math.log(2), "bits/dim": 1})


def test_grey_images_are_binarised_anew_at_every_step(rng: torch.Generator) -> None:
    model = build("gated")
    batch = model.prepare(Images(torch.zeros(4, 1, 3, 3)))
    (objective,) = model.objectives(rng=rng)
    losses = {objective.loss(batch, step)[0].item() for step in range(3)}
    assert len(losses) == 3
    completed = model.complete(Images(torch.zeros(4, 1, 3, 3)), 2, rng=rng)
    assert set(completed.pixels.flatten().tolist()) == {-1.0, 1.0}


def test_levels_are_those_of_the_model() -> None:
    model = build("masked", head="categorical", levels=3)
    prepared = model.prepare(
        Images(torch.tensor([-1.0, -0.7, -0.3, 0.2, 0.6, 0.9]).expand(9, 6).reshape(6, 1, 3, 3))
    )
    assert set(prepared.pixels.flatten().tolist()) == {-1.0, 0.0, 1.0}
    samples = model.sample(20, rng=torch.Generator().manual_seed(0))
    assert set(samples.pixels.flatten().tolist()) == {-1.0, 0.0, 1.0}


CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").rglob("pixel?nn*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_configs_are_of_these_models(path: Path) -> None:
    run = load_run(path)
    model = registry.build_seeded(run.model.name, run.model.fields, 0)
    assert isinstance(model, PixelModel)
    assert model.shape in ((1, 8, 8), (1, 28, 28))
    if "conditional" in path.name:
        plain = load_run(path.with_name(path.name.replace("_conditional", "")))
        assert run == replace(
            plain, model=replace(plain.model, fields=replace(plain.model.fields, classes=10))
        )


def test_configs_are_found() -> None:
    assert len(CONFIGS) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 2}, "pixelcnn.channels must be 1 or 3; got 2"),
        ({"size": (0, 8)}, "at least 1; got [0, 8]"),
        ({"classes": -1}, "pixelcnn.classes must be at least 0; got -1"),
        ({"levels": 1}, "pixelcnn.levels must be at least 2; got 1"),
        ({"gated": False, "places": True}, "places are known to gated layers alone"),
        ({"kernel": 4}, "pixelcnn.kernel must be odd and at least 3; got 4"),
        ({"layers": 0}, "pixelcnn.layers must be at least 1; got 0"),
        ({"gated": False, "features": 7}, "pixelcnn.features must be even in masked blocks"),
    ],
)
def test_options_out_of_range_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        build("gated", **changes)
    assert message in str(caught.value).replace("`", "")
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    plain, given = build("gated"), build("row", classes=3)
    strict = build("gated", binarise=False)
    black = torch.full((2, 1, 3, 3), -1.0)
    cases = [
        (lambda: plain.log_prob(torch.zeros(2, 1, 3, 3)), "black .* and white .* grey ones: draw"),
        (lambda: strict.prepare(torch.zeros(2, 1, 3, 3)), "got grey ones: set binarise"),
        (lambda: plain.log_prob(torch.zeros(2, 1, 4, 3)), "1 x 3 x 3 .*; got 1 x 4 x 3"),
        (lambda: plain.prepare(torch.zeros(2, 3, 3, 3)), "1 x 3 x 3 .*; got 3 x 3 x 3"),
        (lambda: given.log_prob(black), "conditional on 3 classes: images need labels; got none"),
        (lambda: given.prepare(black), "images need labels; got none"),
        (lambda: given.figures(black), "images need labels; got none"),
        (lambda: given.complete(black, 1), "images need labels; got none"),
        (lambda: given.prepare(Images(black, [0, 3])), "labels must be from 0 to 2; got 0 to 3"),
        (lambda: given.sample(2, [0, 5]), "labels must be from 0 to 2; got 0 to 5"),
        (lambda: given.sample(2, [0]), r"one whole number a sample \(2\); got \(1,\)"),
        (lambda: plain.sample(2, [0, 1]), "not conditional"),
        (lambda: plain.sample(0), "must be at least 1; got 0"),
        (lambda: plain.complete(black, 4), "rows must be from 0 to 3; got 4"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="images are needed; got int"):
        plain.log_prob(3)
