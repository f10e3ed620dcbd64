"""Features of images by a network whose name goes with every figure that is measured in them.

A Frechet distance in one network's features says nothing about one in another's: what is measured
in the network that is shipped is comparable with itself alone. Papers report that of the Inception
network, whose weights are not shipped; who has them names their file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]

CHUNK = 128
"""Images that are looked at at once."""
VERSION = 1
"""Of the shipped network; figures of another version are other figures."""


@runtime_checkable
class Extractor(Protocol):
    """Features of images, and what must be said of them."""

    name: str
    """Which network, with its version or digest."""
    resize: str
    """How images are brought to the size that it looks at."""
    frechet: str
    """What a Frechet distance in these features is called."""
    kernel: str
    """What a kernel distance in them is called."""

    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> Array:
        """Features ``(n, d)`` of images in [-1, 1]."""
        ...


class NetworkFeatures:
    """The features of any network.

    Args:
        network: Images ``(n, c, h, w)`` in [-1, 1] to features ``(n, d)``; it stays in eval mode.
        name: Of the network.
        resize: What it does to images of another size.
        inception: Whether it is the one that FID and KID are defined by.
    """

    def __init__(
        self, network: nn.Module, name: str, *, resize: str = "none", inception: bool = False
    ) -> None:
        self.name, self.resize = name, resize
        self.frechet, self.kernel = ("fid", "kid") if inception else ("frechet", "kernel")
        self._network = network.eval()

    @torch.no_grad()
    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> Array:
        """Features ``(n, d)``.

        Raises:
            ValueError: No images, or the network gives something else.
        """
        if not len(pixels):
            raise ValueError("features need at least one image; got none")
        like = next(self._network.parameters(), pixels)
        parts = [self._network(part.to(like)) for part in pixels.split(CHUNK)]
        features = torch.cat(parts)
        if features.ndim != 2 or len(features) != len(pixels):
            raise ValueError(
                f"{self.name} must give features ({len(pixels)}, d); got {tuple(features.shape)}"
            )
        found: Array = features.double().cpu().numpy()
        return found

    def __repr__(self) -> str:
        return f"NetworkFeatures({self.name!r})"


def image_features(images: Any, *, features: str | Path | Extractor | None = None) -> Array:
    """Features ``(n, d)`` of images.

    Args:
        images: Of any kind that :meth:`Images.of` takes.
        features: As :func:`extractor` takes it.

    Raises:
        ValueError: There are no images, or the weights cannot be read.
        TypeError: They are no images.
    """
    from shapegen.images.images import Images

    return extractor(features)(Images.of(images).pixels)


def extractor(features: str | Path | Extractor | None = None) -> Extractor:
    """What gives features.

    Args:
        features: None: the shipped network; a path: a file of Inception weights
            (:func:`shapegen.metrics.inception.inception_features`); else it is one already.

    Raises:
        ValueError: The weights cannot be read, or their package is missing.
    """
    if features is None:
        return shipped_features()
    if isinstance(features, str | Path):
        from shapegen.metrics.inception import inception_features

        return inception_features(features)
    return features


@cache
def shipped_features() -> NetworkFeatures:
    """The network that comes with the package: 64 features, trained on procedural images.

    Its card is ``shapegen/weights/image-features.md``.
    """
    from importlib import resources

    path = Path(str(resources.files("shapegen") / "weights" / "image-features.safetensors"))
    return read_features(path)


def read_features(path: str | Path) -> NetworkFeatures:
    """A network as :mod:`benchmarks.image_features` writes it.

    Raises:
        ValueError: Not such a file, damaged, or of another version.
    """
    from shapegen.formats.tensors import read_tensors, sha256
    from shapegen.metrics.feature_network import RESIZE, FeatureNetwork

    tensors, header = read_tensors(path)
    if header.get("kind") != "image-features" or header.get("version") != VERSION:
        raise ValueError(
            f"{path} holds {header.get('kind')!r}, version {header.get('version')}; "
            f"'image-features', version {VERSION}, is due"
        )
    network = FeatureNetwork()
    network.load_state_dict(tensors)
    name = f"shapegen image-features {VERSION} (sha256 {sha256(path)[:8]})"
    return NetworkFeatures(network, name, resize=RESIZE)
