"""A layer taken apart: figures of a generator whose units are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.units import Subject
from shapegen.data.scenes import COLOURS, CONCEPTS, scene_masks
from shapegen.metrics.dissection_figures import is_there, layer_figures, usual_place

PARTS = len(CONCEPTS)


class SceneMaker(nn.Module):
    """Six units, one a part, and six idle ones; sky and meadow always, others where z says so."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        maps = torch.zeros(len(z), 2 * PARTS, 16, 16)
        maps[:, 0, :10], maps[:, 1, 10:] = 1, 1
        for part in range(2, PARTS):
            top = 3 if part < 4 else 8
            left = 4 * (part - 2)
            maps[:, part, top : top + 4, left : left + 4] = 2 * (z[:, part] > 0)[:, None, None]
        maps[:, PARTS:] = 0.5
        seen = nn.functional.interpolate(self.units(maps)[:, :PARTS], scale_factor=2)
        colours = torch.tensor(COLOURS)
        image = torch.zeros(len(z), 3, 32, 32)
        for part in range(PARTS):
            image = torch.where(seen[:, part : part + 1] > 0, colours[part, :, None, None], image)
        return 2 * image - 1


def draw(n: int) -> Tensor:
    return torch.randn(n, PARTS, generator=torch.Generator().manual_seed(3))


def test_each_part_has_its_unit(rng: torch.Generator) -> None:
    subject = Subject(SceneMaker(), "units", scene_masks)
    found = layer_figures(subject, draw(200), CONCEPTS, units=1, draws=40, rng=rng)
    assert [part.part for part in found.parts] == list(CONCEPTS)
    for number, part in enumerate(found.parts):
        assert part.units == (number,)
        assert part.removed == 1
        # One of twelve units is the part's own.
        assert part.removed_at_random < 0.3
        if number > 1:
            assert part.changed_elsewhere == 0
            assert part.iou > 0.8
            assert 0.35 < part.present < 0.65
            assert part.before < 0.65
            assert part.inserted == 1
            # Its own entry of z: the mean moves by 1.6, which four of five need at most.
            assert part.arithmetic is not None
            assert part.arithmetic.gained > 0.75
            assert part.arithmetic.gained_at_random < 0.35
        else:
            assert part.present == 1
            assert part.arithmetic is None
    assert found.explained == 1


def test_figures_depend_on_the_stream_alone() -> None:
    subject = Subject(SceneMaker(), "units", scene_masks)
    a, b, c = (
        layer_figures(
            subject, draw(60), CONCEPTS, units=3, rng=torch.Generator().manual_seed(seed)
        ).parts
        for seed in (0, 0, 1)
    )
    same = [one.removed_at_random == two.removed_at_random for one, two in zip(a, b, strict=True)]
    assert all(same)
    assert any(
        one.removed_at_random != two.removed_at_random for one, two in zip(a, c, strict=True)
    )


def test_a_part_that_is_nowhere_has_no_share_to_lose(rng: torch.Generator) -> None:
    z = draw(40)
    z[:, 2] = -1
    figures = layer_figures(
        Subject(SceneMaker(), "units", scene_masks), z, CONCEPTS, units=1, rng=rng
    )
    sun = figures.parts[2]
    assert sun.present == 0
    assert sun.iou == 0
    assert math.isnan(sun.removed)
    assert sun.arithmetic is None


def test_the_usual_place_is_where_most_is() -> None:
    mask = torch.zeros(10, 32, 32, dtype=torch.bool)
    mask[:, 8:12, 20:24] = True
    mask[:4, 24:, :8] = True
    region = usual_place(mask, (8, 8))
    assert region.sum() == 9
    assert region[1:4, 4:7].all()
    corner = torch.zeros(1, 4, 4, dtype=torch.bool)
    corner[0, 0, 0] = True
    assert usual_place(corner, (4, 4)).nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_part_is_there_from_half_a_percent_on() -> None:
    mask = torch.zeros(2, 20, 20, dtype=torch.bool)
    mask[0, 0, :2] = mask[1, 0, :1] = True
    assert is_there(mask).tolist() == [True, False]


def test_mistakes() -> None:
    subject = Subject(SceneMaker(), "units", scene_masks)
    with pytest.raises(ValueError, match="must be from 1 to 11, of the layer's 12; got 12"):
        layer_figures(subject, draw(8), CONCEPTS, units=12)
    with pytest.raises(ValueError, match="at least 4 samples are needed; got 3"):
        layer_figures(subject, draw(3), CONCEPTS)
