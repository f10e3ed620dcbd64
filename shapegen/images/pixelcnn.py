"""PixelCNN: convolutions that see the pixels before one, masked or gated, given a label or not.

References: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, ICML
2016, https://arxiv.org/abs/1601.06759 (masked); van den Oord, Kalchbrenner, Vinyals, Espeholt,
Graves and Kavukcuoglu, *Conditional Image Generation with PixelCNN Decoders*, NIPS 2016,
https://arxiv.org/abs/1606.05328 (gated).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from shapegen.images.pixel_model import PixelConfig, PixelModel
from shapegen.images.pixel_process import Evaluation
from shapegen.images.pixelcnn_networks import (
    GatedEvaluation,
    GatedNetwork,
    MaskedEvaluation,
    MaskedNetwork,
)


@dataclass(frozen=True)
class PixelCNNConfig(PixelConfig):
    """Options of :class:`PixelCNN`."""

    gated: bool = True
    """Two gated stacks that see all pixels before one; otherwise masked residual blocks, which
    have a blind spot."""
    features: int = 32
    """Channels of the layers."""
    layers: int = 6
    """After the first."""
    first_kernel: int = 7
    """Of the first layer."""
    kernel: int = 3
    """Of the others."""
    places: bool = False
    """A bias of every row and column in the first of the gated layers: where a pixel is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("features", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("first_kernel", "kernel"):
            size = getattr(self, name)
            if size < 3 or size % 2 == 0:
                raise ValueError(f"{name} must be odd and at least 3; got {size}")
        if not self.gated and self.places:
            raise ValueError("places are known to gated layers alone; got gated: false")
        if not self.gated and self.features % 2:
            raise ValueError(
                f"features must be even in masked blocks (gated: false); got {self.features}"
            )


class PixelCNN(PixelModel):
    """An exact likelihood of images by convolutions.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "pixelcnn"
    config: PixelCNNConfig

    def __init__(self, config: PixelCNNConfig) -> None:
        super().__init__(config, config.features)
        sizes = (config.channels, config.features, config.layers)
        kernels = {"first_kernel": config.first_kernel, "kernel": config.kernel}
        self.convolutions = (
            GatedNetwork(
                *sizes,
                **kernels,
                classes=config.classes,
                size=config.size if config.places else None,
            )
            if config.gated
            else MaskedNetwork(*sizes, **kernels, classes=config.classes)
        )

    @property
    def network(self) -> nn.Module:
        """The stacks, or the masked blocks."""
        return self.convolutions

    def evaluation(self, n: int, labels: Tensor | None) -> Evaluation:
        """Row by row and pixel by pixel."""
        if isinstance(self.convolutions, GatedNetwork):
            return GatedEvaluation(self.convolutions, labels)
        return MaskedEvaluation(self.convolutions, labels)
