"""Dissection against a network that is known: unit i paints part i, and the rest paint nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.dissection import SHARES, Dissection, Effect, dissect, effect
from shapegen.core.units import Subject, map_layers, units_set

PARTS, UNITS, SIDE = 3, 8, 8
ORDER = torch.tensor([5, 1, 6])
"""The unit that paints each part."""


class Painter(nn.Module):
    """Squares at the places that inputs name, a channel each; units that paint nothing beside."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self.paint = nn.Conv2d(UNITS, PARTS, 1, bias=False)
        self.wide = nn.Upsample(scale_factor=2)
        weight = torch.zeros(PARTS, UNITS)
        weight[torch.arange(PARTS), ORDER] = 1.0
        self.paint.weight.data = weight.view(PARTS, UNITS, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*[torch.arange(SIDE)] * 2, indexing="ij")
        maps = torch.zeros(len(inputs), UNITS, SIDE, SIDE)
        for number, unit in enumerate(ORDER.tolist()):
            x, y = (inputs[:, number, k].view(-1, 1, 1) for k in (0, 1))
            inside = ((columns - x).abs() <= 1) & ((rows - y).abs() <= 1)
            maps[:, unit] = 2.5 * inside
        # The idle ones are on at random, some more often than others.
        noise = torch.rand(maps.shape, generator=torch.Generator().manual_seed(7))
        idle = [unit for unit in range(UNITS) if unit not in ORDER.tolist()]
        maps[:, idle] = noise[:, idle]
        out: Tensor = self.wide(self.paint(self.maps(maps)))
        return out


def painted(images: Tensor) -> Tensor:
    return images > 0.5


@pytest.fixture
def inputs() -> Tensor:
    """Places of squares of 3 x 3 that lie apart, at columns 1 to 2 and so on."""
    stream = torch.Generator().manual_seed(0)
    x = torch.randint(1, 7, (40, PARTS), generator=stream)
    y = torch.randint(1, 7, (40, PARTS), generator=stream)
    return torch.stack([x, y], 2).float()


def subject(layer: str | nn.Module = "paint") -> Subject:
    return Subject(Painter().eval(), layer, painted)


@pytest.mark.parametrize("shares", [(0.1,), SHARES])
def test_the_unit_that_paints_a_part_is_found(inputs: Tensor, shares: tuple[float, ...]) -> None:
    found = dissect(replace(subject("maps"), run=None), inputs, shares=shares)
    assert found.iou.shape == (UNITS, PARTS)
    for part, unit in enumerate(ORDER.tolist()):
        assert found.ranked(part)[0] == unit
        # Twice as fine as the maps, the corners of a bilinear square are round.
        assert 0.85 < found.iou[unit, part] <= 1
        assert found.typical[unit, part] > 2
    idle = [unit for unit in range(UNITS) if unit not in ORDER.tolist()]
    assert found.iou[idle].max() < 0.3


def test_agreement_is_one_where_maps_are_as_fine_as_images(inputs: Tensor) -> None:
    network = Painter()
    network.wide = nn.Identity()
    found = dissect(Subject(network, "maps", painted), inputs)
    own = found.iou[ORDER, torch.arange(PARTS)]
    assert torch.equal(own, torch.ones(PARTS))
    assert torch.equal(found.typical[ORDER, torch.arange(PARTS)], torch.full((PARTS,), 2.5))


def test_agreement_and_information_against_counting(inputs: Tensor) -> None:
    """Pixel by pixel, with one threshold for all."""
    network = Painter()
    found = dissect(Subject(network, "maps", painted), inputs, shares=(0.3,))
    kept: list[Tensor] = []
    with_hook = network.maps.register_forward_hook(lambda _, __, output: kept.append(output))
    masks = painted(network(inputs))
    with_hook.remove()
    maps = nn.functional.interpolate(kept[0], (16, 16), mode="bilinear")
    for unit in range(UNITS):
        edge = found.thresholds[unit, 0]
        above = (kept[0][:, unit] > edge).float().mean()
        assert abs(above - (0.3 if unit not in ORDER else 9 / 64)) < 1e-3
        for part in range(PARTS):
            on, there = maps[:, unit] > edge, masks[:, part]
            expected = (on & there).sum() / (on | there).sum()
            torch.testing.assert_close(found.iou[unit, part], expected)
            mean = maps[:, unit][there].mean()
            torch.testing.assert_close(found.typical[unit, part], mean)


def test_the_best_threshold_has_the_largest_share_of_information() -> None:
    """Units that are brighter inside the part than ever outside: thresholds lie between."""
    maps = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    there = torch.zeros(60, 1, 8, 8, dtype=torch.bool)
    there[:, :, 2:5, 2:6] = True
    maps = torch.where(there, 1 + maps, maps)
    network = nn.Sequential(nn.Identity())
    given = Subject(network, "0", lambda images: there[: len(images)], images="inputs")
    found = dissect(given, maps, shares=(0.6, 0.4, 12 / 64, 0.05))
    assert found.iou.item() == 1
    assert 0.99 < found.thresholds.item() < 1.01


def test_a_part_is_gone_without_its_unit_and_stays_without_others(inputs: Tensor) -> None:
    for part, unit in enumerate(ORDER.tolist()):
        without = effect(subject("maps"), inputs, torch.tensor([unit]))
        assert without.removed[part] == 1
        assert without.changed_elsewhere(part) == 0
        others = torch.tensor([each for each in range(UNITS) if each != unit])
        assert effect(subject("maps"), inputs, others).removed[part] == 0
    idle = torch.tensor([unit for unit in range(UNITS) if unit not in ORDER.tolist()])
    none = effect(subject("maps"), inputs, idle)
    assert torch.equal(none.removed, torch.zeros(PARTS, dtype=torch.float64))
    assert none.before[0] == 40 * 9 * 4
    assert none.pixels == 40 * 16 * 16


def test_a_part_is_where_its_unit_is_set(inputs: Tensor) -> None:
    where = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    where[2:4, 5:8] = True
    high = torch.tensor([3.0])
    found = effect(subject("maps"), inputs, ORDER[1:2], high, where)
    assert found.after[1] == found.pixels == 40 * 6 * 4
    assert found.before[1] < found.after[1]
    assert torch.equal(found.after[[0, 2]], found.before[[0, 2]])
    everywhere = effect(subject("maps"), inputs, ORDER[1:2], high)
    assert everywhere.after[1] == 40 * 64 * 4


def test_pixels_that_moved_are_not_kept() -> None:
    found = Effect(*torch.tensor([[10.0, 20, 30], [8, 25, 30], [5, 20, 15]]), pixels=60)
    torch.testing.assert_close(found.removed, torch.tensor([0.2, -0.25, 0.0]))
    assert found.changed_elsewhere(0) == pytest.approx(1 - 35 / 50)
    assert found.changed_elsewhere(2) == pytest.approx(1 - 25 / 30)


def test_layers_by_name_and_by_module(inputs: Tensor) -> None:
    network = Painter()
    named = dissect(Subject(network, "maps", painted), inputs)
    direct = dissect(Subject(network, network.maps, painted), inputs)
    assert torch.equal(named.iou, direct.iou)
    shapes = {name: shape for name, (_, shape) in map_layers(subject(), inputs).items()}
    assert shapes == {"maps": (8, 8, 8), "paint": (3, 8, 8), "wide": (3, 16, 16)}


def test_no_hook_stays_behind(inputs: Tensor) -> None:
    given = subject("maps")
    dissect(given, inputs)
    effect(given, inputs, ORDER)

    def failing(images: Tensor) -> Tensor:
        raise RuntimeError("no masks")

    for act in (lambda each: dissect(each, inputs), lambda each: effect(each, inputs, ORDER)):
        with pytest.raises(RuntimeError, match="no masks"):
            act(replace(given, masks=failing))
    with pytest.raises(RuntimeError), units_set(given.network.maps, ORDER):  # type: ignore[arg-type]
        raise RuntimeError
    assert all(not module._forward_hooks for module in given.network.modules())


@pytest.mark.parametrize(
    ("layer", "what"), [("mapps", "'mapps'"), (nn.Linear(1, 1), "Linear"), ("", "''")]
)
def test_a_layer_that_gives_no_maps(inputs: Tensor, layer: str | nn.Module, what: str) -> None:
    names = r"accepted: maps \(8 x 8 x 8\), paint \(3 x 8 x 8\), wide \(3 x 16 x 16\)"
    with pytest.raises(ValueError, match=f"no layer {what} gives maps of units; {names}"):
        dissect(subject(layer), inputs)


def test_mistakes(inputs: Tensor) -> None:
    for shares in ((), (0.0,), (0.5, 1.0), (math.nan,)):
        with pytest.raises(ValueError, match="shares must be between 0 and 1; got"):
            dissect(subject("maps"), inputs, shares=shares)
    with pytest.raises(ValueError, match="at least 2 inputs are needed to dissect a layer; got 1"):
        dissect(subject("maps"), inputs[:1])
    with pytest.raises(ValueError, match="the masks are of inputs"):
        effect(replace(subject("maps"), images="inputs"), inputs, ORDER)


def test_ranks_go_down() -> None:
    iou = torch.tensor([[0.1], [0.4], [0.1], [0.3]])
    assert Dissection(iou, iou, iou).ranked(0).tolist() == [1, 3, 0, 2]
