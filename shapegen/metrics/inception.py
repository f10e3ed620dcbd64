"""The features that FID and KID are defined by, from a file of weights that the user has.

The network is torch-fidelity's Inception of 2015 with its own resizing, which follows the original
TensorFlow graph; nothing is downloaded here.

References: Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, 2016;
Obukhov et al., *High-Fidelity Performance Metrics for Generative Models in PyTorch*, 2020,
https://github.com/toshas/torch-fidelity.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.formats.tensors import sha256
from shapegen.metrics.feature_extractors import NetworkFeatures

LAYER = "2048"
"""The last pooled features."""
RESIZE = "299 x 299, bilinear as in TensorFlow 1"


def inception_features(path: str | Path) -> NetworkFeatures:
    """Features of the Inception network.

    Args:
        path: Its weights as pytorch-fid and torch-fidelity publish them, such as
            ``pt_inception-2015-12-05-6726825d.pth``; read without running code from it.

    Raises:
        ValueError: There is no such file, it holds something else, or torch-fidelity is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"no Inception weights at {path}: give the file pt_inception-2015-12-05-6726825d.pth, "
            "or leave the option out for the network that is shipped"
        )
    # The package opens the file by itself: what it must not run is refused before.
    _check(path)
    network = _Inception(_fidelity_network(path))
    name = f"InceptionV3 {LAYER} (torch-fidelity, weights sha256 {sha256(path)[:8]})"
    return NetworkFeatures(network, name, resize=RESIZE, inception=True)


class _Inception(nn.Module):
    """Whole brightnesses from 0 to 255 in, as the network was trained."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        levels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        features: Tensor = self.network(levels.expand(-1, 3, -1, -1))[0]
        return features


def _check(path: Path) -> None:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        line = str(error).strip().split("\n")[0]
        raise ValueError(f"{path} is no file of weights: {line}") from None
    if not isinstance(stored, dict) or "Mixed_7c.branch1x1.conv.weight" not in stored:
        raise ValueError(
            f"{path} holds no Inception weights of 2015-12-05: Mixed_7c.branch1x1.conv.weight "
            "is missing"
        )


def _fidelity_network(path: Path) -> nn.Module:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise ValueError(
            "Inception features need the package torch-fidelity: pip install 'shapegen[metrics]'"
        ) from None
    try:
        network: Any = FeatureExtractorInceptionV3(
            "inception-v3-compat", [LAYER], feature_extractor_weights_path=str(path)
        )
    except (RuntimeError, KeyError) as error:
        line = str(error).strip().split("\n")[-1].strip()
        raise ValueError(f"{path} holds other weights than Inception's: {line}") from None
    assert isinstance(network, nn.Module)
    return network
