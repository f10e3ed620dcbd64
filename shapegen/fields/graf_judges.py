"""GRAF's discriminators of patches: the paper's, and a plain one that learns faster.

References: Schwarz, Liao, Niemeyer and Geiger, *GRAF: Generative Radiance Fields for 3D-Aware
Image Synthesis*, 2020, section 3.3 and supplement, https://arxiv.org/abs/2007.02442.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.gan_nets import SLOPE
from shapegen.core.minibatch import MinibatchStddev
from shapegen.core.noise import standard_normal

_SMALLEST = 8
_FEATURES = 128
"""Of the plain discriminator's last layer but one."""


class _Judge(nn.Module):
    layers: nn.Sequential

    def forward(
        self, patches: Float[Tensor, "n 3 side side"], *told: Float[Tensor, "n more side side"]
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.layers(torch.cat([patches, *told], 1))
        return logits.flatten().to(patches.dtype)


class PatchJudge(_Judge):
    """A discriminator of square patches: one logit a patch.

    Convolutions halve the patch to 4 to 7 pixels, which the last one sees at once. All weights
    have a spectral norm of 1, and all but the first and the last map an instance norm; at 32
    pixels the first has one too, as in the original.

    Args:
        side: Pixels of a patch's side, at least 8.
        width: Channels of the last map but three, of which it has eight times as many.
        told: Channels that are given beside the image.

    Raises:
        ValueError: A patch that is too small.
    """

    def __init__(self, side: int, width: int, *, told: int = 0) -> None:
        super().__init__()
        halvings = _halvings(side)
        widths = [max(1, 8 * width // 2 ** (halvings - 1 - each)) for each in range(halvings)]
        layers: list[nn.Module] = []
        before = 3 + told
        for number, out in enumerate(widths):
            layers.append(SpectralConvolution(before, out, 4, stride=2, padding=1))
            if number or side == 32:
                layers.append(nn.InstanceNorm2d(out))
            layers.append(nn.LeakyReLU(SLOPE))
            before = out
        layers.append(SpectralConvolution(before, 1, side // 2**halvings))
        self.layers = nn.Sequential(*layers)


class PlainJudge(_Judge):
    """A discriminator of square patches without norms: one logit a patch.

    Convolutions halve the patch to 4 to 7 pixels and double the channels; the spread of the batch
    is added, and two linear layers see all of it. Without norms brightness and contrast of a patch
    count, and its spread tells a batch of one shape from a varied one.

    Args:
        side: Pixels of a patch's side, at least 8.
        width: Channels of the first map.
        told: Channels that are given beside the image.

    Raises:
        ValueError: A patch that is too small.
    """

    def __init__(self, side: int, width: int, *, told: int = 0) -> None:
        super().__init__()
        halvings, before = _halvings(side), 3 + told
        layers: list[nn.Module] = []
        for number in range(halvings):
            out = width * 2**number
            layers += [nn.Conv2d(before, out, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            before = out
        features = (before + 1) * (side // 2**halvings) ** 2
        self.layers = nn.Sequential(
            *layers,
            MinibatchStddev(),
            nn.Flatten(),
            nn.Linear(features, _FEATURES),
            nn.LeakyReLU(SLOPE),
            nn.Linear(_FEATURES, 1),
        )


def _halvings(side: int) -> int:
    """Times that a patch is halved to 4 to 7 pixels."""
    if side < _SMALLEST:
        raise ValueError(
            f"patches must be of at least {_SMALLEST} x {_SMALLEST} pixels; got {side}"
        )
    return int(math.log2(side / 4))


class SpectralConvolution(nn.Module):
    r"""A convolution without bias whose weight is divided by an estimate of its spectral norm.

    .. math:: v \leftarrow W^T u / |W^T u|, \qquad u \leftarrow W v / |W v|, \qquad
              W / (u^T W v)

    once a pass in training. torch's own parametrization takes the two in the other order, so with
    the same u and v it divides by another estimate.

    Args:
        channels: In.
        out: Channels out.
        kernel: Side of the square that an output sees.
        stride: From one to the next.
        padding: Zeros around the image.

    Reference: Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, 2018,
    algorithm 1, https://arxiv.org/abs/1802.05957.
    """

    u: Tensor
    v: Tensor

    def __init__(
        self, channels: int, out: int, kernel: int, *, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.weight = nn.Conv2d(channels, out, kernel, bias=False).weight
        matrix = self.weight.detach().flatten(1)
        for name, length in zip("uv", matrix.shape, strict=True):
            start = standard_normal((length,), like=matrix)
            self.register_buffer(name, functional.normalize(start, dim=0))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h2 w2"]:
        """Convolve; in training the estimate becomes better."""
        matrix = self.weight.flatten(1)
        # In full precision, whatever the convolution is in: an estimate grows from the last one.
        with torch.autocast(x.device.type, enabled=False):
            if self.training:
                with torch.no_grad():
                    self.v.copy_(functional.normalize(matrix.T @ self.u, dim=0, eps=1e-12))
                    self.u.copy_(functional.normalize(matrix @ self.v, dim=0, eps=1e-12))
            # Copies: a later pass moves u and v before this one's gradients are taken.
            norm = self.u.clone() @ (matrix @ self.v.clone())
        return functional.conv2d(x, self.weight / norm, None, self.stride, self.padding)
