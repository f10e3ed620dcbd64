"""Discriminators that judge patches: a logit for every place of an image.

Reference: Isola, Zhu, Zhou and Efros, *Image-to-Image Translation with Conditional Adversarial
Networks*, 2017, section 3.2.2 and appendix 6.1.2, https://arxiv.org/abs/1611.07004.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.nets import Norm, Size, norm_layers

RECEPTIVE_FIELDS: dict[int, tuple[int, ...]] = {1: (), 16: (2,), 34: (2, 2), 70: (2, 2, 2)}
"""Strides of the 4 x 4 convolutions before the last two, by the side of what a logit sees."""
_KERNEL, _SLOPE, _MOST = 4, 0.2, 8
_PADDING = 1


class PatchDiscriminator(nn.Module):
    """Logits ``(n, 1, rows, columns)``, each of a square of the image.

    Args:
        channels: Of the image and of what is given beside it together.
        receptive_field: Side of the square in pixels: 1, 16, 34 or 70.
        width: Channels of the first layer; they double from layer to layer, at most to eightfold.
        norm: Of all layers but the first and the last. The paper's is ``batch``; penalties of
            slopes need one of single images.

    Raises:
        ValueError: Another receptive field, or sizes below 1.
    """

    def __init__(
        self,
        channels: int,
        *,
        receptive_field: int = 70,
        width: int = 64,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        if receptive_field not in RECEPTIVE_FIELDS:
            accepted = ", ".join(map(str, RECEPTIVE_FIELDS))
            raise ValueError(f"receptive_field must be one of {accepted}; got {receptive_field}")
        if channels < 1 or width < 1:
            raise ValueError(f"channels and width must be at least 1; got {channels} and {width}")
        self.receptive_field = receptive_field
        layers: list[nn.Module] = []
        if receptive_field == 1:
            layers += [nn.Conv2d(channels, width, 1), nn.LeakyReLU(_SLOPE)]
            layers += [nn.Conv2d(width, 2 * width, 1, bias=norm != "batch")]
            layers += [
                *norm_layers(norm, 2 * width),
                nn.LeakyReLU(_SLOPE),
                nn.Conv2d(2 * width, 1, 1),
            ]
        else:
            strides = (*RECEPTIVE_FIELDS[receptive_field], 1)
            before = channels
            for number, stride in enumerate(strides):
                out = width * min(2**number, _MOST)
                bias = number == 0 or norm != "batch"
                layers.append(nn.Conv2d(before, out, _KERNEL, stride, _PADDING, bias=bias))
                layers += norm_layers(norm, out) if number else []
                layers.append(nn.LeakyReLU(_SLOPE))
                before = out
            layers.append(nn.Conv2d(before, 1, _KERNEL, 1, _PADDING))
        self.layers = nn.Sequential(*layers)

    def forward(
        self, images: Float[Tensor, "n c h w"], *given: Float[Tensor, "n more h w"]
    ) -> Float[Tensor, "n 1 rows columns"]:
        """Logits of images, with what is given behind them in the channels."""
        logits: Tensor = self.layers(torch.cat([images, *given], 1))
        return logits

    def places(self, size: Size) -> Size:
        """Rows and columns of the logits of images of a size.

        Raises:
            ValueError: The images are too small for a single one.
        """
        found = size
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
                height, width = (
                    (side + 2 * int(padding) - kernel) // stride + 1 for side in found
                )
                found = (height, width)
                if min(found) < 1:
                    raise ValueError(
                        f"the discriminator (receptive field {self.receptive_field}) is too large "
                        f"for images of {size[0]} x {size[1]}"
                    )
        return found
