r"""Volume rendering: what a ray through a field of density and colour shows.

.. math:: \alpha_i = 1 - e^{-\sigma_i \delta_i}, \qquad
          w_i = \alpha_i \prod_{j < i} (1 - \alpha_j), \qquad
          c = \sum_i w_i c_i + \bigl(1 - \sum_i w_i\bigr)\, b

with densities :math:`\sigma_i`, colours :math:`c_i`, the background's b and distances
:math:`\delta_i` to the next sample. The field is any callable; nothing here knows a network.

Reference: Mildenhall et al., *NeRF: Representing Scenes as Neural Radiance Fields for View
Synthesis*, 2020, equation 3, https://arxiv.org/abs/2003.08934.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from shapegen.core.noise import standard_normal, uniform
from shapegen.fields.rays import Rays
from shapegen.fields.sampling import even, jittered, refined

Field = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""``field(points, directions)``: of points ``(*rays, samples, 3)`` and the unit directions
``(*rays, 3)`` that they are seen in, densities ``(*rays, samples)``, those below 0 counting as 0,
and colours ``(*rays, samples, 3)`` in 0 to 1."""
_OPAQUE = 1e10
"""Length of the last part of a ray that has no end."""
_FLOOR = 1e-10
"""Added to what every sample lets through, and to opacities that are divided by, as in the
original: gradients of logarithms and quotients stay finite."""


@dataclass(frozen=True)
class Rendered:
    """What rays show."""

    rgb: Float[Tensor, "*rays 3"]
    """Colours in 0 to 1."""
    opacity: Float[Tensor, "*rays"]
    """Share of the light behind that is held back, 0 to 1."""
    depth: Float[Tensor, "*rays"]
    """Mean ``t`` of what is seen times the opacity: what is not held back counts as 0."""
    weights: Float[Tensor, "*rays samples"]
    """Share of every sample in the colour."""
    t: Float[Tensor, "*rays samples"]
    """Where the samples are."""

    @property
    def disparity(self) -> Float[Tensor, "*rays"]:
        """One over the mean ``t`` of what is seen; of rays that see nothing, 10^10."""
        return 1 / (self.depth / (self.opacity + _FLOOR)).clamp_min(_FLOOR)


def composite(
    density: Float[Tensor, "*rays samples"],
    rgb: Float[Tensor, "*rays samples 3"],
    t: Float[Tensor, "*rays samples"],
    *,
    lengths: Float[Tensor, "*rays"],
    far: Float[Tensor, "*rays"] | None = None,
    white: bool = False,
) -> Rendered:
    """Add up what samples show, front to back.

    Args:
        density: At least 0, per unit of length.
        rgb: In 0 to 1.
        t: Increasing.
        lengths: Of the rays' directions: distances in the world are these times those in ``t``.
        far: Where the last sample's part of the ray ends; None: nowhere, so that any density
            there is opaque (the original's way).
        white: Colour of the background; else it is black.
    """
    alpha = 1 - torch.exp(-thickness(density, t, lengths=lengths, far=far))
    through = torch.cumprod(1 - alpha + _FLOOR, -1)
    before = torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], -1)
    weights = alpha * before
    opacity = weights.sum(-1)
    color = (weights[..., None] * rgb).sum(-2)
    if white:
        color = color + (1 - opacity)[..., None]
    return Rendered(color, opacity, (weights * t).sum(-1), weights, t)


def thickness(
    density: Float[Tensor, "*rays samples"],
    t: Float[Tensor, "*rays samples"],
    *,
    lengths: Float[Tensor, "*rays"],
    far: Float[Tensor, "*rays"] | None = None,
) -> Float[Tensor, "*rays samples"]:
    """Optical thickness of every sample's part of a ray: its density times its length.

    Args:
        density: As for :func:`composite`.
        t: The same.
        lengths: The same.
        far: The same.
    """
    last = torch.full_like(t[..., -1], _OPAQUE) if far is None else far - t[..., -1]
    steps = torch.cat([t[..., 1:] - t[..., :-1], last[..., None]], -1)
    return density * steps * lengths[..., None]


@dataclass(frozen=True)
class Sampling:
    """How many samples a ray has, how they are drawn and how many points are asked for at once."""

    samples: int = 64
    importance: int = 0
    """Further samples, drawn where the first ones see something."""
    jitter: bool = False
    """Draw every sample anew in its part of the ray; else they are equally spaced."""
    white: bool = False
    """A white background; else it is black."""
    open_end: bool = False
    """The last part of a ray has no end: densities there are opaque (the original's way)."""
    chunk: int | None = None
    """Points that the field is asked for at once: what bounds the memory where no gradients are
    needed. None: on a CPU as many as its cache holds activations of, else 2^18."""
    recompute: bool = False
    """Keep nothing of a chunk for its gradients, and compute it once more for them: bounds the
    memory of training, for a third more of its time."""

    def __post_init__(self) -> None:
        if self.samples < 2 or self.importance < 0:
            raise ValueError(
                "samples must be at least 2 and importance at least 0; "
                f"got {self.samples} and {self.importance}"
            )
        if self.chunk is not None and self.chunk < 1:
            raise ValueError(f"chunk must be at least 1 point; got {self.chunk}")

    def points(self, device: torch.device) -> int:
        """Points that are asked for at once on a device."""
        if self.chunk is not None:
            return self.chunk
        return 2**11 if device.type == "cpu" else 2**18


def render(
    field: Field,
    rays: Rays,
    sampling: Sampling,
    *,
    noise: float = 0.0,
    rng: torch.Generator | None = None,
) -> Rendered:
    """Render rays, some at a time.

    Everything random is drawn for all rays at once: the result does not depend on the chunks.

    Args:
        field: See :data:`Field`.
        rays: ``(*shapes, rays)``; a field that is a batch of fields has their number first.
        sampling: Samples, chunks and background.
        noise: Standard deviation of what is added to densities, before those below 0 become 0.
        rng: Of the jitter, the further samples and the noise.
    """
    t = even(rays.near, rays.far, sampling.samples)
    if sampling.jitter:
        t = jittered(t, uniform(t.shape, like=t, rng=rng))
    if sampling.importance:
        # Only places are chosen by the coarse rendering: it needs no gradients.
        with torch.no_grad():
            coarse = _in_chunks(field, rays, t, None, sampling)
        t = refined(t, coarse.weights, _shares(t, sampling, rng))
    added = noise * standard_normal(t.shape, like=t, rng=rng) if noise else None
    return _in_chunks(field, rays, t, added, sampling)


def render_at(
    field: Field,
    rays: Rays,
    t: Float[Tensor, "*rays samples"],
    *,
    added: Float[Tensor, "*rays samples"] | None = None,
    white: bool = False,
    open_end: bool = False,
) -> Rendered:
    """Render rays at given samples, all at once.

    Args:
        field: See :data:`Field`.
        rays: To render.
        t: Where the field is asked.
        added: To densities, before those below 0 become 0.
        white: As in :class:`Sampling`.
        open_end: The same.
    """
    lengths = rays.lengths
    points = rays.origins[..., None, :] + t[..., None] * rays.directions[..., None, :]
    density, rgb = field(points, rays.directions / lengths[..., None])
    density = (density if added is None else density + added).relu()
    far = None if open_end else rays.far
    return composite(density, rgb, t, lengths=lengths, far=far, white=white)


def _in_chunks(
    field: Field, rays: Rays, t: Tensor, added: Tensor | None, sampling: Sampling
) -> Rendered:
    """Chunks are of rays, the last dimension, of all shapes at once."""
    shapes = rays.near[..., 0].numel()
    size = max(1, sampling.points(t.device) // (shapes * t.shape[-1]))
    count = rays.near.shape[-1]

    def part(first: int) -> Rendered:
        some = slice(first, first + size)
        return render_at(
            field,
            rays[some],
            t[..., some, :],
            added=None if added is None else added[..., some, :],
            white=sampling.white,
            open_end=sampling.open_end,
        )

    if sampling.recompute and torch.is_grad_enabled():
        pieces = [_recomputed(part, first) for first in range(0, count, size)]
    else:
        pieces = [part(first) for first in range(0, count, size)]
    if len(pieces) == 1:
        return pieces[0]
    dim = rays.near.ndim - 1
    return Rendered(
        *(torch.cat([getattr(each, one.name) for each in pieces], dim) for one in fields(Rendered))
    )


def _recomputed(part: Callable[[int], Rendered], first: int) -> Rendered:
    def values(first: int) -> tuple[Tensor, ...]:
        found = part(first)
        return tuple(getattr(found, one.name) for one in fields(Rendered))

    return Rendered(*checkpoint(values, first, use_reentrant=False))


def _shares(t: Tensor, sampling: Sampling, rng: torch.Generator | None) -> Tensor:
    """Places in the coarse distribution: drawn, or the middles of equal parts."""
    shape = (*t.shape[:-1], sampling.importance)
    if sampling.jitter:
        return uniform(shape, like=t, rng=rng)
    steps = torch.arange(sampling.importance, dtype=t.dtype, device=t.device)
    return ((steps + 0.5) / sampling.importance).expand(shape)
