"""GRASS's second stage against the plain recursion; who is trained; warm starts; off is off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shapegen import checkpoint, fit
from shapegen.core import boxes as box_algebra
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture
from shapegen.structures.box_frames import orthonormalised
from shapegen.structures.grass import GRASS, GRASSConfig
from shapegen.structures.grass_adversarial import (
    AdversarialOptions,
    TreeDiscriminator,
    generated,
    tree_numbers,
    tree_rows,
)
from shapegen.structures.grass_decoding import Limits
from shapegen.structures.merge_tree import MergeTree
from tests.structures.grass_recursion import (
    SETTINGS,
    SIZES,
    build,
    numbers,
    prepared,
    random_tree,
    recursive_decode,
    recursive_feature,
    recursive_losses,
    terminating_codes,
)

STAGE = AdversarialOptions(reconstruction=3.0, game=GameOptions(r1=0.7))
SMALL: dict[str, Any] = {"feature_dim": 16, "hidden_dim": 24, "components": 2, "prior_rank": 4}


@pytest.fixture
def trees() -> list[MergeTree]:
    rng = np.random.default_rng(5)
    return [random_tree(rng, depth) for depth in (1, 2, 3, 5, 4)]


def recursive_logit(net: TreeDiscriminator, tree: MergeTree, box: Tensor, sym: Tensor) -> Tensor:
    hidden = net.activation(net.root(recursive_feature(net, tree, box, sym)))
    return net.real(hidden)[0]


def discriminator(model: GRASS) -> TreeDiscriminator:
    assert model.discriminator is not None
    return model.discriminator


def straight(boxes: Tensor) -> Tensor:
    """Orthonormal boxes by the library of arrays."""
    return torch.from_numpy(box_algebra.orthonormalised(boxes.numpy()))


# Rows of numbers ----------------------------------------------------------------------------


def test_a_row_has_the_numbers_of_its_tree_alone(trees: list[MergeTree]) -> None:
    batch = prepared(build("ours"), trees)[torch.tensor([3, 0, 4])]
    rows = tree_rows(batch, batch.boxes, batch.syms)
    counts = [(len(trees[i].boxes), len(trees[i].syms)) for i in (3, 0, 4)]
    width = 12 * max(boxes for boxes, _ in counts)
    assert rows.shape == (3, width + 8 * max(syms for _, syms in counts))
    for number, (row, (boxes, syms)) in enumerate(zip(rows, counts, strict=True)):
        assert torch.equal(row[: 12 * boxes].view(-1, 12), batch.boxes[batch.box_shape == number])
        assert not row[12 * boxes : width].any()
        own = row[width : width + 8 * syms].view(-1, 8)
        assert torch.equal(own, batch.syms[batch.sym_shape == number])
        assert not row[width + 8 * syms :].any()
    for found, wanted in zip(tree_numbers(rows, batch), (batch.boxes, batch.syms), strict=True):
        assert torch.equal(found, wanted)


# Against the recursion ----------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_generated_is_what_the_recursion_decodes(setting: str) -> None:
    model = build(setting)
    sizes = (*SIZES.values(), model.config.activation)
    net = TreeDiscriminator(*sizes, box_hidden=model.config.box_hidden).double()
    z = terminating_codes(model, 12)
    with torch.no_grad():
        rows, structure = generated(model.decoder, z, model.config.limits)
        found = net(rows, structure)
        wanted = []
        for code in z:
            tree = recursive_decode(model, code)
            box, sym = torch.from_numpy(tree.boxes), torch.from_numpy(tree.syms)
            wanted.append(recursive_logit(net, tree, straight(box), sym))
    assert len(set(structure.kind.tolist())) == 3
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-9, atol=1e-9)


def test_the_players_losses_written_out(
    trees: list[MergeTree], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("ours", adversarial=STAGE)
    net, batch = discriminator(model), prepared(model, trees)[torch.arange(len(trees))]
    codes = terminating_codes(model, len(trees))
    monkeypatch.setattr(model, "sample_latent", lambda n, rng: codes[:n])
    noise = torch.randn(len(trees), SIZES["feature_dim"], dtype=torch.float64)
    monkeypatch.setattr(
        "shapegen.core.gaussian.standard_normal", lambda shape, *, like, rng: noise
    )
    on_real, slopes, on_fake = [], [], []
    for tree, code in zip(trees, codes, strict=True):
        box, sym = numbers(tree)
        box, sym = straight(box).requires_grad_(), sym.clone().requires_grad_()
        logit = recursive_logit(net, tree, box, sym)
        found = torch.autograd.grad(logit, [box, sym], create_graph=True, allow_unused=True)
        slopes.append(sum(each.square().sum() for each in found if each is not None))
        on_real.append(logit)
        with torch.no_grad():
            made = recursive_decode(model, code)
        box, sym = straight(torch.from_numpy(made.boxes)), torch.from_numpy(made.syms)
        on_fake.append(recursive_logit(net, made, box, sym))
    real, fake = torch.stack(on_real), torch.stack(on_fake)
    judged = -(logsigmoid(real).mean() + logsigmoid(-fake).mean())
    judged = judged + 0.35 * torch.stack(slopes).mean()
    judge, make = model.objectives()
    assert (judge.name, make.name) == ("discriminator", "generator")
    loss, _ = judge.loss(batch, 0)
    torch.testing.assert_close(loss, judged)
    wanted = torch.autograd.grad(judged, list(net.parameters()))
    for one, other in zip(torch.autograd.grad(loss, list(net.parameters())), wanted, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        parts = [recursive_losses(model, *each) for each in zip(trees, noise, strict=True)]
        total = sum(sum(v for k, v in part.items() if k != "kl") for part in parts)
        loss, terms = make.loss(batch, 0)
    torch.testing.assert_close(loss, -logsigmoid(fake).mean() + 3.0 * total / len(trees))
    torch.testing.assert_close(terms["box"], sum(part["box"] for part in parts) / len(trees))


def test_gradients_run_through_boxes_given_the_node_types() -> None:
    """The game's gradient by the decoder's numbers, against differences."""
    model = build("ours", adversarial=replace(STAGE, reconstruction=0.0))
    z = terminating_codes(model, 6)
    net, bias = discriminator(model), model.decoder.box.out.bias

    def loss() -> Tensor:
        return -logsigmoid(net(*generated(model.decoder, z, Limits(depth=12, nodes=60)))).mean()

    (slope,) = torch.autograd.grad(loss(), [bias])
    assert slope[:12].abs().min() > 0
    for place in (0, 4, 7, 11):
        with torch.no_grad():
            bias[place] += 1e-6
            above = loss()
            bias[place] -= 2e-6
            below = loss()
            bias[place] += 1e-6
        torch.testing.assert_close((above - below) / 2e-6, slope[place], rtol=1e-5, atol=1e-8)


# Who is trained -----------------------------------------------------------------------------


def test_gradients_reach_both_players_and_nobody_else(trees: list[MergeTree]) -> None:
    model = build("ours", adversarial=STAGE)
    batch = prepared(model, trees)[torch.arange(len(trees))]
    for objective in model.objectives(rng=torch.Generator().manual_seed(0)):
        model.zero_grad()
        objective.loss(batch, 0)[0].backward()
        for name, parameter in objective.module.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        assert all(parameter.grad is None for parameter in model.encoder.parameters())


def test_frames_are_those_of_the_arrays() -> None:
    boxes = torch.randn(20, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthonormalised(boxes), straight(boxes))


# Runs ---------------------------------------------------------------------------------------


def same(one: GRASS, other: GRASS) -> list[str]:
    """Names of the equal tensors."""
    states = one.state_dict(), other.state_dict()
    return [name for name, value in states[0].items() if torch.equal(value, states[1][name])]


def trained(path: Path, chairs: Any, config: GRASSConfig, *, epochs: int = 2) -> GRASS:
    with seeded(0):
        model = GRASS(config)
    settings = {"epochs": epochs, "batch_size": 8, "learning_rate": 1e-3, "ema": 0.5}
    fit(model, chairs, settings, out=path, progress=False)
    return model


def test_the_second_stage_goes_on_from_the_first(tmp_path: Path) -> None:
    chairs = furniture(16, category="chair")
    first = trained(tmp_path / "first", chairs, GRASSConfig(**SMALL))
    start = str(tmp_path / "first" / "last.safetensors")
    config = GRASSConfig(**SMALL, adversarial=STAGE, start_from=start)
    warm = GRASS(config)
    warm.initialise(resumed=False)
    assert set(same(first, warm)) == set(first.state_dict())
    folding = {name for name in first.encoder.state_dict() if name.split(".")[0] != "mean"}
    found = discriminator(warm).state_dict()
    for name in folding - {"logvar.weight", "logvar.bias"}:
        assert torch.equal(found[name], first.encoder.state_dict()[name])
    second = trained(tmp_path / "second", chairs, config)
    kept = same(first, second)
    assert {name for name in kept if name.startswith("encoder.")} == {
        f"encoder.{name}" for name in first.encoder.state_dict()
    }
    # Codes and so the mixture are where they were; every weight of the decoder has moved.
    torch.testing.assert_close(second.mixture.mean, first.mixture.mean)
    assert not [name for name in kept if name.startswith("decoder.")]
    assert second.config.start_from == ""
    loaded = checkpoint.load(tmp_path / "second")
    assert set(same(second, loaded)) == set(second.state_dict())
    on = GRASS(replace(config, start_from=str(tmp_path / "second" / "last.safetensors")))
    on.initialise(resumed=False)
    assert set(same(second, on)) == set(second.state_dict())


def test_off_is_what_it_was(tmp_path: Path) -> None:
    chairs = furniture(16, category="chair")
    with seeded(0):
        without = GRASS(GRASSConfig(**SMALL))
    with seeded(0):
        stage = GRASS(GRASSConfig(**SMALL, adversarial=STAGE))
    assert not [name for name in without.state_dict() if name.startswith("discriminator.")]
    assert set(same(without, stage)) == set(without.state_dict())
    (objective,) = without.objectives()
    assert objective.name == "vae"
    assert objective.module is without
    trained(tmp_path / "a", chairs, GRASSConfig(**SMALL))
    start = str(tmp_path / "a" / "last.safetensors")
    other = GRASS(GRASSConfig(**(SMALL | {"hidden_dim": 8}), start_from=start))
    with pytest.raises(ValueError, match="other networks than the config says"):
        other.initialise(resumed=False)


def test_settings_that_make_no_stage() -> None:
    with pytest.raises(ValueError, match="reconstruction must be at least 0; got -1"):
        AdversarialOptions(reconstruction=-1.0)
    with pytest.raises(ValueError, match=r"game.gradient_penalty must be 0"):
        AdversarialOptions(game=GameOptions(loss="wasserstein", gradient_penalty=1.0))
    with pytest.raises(ValueError, match=r"game.pack must be 1"):
        AdversarialOptions(game=GameOptions(pack=2))
