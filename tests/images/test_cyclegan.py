"""CycleGAN: its players' losses, the pools, unpaired data, learning, and mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.cyclegan import CycleGAN, CycleGANConfig, UnpairedPixels
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from tests.images.image_cases import blobs

SMALL: dict[str, Any] = {
    "channels": 1,
    "size": (8, 8),
    "widths": (4, 6),
    "blocks": 1,
    "receptive_field": 16,
    "judge_width": 4,
    "kept": 4,
}


def build(**changes: Any) -> CycleGAN:
    with seeded(0):
        return CycleGAN(CycleGANConfig(**(SMALL | changes))).eval()


def domains(a: int = 6, b: int = 6) -> ImageDomains:
    return ImageDomains(blobs(a, seed=1), Images(-blobs(b, seed=2).pixels))


def stream(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generators_loss_written_out() -> None:
    model = build(cycle=7.0, identity=3.0)
    batch = model.prepare(domains())
    to_a, to_b = (model.generators[f"to_{side}"] for side in "ab")
    judge_a, judge_b = (model.discriminators[side] for side in "ab")
    made_b, made_a = to_b(batch.a), to_a(batch.b)
    games = ((judge_b(made_b) - 1).square().mean() + (judge_a(made_a) - 1).square().mean()) / 2
    cycles = [(to_a(made_b) - batch.a).abs().mean(), (to_b(made_a) - batch.b).abs().mean()]
    same = (to_b(batch.b) - batch.b).abs().mean() + (to_a(batch.a) - batch.a).abs().mean()
    objective = model.objectives(rng=stream())[2]
    assert objective.name == "generators"
    loss, terms = objective.loss(batch, 0)
    torch.testing.assert_close(loss, games + 7 * sum(cycles) + 3 * same)
    # A cycle is named by the kind in its middle.
    torch.testing.assert_close(terms["cycle_b"], cycles[0].detach())
    torch.testing.assert_close(terms["cycle_a"], cycles[1].detach())
    plain, terms = build(cycle=0.0).objectives()[2].loss(batch, 0)
    torch.testing.assert_close(plain, games)
    assert "identity_a" not in terms


@pytest.mark.parametrize("side", [0, 1])
def test_a_discriminator_tells_its_own_kind_from_translations(side: int) -> None:
    model = build()
    batch = model.prepare(domains())
    name, other = ("a", "b") if side == 0 else ("b", "a")
    judge = model.discriminators[name]
    made = model.generators[f"to_{name}"](getattr(batch, other))
    expected = (judge(getattr(batch, name)) - 1).square().mean() + (
        judge(made) + 1
    ).square().mean()
    objective = model.objectives()[side]
    assert objective.name == f"discriminator_{name}"
    assert objective.module is judge
    torch.testing.assert_close(objective.loss(batch, 0)[0], expected / 2)


def test_each_loss_trains_its_players() -> None:
    model = build(identity=1.0)
    batch = model.prepare(domains())
    for objective in model.objectives(rng=stream()):
        objective.module.zero_grad()
        objective.loss(batch, 0)[0].backward()
        assert all(each.grad is not None for each in objective.module.parameters())
    owned = [p for each in model.objectives() for p in each.module.parameters()]
    assert len(owned) == len(list(model.parameters()))


def test_discriminators_are_shown_earlier_translations_in_training() -> None:
    model = build(replay=6)
    batch = model.prepare(domains())
    seen: list[torch.Tensor] = []
    model.discriminators["b"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.train()
    judge = model.objectives(rng=stream())[1]
    judge.loss(batch, 0)
    assert torch.equal(model.pools["b"].samples, seen[1])
    assert model.pools["a"].count == 0
    later = UnpairedPixels(batch.a.flip(0) * 0.5, batch.b)
    judge.loss(later, 1)
    old = (seen[3][:, None] == seen[1][None]).flatten(2).all(2).any(1)
    assert 0 < old.sum() < 6
    kept = model.pools["b"].samples.clone()
    model.eval()
    judge.loss(later, 2)
    assert torch.equal(model.pools["b"].samples, kept)
    assert torch.equal(seen[5], model.generators["to_b"](later.a))


def test_the_smaller_kind_begins_again() -> None:
    prepared = build().prepare(domains(5, 3))
    assert len(prepared) == 5
    batch = prepared[torch.tensor([4, 0, 2])]
    assert torch.equal(batch.a, prepared.a[[4, 0, 2]])
    assert torch.equal(batch.b, prepared.b[[1, 0, 2]])


def test_pairs_are_taken_apart() -> None:
    pairs = ImagePairs(blobs(40), Images(-blobs(40).pixels))
    whole = build().prepare(pairs)
    partner = (whole.a[:, None] == -whole.b[None]).flatten(2).all(2)
    assert partner.any(1).all()
    assert partner.diagonal().float().mean() < 0.2
    halves = build(disjoint=True).prepare(pairs)
    assert (len(halves.a), len(halves.b)) == (20, 20)
    assert not (halves.a[:, None] == -halves.b[None]).flatten(2).all(2).any()


def test_translations_go_both_ways_and_samples_begin_at_kept_images() -> None:
    model = build()
    images = Images(blobs(3).pixels, [2, 0, 1], ["x", "y", "z"])
    to_b, to_a = model.translate(images), model.translate(images, to="a")
    torch.testing.assert_close(to_b.pixels, model.generators["to_b"](images.pixels))
    torch.testing.assert_close(to_a.pixels, model.generators["to_a"](images.pixels))
    assert to_a.names == ("x", "y", "z")
    assert to_a.labels.tolist() == [2, 0, 1]
    sets = domains(2, 3)
    assert torch.equal(
        model.translate(sets, to="a").pixels, model.translate(sets.b, to="a").pixels
    )
    pairs = ImagePairs(blobs(2), Images(-blobs(2).pixels))
    assert torch.equal(model.translate(pairs).pixels, model.translate(pairs.source).pixels)
    with pytest.raises(ValueError, match="there was none"):
        model.sample(1)
    model.calibrate(model.prepare(sets))
    drawn, known = model.sample(20, rng=stream()).pixels, model.translate(sets.a).pixels
    nearest = torch.cdist(drawn.flatten(1), known.flatten(1)).min(1)
    assert nearest.values.max() < 1e-3
    assert set(nearest.indices.tolist()) == {0, 1}


class Negative(torch.nn.Module):
    """The translator that was wanted."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return -images


def test_figures_of_a_translator_that_is_right_and_of_one_that_does_nothing() -> None:
    pairs = ImagePairs(blobs(30), Images(-blobs(30).pixels))
    model = build()
    model.generators = torch.nn.ModuleDict({"to_a": Negative(), "to_b": Negative()})
    found = model.figures(pairs)
    assert found["paired to A"] == found["paired to B"] == 1
    assert found["cycle L1 A"] == found["cycle L1 B"] == 0
    # A dark image is nearest to the darkest ones, whatever it shows.
    assert found["paired untranslated"] < 0.2
    model.generators = torch.nn.ModuleDict({"to_a": Negative(), "to_b": torch.nn.Identity()})
    found = model.figures(pairs)
    assert found["paired to A"] == 1
    assert found["paired to B"] <= found["paired untranslated"]
    error = pairs.source.pixels.abs().mean().item()
    assert found["cycle L1 A"] == pytest.approx(error)
    unpaired = model.figures(domains(4, 3))
    assert unpaired.keys() == {"cycle L1 A", "cycle L1 B"}
    with pytest.raises(TypeError, match="two sets of images are needed"):
        model.figures(blobs(2))


def test_a_run_that_was_cut_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """The pools are full of what was made: they too are in the state."""
    options = {"epochs": 4, "batch_size": 4, "save_every": 1, "ema": 0.9, "tensorboard": False}
    shapegen.fit(build(replay=5), domains(), options, out=tmp_path / "a", progress=False)
    short = options | {"epochs": 2}
    shapegen.fit(build(replay=5), domains(), short, out=tmp_path / "b", progress=False)
    shapegen.fit(
        build(replay=5), domains(), options, out=tmp_path / "b", resume=True, progress=False
    )
    a, b = (shapegen.load(tmp_path / name).state_dict() for name in "ab")
    assert a["pools.a.samples"].abs().sum() > 0
    assert a["pools.a.count"] == 5
    for name, tensor in a.items():
        assert torch.equal(tensor, b[name]), name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 2}, "channels must be 1 or 3; got 2"),
        ({"widths": (4,) * 4}, r"3 halvings \(widths\) are too many for images of 8 x 8"),
        ({"cycle": -1.0}, "cycle must be at least 0; got -1.0"),
        ({"replay": -1}, "replay must be at least 0; got -1"),
        ({"kept": 0}, "kept must be at least 1; got 0"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
        ({"game": GameOptions(consensus=1.0)}, r"game\.consensus must be 0"),
        ({"receptive_field": 34}, r"\(receptive field 34\) is too large for images of 8 x 8"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**fields)


def test_mistakes() -> None:
    model = build()
    with pytest.raises(TypeError, match=r"two sets of images are needed .*; got Images"):
        model.prepare(blobs(2))
    with pytest.raises(ValueError, match="both domains need an image at least; B has none"):
        model.prepare(ImageDomains(blobs(2), blobs(2)[:0]))
    with pytest.raises(ValueError, match=r"of images in B 1 x 8 x 8 .* got 3 x 8 x 8"):
        model.prepare(ImageDomains(blobs(2), blobs(2, channels=3)))
    with pytest.raises(ValueError, match="translated to a or b; got 'c'"):
        model.translate(blobs(1), to="c")
    with pytest.raises(ValueError, match="disjoint halves need at least 2 pairs; got 1"):
        build(disjoint=True).prepare(ImagePairs(blobs(1), blobs(1)))
