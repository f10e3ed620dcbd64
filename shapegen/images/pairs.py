"""Images of two kinds: in pairs, or two sets of any sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shapegen.images.images import Images

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Scene

EXACT = 1e-3
"""Farthest that a pixel may be from the colour of its label; half a level of 8 bits is 4e-3."""


class ImagePairs(Sequence[Any]):
    """Images, and what each is to become; one pair is a batch of one.

    Sources and targets have one height and width; their channels may differ.
    """

    source: Images
    target: Images
    palette: Tensor | None
    """Where the sources are maps of labels: the colour of every label ``(labels, channels)`` in
    [-1, 1], that of the background first. Else None."""

    def __init__(self, source: Any, target: Any, palette: Any = None) -> None:
        """Take both sides over.

        Args:
            source: Images, or what :meth:`Images.of` makes some of.
            target: As many, of the same height and width.
            palette: Of sources that are maps of labels.

        Raises:
            ValueError: Other numbers or sizes, or a palette of another shape.
        """
        self.source, self.target = Images.of(source), Images.of(target)
        if len(self.source) != len(self.target):
            raise ValueError(
                "pairs must have as many sources as targets; "
                f"got {len(self.source)} and {len(self.target)}"
            )
        sizes = [tuple(side.pixels.shape[2:]) for side in (self.source, self.target)]
        if sizes[0] != sizes[1]:
            one, other = (" x ".join(map(str, size)) for size in sizes)
            raise ValueError(f"both images of a pair must have one size; got {one} and {other}")
        self.palette = None if palette is None else _palette(palette, self.source)

    @classmethod
    def of(cls, pairs: Any) -> ImagePairs:
        """Take pairs over.

        Raises:
            TypeError: They are none; of two sets without pairs, what they lack is said.
        """
        if isinstance(pairs, cls):
            return pairs
        if isinstance(pairs, ImageDomains):
            raise TypeError(f"pairs of images are needed; got two sets: {pairs.unpaired()}")
        raise TypeError(
            f"pairs of images are needed (ImagePairs, or a folder with A and B); "
            f"got {type(pairs).__name__}"
        )

    @classmethod
    def join(cls, batches: Sequence[ImagePairs]) -> ImagePairs:
        """One batch from several; the palette is that of the first."""
        sides = [[getattr(each, name) for each in batches] for name in ("source", "target")]
        return cls(Images.join(sides[0]), Images.join(sides[1]), batches[0].palette)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> ImagePairs:
        numbers = _numbers(index, len(self))
        return ImagePairs(self.source[numbers], self.target[numbers], self.palette)

    def __iter__(self) -> Iterator[ImagePairs]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"ImagePairs({self.source!r}, {self.target!r})"

    def masks(self) -> Tensor:
        """The label of every pixel of the sources ``(batch, height, width)``, 0 is background.

        Raises:
            ValueError: The sources are no maps of labels: there is no palette, or some pixel has
                none of its colours.
        """
        if self.palette is None:
            raise ValueError("only maps of labels have masks; these pairs have no palette")
        return masks_of(self.source.pixels, self.palette)

    def to_scene(self) -> Scene:
        """A node an image, every source before its target."""
        return _shown([side for pair in self for side in (pair.source, pair.target)])

    def write(self, path: str | Path) -> None:
        """Write to ``.npz``, or as PNG into a folder's ``A`` (sources) and ``B``."""
        from shapegen.images.pair_files import write_pairs

        write_pairs(self, path)


class ImageDomains(Sequence[Any]):
    """Two sets of images of one size that nobody has paired.

    As a sequence it is as long as the longer set; number i is that image of each set which has so
    many: any split of the numbers splits both sets.
    """

    a: Images
    b: Images

    def __init__(self, a: Any, b: Any) -> None:
        """Take both sets over.

        Args:
            a: Images, or what :meth:`Images.of` makes some of.
            b: The same, of the same height and width.

        Raises:
            ValueError: Another size.
        """
        self.a, self.b = Images.of(a), Images.of(b)
        sizes = [tuple(side.pixels.shape[2:]) for side in (self.a, self.b)]
        if sizes[0] != sizes[1]:
            one, other = (" x ".join(map(str, size)) for size in sizes)
            raise ValueError(f"both domains must have images of one size; got {one} and {other}")

    @classmethod
    def join(cls, batches: Sequence[ImageDomains]) -> ImageDomains:
        """One batch from several."""
        return cls(*(Images.join([getattr(each, side) for each in batches]) for side in "ab"))

    def __len__(self) -> int:
        return max(len(self.a), len(self.b))

    def __getitem__(self, index: Any) -> ImageDomains:
        numbers = _numbers(index, len(self))
        return ImageDomains(
            *(side[[i for i in numbers if i < len(side)]] for side in (self.a, self.b))
        )

    def __iter__(self) -> Iterator[ImageDomains]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"ImageDomains({self.a!r}, {self.b!r})"

    def unpaired(self) -> str:
        """How many images there are, and which names are in one set alone."""
        counts = f"{len(self.a)} images in A and {len(self.b)} in B"
        alone = sorted(set(self.a.names) ^ set(self.b.names))
        return counts + (f"; only one of them has {', '.join(alone[:3])}" if alone else "")

    def to_scene(self) -> Scene:
        """A node an image, those of A first."""
        return _shown([each for each in (self.a, self.b) if len(each)])

    def write(self, path: str | Path) -> None:
        """Write as PNG into a folder's ``A`` and ``B``."""
        from shapegen.images.pair_files import write_domains

        write_domains(self, path)


def masks_of(pixels: Tensor, palette: Tensor) -> Tensor:
    """Labels ``(batch, height, width)`` of pixels that have a palette's colours.

    Args:
        pixels: ``(batch, channels, height, width)`` in [-1, 1].
        palette: ``(labels, channels)``.

    Raises:
        ValueError: A pixel of another colour.
    """
    far = (pixels[:, None] - palette[None, :, :, None, None]).abs().amax(2)
    nearest, labels = far.min(1)
    if len(pixels) and float(nearest.max()) > EXACT:
        raise ValueError(
            f"a map of labels must have the palette's {len(palette)} colours alone; "
            f"a pixel is {float(nearest.max()):.3g} from the nearest"
        )
    return labels


def label_planes(pixels: Tensor, palette: Tensor) -> Tensor:
    """One channel a label ``(batch, labels, height, width)``, 1 where a pixel has its colour.

    Args:
        pixels: As for :func:`masks_of`.
        palette: The same.

    Raises:
        ValueError: A pixel of another colour.
    """
    masks = masks_of(pixels, palette)
    return functional.one_hot(masks, len(palette)).movedim(-1, 1).to(pixels)


def palette_of(colors: Sequence[str]) -> Tensor:
    """Colours ``(labels, 3)`` in [-1, 1] of hexadecimal ones, such as ``"ff8000"``.

    Raises:
        ValueError: Fewer than two, two alike, or one that is none.
    """
    for color in colors:
        if not re.fullmatch("[0-9a-fA-F]{6}", color):
            raise ValueError(f"colours of labels must be six hexadecimal digits; got {color!r}")
    if len({color.lower() for color in colors}) != len(colors) or len(colors) < 2:
        raise ValueError(f"labels need two or more different colours; got {list(colors)}")
    return torch.tensor([list(bytes.fromhex(color)) for color in colors]) / 127.5 - 1


def _palette(values: Any, source: Images) -> Tensor:
    palette = torch.as_tensor(values).detach().to("cpu", torch.float32)
    channels = source.pixels.shape[1]
    if palette.ndim != 2 or len(palette) < 2 or palette.shape[1] != channels:
        raise ValueError(
            f"a palette must be (labels, {channels}), two labels at least; "
            f"got {tuple(palette.shape)}"
        )
    return palette


def _numbers(index: Any, count: int) -> list[int]:
    """What an index of any kind selects."""
    if isinstance(index, slice):
        return list(range(*index.indices(count)))
    chosen = np.atleast_1d(np.asarray(index, dtype=np.int64))
    if len(chosen) and not -count <= chosen.min() <= chosen.max() < count:
        raise IndexError(f"there are {count}, numbered from 0; got {index}")
    return [int(number) % count for number in chosen]


def _shown(sides: Sequence[Images]) -> Scene:
    """Images of grey and colour in one scene."""
    from shapegen.images.lowering import images_scene

    colour = [Images(each.pixels.expand(-1, 3, -1, -1), names=each.names) for each in sides]
    return images_scene(Images.join(colour))
