"""Pairs of images and sets without pairs: containers and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.base import Shapes
from shapegen.images.images import Images
from shapegen.images.pair_files import read_pairs
from shapegen.images.pairs import ImageDomains, ImagePairs
from tests.images.image_cases import blobs

PALETTE = torch.tensor([[255, 0, 0], [0, 255, 128], [9, 9, 9]]) / 127.5 - 1


def pairs(n: int = 5) -> ImagePairs:
    """Maps of labels, and grey blobs."""
    masks = torch.arange(n * 64).view(n, 8, 8) % 3
    source = Images(PALETTE[masks].permute(0, 3, 1, 2), names=[f"s{i}" for i in range(n)])
    return ImagePairs(source, Images(blobs(n).pixels, names=source.names), PALETTE)


def assert_equal(a: Images, b: Images) -> None:
    torch.testing.assert_close(a.pixels, b.pixels, atol=1e-6, rtol=0)
    assert a.names == b.names


def test_pairs_stay_together() -> None:
    found = pairs()
    assert isinstance(found, Shapes)
    for index, numbers in ((2, [2]), (-1, [4]), (slice(1, 3), [1, 2]), ([3, 0], [3, 0])):
        some = found[index]
        assert len(some) == len(numbers)
        assert some.source.names == some.target.names == tuple(f"s{i}" for i in numbers)
        assert torch.equal(some.target.pixels, found.target.pixels[numbers])
    joined = ImagePairs.join([found[:2], found[2:]])
    assert torch.equal(joined.source.pixels, found.source.pixels)
    assert len(list(found)) == 5
    assert [node.extras["name"] for node in found[:2].to_scene().nodes] == ["s0", "s0", "s1", "s1"]


def test_masks_are_the_labels_that_the_maps_were_drawn_with() -> None:
    assert torch.equal(pairs().masks(), torch.arange(320).view(5, 8, 8) % 3)
    smeared = ImagePairs(pairs().source.pixels * 0.9, pairs().target, PALETTE)
    with pytest.raises(ValueError, match=r"the palette's 3 colours alone; a pixel is 0.1"):
        smeared.masks()
    with pytest.raises(ValueError, match="only maps of labels have masks"):
        ImagePairs(blobs(2), blobs(2)).masks()


def test_domains_split_by_number_whatever_their_sizes() -> None:
    domains = ImageDomains(blobs(5, seed=1), blobs(3, seed=2))
    assert isinstance(domains, Shapes)
    assert len(domains) == 5
    left, right = domains[[0, 3, 2]], domains[[1, 4]]
    assert (len(left.a), len(left.b)) == (3, 2)
    assert (len(right.a), len(right.b)) == (2, 1)
    assert torch.equal(left.b.pixels, domains.b.pixels[[0, 2]])
    assert torch.equal(right.b.pixels, domains.b.pixels[[1]])
    assert len(domains[4].b) == 0
    joined = ImageDomains.join([left, right])
    assert (len(joined.a), len(joined.b)) == (5, 3)
    assert len(domains.to_scene().nodes) == 8


@pytest.mark.parametrize("name", ["pairs.npz", "folder"])
def test_pairs_come_back_from_files(name: str, tmp_path: Path) -> None:
    pairs().write(tmp_path / name)
    found = shapegen.read(tmp_path / name)
    assert isinstance(found, ImagePairs)
    expected = pairs()
    if name == "folder":
        # PNGs are named by their number and know of no palette.
        assert sorted(p.name for p in (tmp_path / name / "A").iterdir())[0] == "0000.png"
        assert found.palette is None
        assert torch.equal(found.target.pixels, expected.target.pixels)
        return
    assert_equal(found.source, expected.source)
    assert_equal(found.target, expected.target)
    assert torch.equal(found.masks(), expected.masks())


def test_pictures_are_paired_by_name_and_not_by_order(tmp_path: Path) -> None:
    images = blobs(3)
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    for number, (name, other) in enumerate((("x", "b"), ("b", "x"), ("c", "c"))):
        images[number].write(tmp_path / "A" / f"{name}.png")
        images[["x", "b", "c"].index(other)].write(tmp_path / "B" / f"{other}.png")
    found = read_pairs(tmp_path)
    assert isinstance(found, ImagePairs)
    assert found.source.names == ("b", "c", "x")
    assert_equal(found.source, found.target)


def test_folders_without_pairs_are_two_sets(tmp_path: Path) -> None:
    ImageDomains(blobs(4), blobs(2, seed=1)).write(tmp_path / "d")
    found = shapegen.read(tmp_path / "d")
    assert isinstance(found, ImageDomains)
    assert (len(found.a), len(found.b)) == (4, 2)
    with pytest.raises(TypeError, match=r"got two sets: 4 images in A and 2 in B; .* 0002, 0003"):
        ImagePairs.of(found)
    for file in (tmp_path / "d" / "B").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"B holds no pictures"):
        shapegen.read(tmp_path / "d")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImagePairs(blobs(2), blobs(3)), "as many sources as targets; got 2 and 3"),
        (
            lambda: ImagePairs(blobs(1), blobs(1, size=(4, 8))),
            "both images of a pair must have one size; got 8 x 8 and 4 x 8",
        ),
        (
            lambda: ImagePairs(blobs(1), blobs(1), PALETTE),
            r"palette must be \(labels, 1\), two labels at least; got \(3, 3\)",
        ),
        (
            lambda: ImageDomains(blobs(1), blobs(1, size=(4, 8))),
            "both domains must have images of one size; got 8 x 8 and 4 x 8",
        ),
        (lambda: pairs()[:0].write("x.npz"), "at least one pair is needed"),
        (lambda: pairs().write("x.jpg"), "written as .npz or into a folder; got .jpg"),
        (lambda: ImageDomains(blobs(1), blobs(1)).write("x.npz"), "into a folder; got .npz"),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_more_mistakes(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="there are 5, numbered from 0; got 5"):
        pairs()[5]
    with pytest.raises(TypeError, match=r"pairs of images are needed .*; got Images"):
        ImagePairs.of(blobs(2))
    np.savez(tmp_path / "p.npz", source=np.zeros((2, 4, 4)), target=np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match=r"p.npz: `source` must be bytes; got float64"):
        shapegen.read(tmp_path / "p.npz")
