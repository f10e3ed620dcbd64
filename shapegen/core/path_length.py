"""How far images move where a latent does: measured along walks, and made even by a penalty."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.noise import standard_normal

Walk = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Rows between two vectors: :func:`shapegen.core.latent.lerp` or ``slerp``."""
_FOLLOWED = 0.01
"""Share of the newest lengths in the running mean, as in StyleGAN2's code."""


def path_length(
    images_of: Callable[[Tensor], Tensor],
    ends: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]],
    t: Float[Tensor, "n"],
    walk: Walk,
    *,
    epsilon: float = 1e-4,
    features: Callable[[Tensor], Tensor] | None = None,
) -> float:
    r"""Mean squared speed of images on walks between latents.

    .. math:: \mathbb{E}\, \frac{1}{\epsilon^2}\,
              d\bigl(G(\text{walk}(a, b; t)),\, G(\text{walk}(a, b; t + \epsilon))\bigr)

    d is the mean squared difference of pixels, or of features. Of two walks with the same ends
    the one with the smaller figure passes fewer images that are like neither.

    Args:
        images_of: Images of latents ``(n, d)``.
        ends: a and b, a row a walk.
        t: Place on every walk, 0 to 1.
        walk: See above.
        epsilon: The small step.
        features: A network whose outputs are compared instead of pixels, such as a classifier's
            last layer but one.

    Reference: Karras, Laine and Aila, *A Style-Based Generator Architecture for Generative
    Adversarial Networks*, 2019, section 4.1 (with the features of VGG16).
    """
    times = torch.stack([t, t + epsilon], 1)
    rows = torch.stack([walk(*each) for each in zip(*ends, times, strict=True)])  # (n, 2, d)
    seen = [images_of(rows[:, side]) for side in (0, 1)]
    if features is not None:
        seen = [features(images) for images in seen]
    return float(((seen[1] - seen[0]) / epsilon).square().mean())


class PathPenalty(nn.Module):
    r"""StyleGAN2's regulariser: steps of one length in styles are of one length in images.

    .. math:: \mathbb{E}\,\bigl(\lVert J_w^T y\rVert - a\bigr)^2, \qquad y \sim N(0, I / hw),

    with a the running mean of the lengths, kept with the weights.

    Reference: Karras et al., *Analyzing and Improving the Image Quality of StyleGAN*, 2020,
    section 3.2 and appendix B.
    """

    mean: Float[Tensor, ""]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(
        self,
        images_of: Callable[[Tensor], Tensor],
        styles: Float[Tensor, "n layers style"],
        *,
        rng: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """The penalty at styles; in training the mean follows first.

        Args:
            images_of: Images of styles.
            styles: Of every layer.
            rng: Of y.
        """
        lengths = path_lengths(images_of, styles, rng=rng)
        if self.training:
            self.mean += _FOLLOWED * (lengths.detach().mean() - self.mean)
        return (lengths - self.mean).square().mean()


def path_lengths(
    images_of: Callable[[Tensor], Tensor],
    styles: Float[Tensor, "n layers style"],
    *,
    rng: torch.Generator | None = None,
) -> Float[Tensor, "n"]:
    """Lengths of J^T y for every image: root of the mean over layers of squared norms."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        at = styles if styles.requires_grad else styles.detach().requires_grad_()
        images = images_of(at)
        spread = math.sqrt(images.shape[2] * images.shape[3])
        y = standard_normal(images.shape, like=images, rng=rng) / spread
        (gradient,) = torch.autograd.grad((images * y).sum(), at, create_graph=differentiable)
    squares = gradient.square().sum(2).mean(1)
    # The root's own gradient at a length of 0 is not a number.
    return (squares + 1e-12).sqrt()
