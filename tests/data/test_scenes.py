"""Scenes whose parts are known: masks against what was painted, and against blends."""

from __future__ import annotations

import itertools

import pytest
import torch

from shapegen.data import scenes as module
from shapegen.data.scenes import ALWAYS, COLOURS, CONCEPTS, DARKEST, TOLERANCE, scene_masks, scenes


def test_every_pixel_of_a_scene_is_of_one_part() -> None:
    masks = scene_masks(scenes(200).pixels)
    assert masks.shape == (200, len(CONCEPTS), 32, 32)
    assert torch.equal(masks.sum(1), torch.ones(200, 32, 32, dtype=torch.int64))


def test_masks_are_what_was_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same scenes painted in shades of red that number the parts."""
    found = scene_masks(scenes(50, seed=1).pixels)
    monkeypatch.setattr(module, "COLOURS", [(k / 255, 0, 0) for k in range(len(CONCEPTS))])
    monkeypatch.setattr(module, "DARKEST", 1.0)
    painted = scenes(50, seed=1).pixels[:, 0]
    numbers = ((painted + 1) * 127.5).round().long()
    assert torch.equal(found.long().argmax(1), numbers)


def test_labels_say_what_may_be_seen() -> None:
    images = scenes(400)
    seen = scene_masks(images.pixels).flatten(2).any(2)
    assert seen[:, :ALWAYS].all()
    assert images.labels is not None
    there = (images.labels[:, None] >> torch.arange(len(CONCEPTS) - ALWAYS)) & 1 == 1
    # What is not there is not seen; what is there may stand behind something else.
    assert not (seen[:, ALWAYS:] & ~there).any()
    assert (seen[:, ALWAYS:] == there).float().mean() > 0.99
    assert (there.float().mean(0) - 0.5).abs().max() < 0.1  # 4 standard deviations


def test_scenes_depend_on_seed_and_number_alone() -> None:
    many, few = scenes(10, seed=3), scenes(4, seed=3, start=5)
    assert torch.equal(many.pixels[5:9], few.pixels)
    assert not torch.equal(many.pixels, scenes(10, seed=4).pixels)


def test_colours_are_apart() -> None:
    """Any two lights of two parts are more than two tolerances apart: no pixel could be both."""
    lights = torch.linspace(DARKEST, 1, 11)[:, None]
    lines = [lights * torch.tensor(colour) for colour in COLOURS]
    for a, b in itertools.combinations(lines, 2):
        assert torch.cdist(a, b).min() > 2 * TOLERANCE


def test_a_mixture_is_no_part_and_a_small_error_none() -> None:
    sky, sun, house = (torch.tensor(COLOURS[k]) for k in (0, 2, 5))
    shown = torch.stack([(sky + sun) / 2, 0.95 * house + 0.08, torch.zeros(3)]).T
    masks = scene_masks((2 * shown - 1).view(1, 3, 1, 3))[0, :, 0]
    assert masks.sum(0).tolist() == [0, 1, 0]
    assert masks[CONCEPTS.index("house"), 1]


@pytest.mark.parametrize(("count", "start"), [(0, 0), (1, -1)])
def test_no_scenes(count: int, start: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, numbered from 0; got {count} from {start}"):
        scenes(count, start=start)
