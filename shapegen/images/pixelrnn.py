"""PixelRNN: recurrent networks that go through an image row by row, or along its diagonals.

Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, ICML
2016, https://arxiv.org/abs/1601.06759.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from shapegen.images.diagonal_lstm import DiagonalEvaluation, DiagonalNetwork
from shapegen.images.pixel_model import PixelConfig, PixelModel
from shapegen.images.pixel_process import Evaluation
from shapegen.images.row_lstm import RowLSTMEvaluation, RowLSTMNetwork


@dataclass(frozen=True)
class PixelRNNConfig(PixelConfig):
    """Options of :class:`PixelRNN`."""

    size: tuple[int, int] = (8, 8)
    network: Literal["row", "diagonal"] = "diagonal"
    """``row``: Row LSTM, fast, which sees a triangle above a pixel; ``diagonal``: Diagonal BiLSTM,
    which sees all that is before."""
    hidden_dim: int = 32
    """Of the states; features are twice as many."""
    layers: int = 2
    first_kernel: int = 7
    """Of the masked convolution before the recurrent layers."""
    kernel: int = 3
    """Of the Row LSTM, from inputs and from states."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hidden_dim", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("first_kernel", "kernel"):
            size = getattr(self, name)
            if size < 3 or size % 2 == 0:
                raise ValueError(f"{name} must be odd and at least 3; got {size}")


class PixelRNN(PixelModel):
    """An exact likelihood of images by recurrence.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "pixelrnn"
    config: PixelRNNConfig

    def __init__(self, config: PixelRNNConfig) -> None:
        super().__init__(config, 2 * config.hidden_dim)
        sizes = (config.channels, config.hidden_dim, config.layers)
        first, classes = config.first_kernel, config.classes
        self.recurrent: RowLSTMNetwork | DiagonalNetwork
        if config.network == "row":
            self.recurrent = RowLSTMNetwork(
                *sizes, first_kernel=first, kernel=config.kernel, classes=classes
            )
        else:
            self.recurrent = DiagonalNetwork(*sizes, first_kernel=first, classes=classes)

    @property
    def network(self) -> nn.Module:
        """The recurrent layers."""
        return self.recurrent

    def evaluation(self, n: int, labels: Tensor | None) -> Evaluation:
        """Row by row and pixel by pixel."""
        if isinstance(self.recurrent, RowLSTMNetwork):
            return RowLSTMEvaluation(self.recurrent, labels)
        return DiagonalEvaluation(self.recurrent, labels)
