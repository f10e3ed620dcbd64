"""Images: the container that models of images give and take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Scene

CHANNELS = (1, 3)
"""Grey, or red, green and blue."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One image."""

    pixels: Tensor
    """``(channels, height, width)`` float32 in [-1, 1], on the CPU."""
    label: int | None = None
    """Number of its class."""
    name: str = ""
    """The source's id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _checked(_numbers(self.pixels)[None])[0])

    def to_scene(self) -> Scene:
        """Lower to the primitives that every viewer and exporter reads."""
        return Images.of([self]).to_scene()

    def _repr_html_(self) -> str:
        """What a notebook displays: the shape to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(Images.of([self]))

    def write(self, path: str | Path) -> None:
        """Write one file; the extension says the format (png, npz)."""
        Images.of([self]).write(path)


class Images(Sequence[Picture]):
    """A batch of images of one size."""

    pixels: Tensor
    """``(batch, channels, height, width)`` float32 in [-1, 1], on the CPU."""
    labels: Tensor | None
    """Numbers of the classes ``(batch,)`` int64, from 0; None: there are none."""
    names: tuple[str, ...]
    """The source's id of every image; empty text where there is none."""

    def __init__(self, pixels: Any, labels: Any = None, names: Sequence[str] = ()) -> None:
        """Take pixels over.

        Args:
            pixels: ``(batch, channels, height, width)`` in [-1, 1], 1 or 3 channels.
            labels: One a picture, from 0, or None.
            names: One a picture, or none.

        Raises:
            ValueError: Another shape, a number outside of [-1, 1] or not finite, or not one label
                or name a picture.
        """
        self.pixels = _checked(_numbers(pixels))
        self.labels = None if labels is None else _labels(labels, len(self.pixels))
        self.names = tuple(names) or ("",) * len(self.pixels)
        if len(self.names) != len(self.pixels):
            raise ValueError(
                f"names must be one an image ({len(self.pixels)}) or none; got {len(self.names)}"
            )

    @classmethod
    def of(cls, images: Any) -> Images:
        """Take images of any kind: batches, renders, stacks, pictures, arrays ``(c, h, w)``.

        Raises:
            TypeError: They are no images.
            ValueError: There are none, or their sizes differ.
        """
        from shapegen.images.renders import Renders
        from shapegen.images.stacked import StackedDigits

        if isinstance(images, cls):
            return images
        if isinstance(images, Renders | StackedDigits):
            return images.images
        if isinstance(images, Picture):
            return _single(images)
        if isinstance(images, Tensor | np.ndarray):
            return cls(images)
        if not isinstance(images, Sequence) or isinstance(images, str | bytes):
            raise TypeError(f"images are needed; got {type(images).__name__}")
        if not images:
            raise ValueError("at least one image is needed; got none")
        return cls.join([_single(image) for image in images])

    @classmethod
    def join(cls, batches: Sequence[Images]) -> Images:
        """One batch from several; labels are kept if all have them.

        Raises:
            ValueError: There are none, or their sizes differ.
        """
        sizes = sorted({tuple(batch.pixels.shape[1:]) for batch in batches})
        if len(sizes) != 1:
            got = ", ".join(" x ".join(map(str, size)) for size in sizes) or "no images"
            raise ValueError(f"images of one batch must have one size; got {got}")
        labels = [batch.labels for batch in batches if batch.labels is not None]
        return cls(
            torch.cat([batch.pixels for batch in batches]),
            torch.cat(labels) if len(labels) == len(batches) else None,
            [name for batch in batches for name in batch.names],
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> Images: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Picture | Images:
        if isinstance(index, int | np.integer):
            label = None if self.labels is None else int(self.labels[index])
            return Picture(self.pixels[index], label, self.names[index])
        if isinstance(index, slice):
            numbers = list(range(*index.indices(len(self))))
        else:
            numbers = np.asarray(index, dtype=np.int64).tolist()
        labels = None if self.labels is None else self.labels[numbers]
        return Images(self.pixels[numbers], labels, [self.names[i] for i in numbers])

    def __iter__(self) -> Iterator[Picture]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"Images({len(self)} of {' x '.join(map(str, self.pixels.shape[1:]))})"

    def to_scene(self) -> Scene:
        """A node an image."""
        from shapegen.images.lowering import images_scene

        return images_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shapes to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write all images; the extension says the format, and a folder gets a file an image."""
        from shapegen.images.files import write_images

        write_images(self, path)


def _numbers(values: Any) -> Tensor:
    try:
        return torch.as_tensor(values).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"pixels must be numbers; got {type(values).__name__} ({error})") from None


def _checked(pixels: Tensor) -> Tensor:
    if pixels.ndim != 4 or pixels.shape[1] not in CHANNELS or 0 in pixels.shape[1:]:
        raise ValueError(
            "pixels must be (batch, channels, height, width) with 1 or 3 channels; "
            f"got {tuple(pixels.shape)}"
        )
    if not bool(torch.isfinite(pixels).all()):
        raise ValueError("pixels must be finite; got NaN or infinity")
    if bool((pixels.abs() > 1).any()):
        raise ValueError(
            f"pixels must be in [-1, 1]; got {float(pixels.min()):g} to {float(pixels.max()):g}"
        )
    return pixels


def _labels(values: Any, count: int) -> Tensor:
    labels = torch.as_tensor(values)
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(
            f"labels must be one whole number an image ({count}); "
            f"got {tuple(labels.shape)} {labels.dtype}"
        )
    if count and int(labels.min()) < 0:
        raise ValueError(f"labels must be at least 0; got {int(labels.min())}")
    return labels.detach().to("cpu", torch.int64)


def _single(image: Any) -> Images:
    if isinstance(image, Picture):
        labels = None if image.label is None else [image.label]
        return Images(image.pixels[None], labels, [image.name])
    if isinstance(image, Images):
        return image
    if isinstance(image, Tensor | np.ndarray):
        return Images(image[None])
    raise TypeError(f"images are needed; one is {type(image).__name__}")
