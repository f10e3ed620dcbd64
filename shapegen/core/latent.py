"""Latent vectors: walks between them, and what is accepted as one."""

from __future__ import annotations

import torch
from torch import Tensor


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Straight line ``(1 - t) a + t b``: one row an entry of ``t``."""
    return a + t[:, None] * (b - a)


def slerp(a: Tensor, b: Tensor, t: Tensor, *, keep_length: bool = True) -> Tensor:
    r"""Great arc with linearly changing length: a Gaussian's draws keep their typical norm.

    .. math:: \bigl(\sin((1 - t)\,\omega)\, \hat a + \sin(t\,\omega)\, \hat b\bigr) / \sin\omega,
              \qquad \cos\omega = \hat a \cdot \hat b,

    times the norm ``(1 - t) |a| + t |b|``. Where ``a`` and ``b`` are parallel, opposite or zero
    the arc is not defined or is a line, and the result is :func:`lerp`.

    With ``keep_length`` False the same weights are those of ``a`` and ``b`` themselves: between
    vectors of different length that is no arc of changing length (GRAF's way).

    Reference: White, *Sampling Generative Networks*, 2016, section 2.1,
    https://arxiv.org/abs/1609.04468 (there without the change of length).
    """
    norm_a, norm_b = a.norm(), b.norm()
    cosine = (a @ b) / (norm_a * norm_b).clamp_min(torch.finfo(a.dtype).tiny)
    if not cosine.abs() < 1 - 1e-6 or not norm_a * norm_b > 0:
        return lerp(a, b, t)
    omega = torch.arccos(cosine)
    weights = torch.sin((1 - t) * omega)[:, None], torch.sin(t * omega)[:, None]
    if not keep_length:
        return (weights[0] * a + weights[1] * b) / torch.sin(omega)
    arc = (weights[0] * (a / norm_a) + weights[1] * (b / norm_b)) / torch.sin(omega)
    return arc * ((1 - t) * norm_a + t * norm_b)[:, None]


def interpolate(a: Tensor, b: Tensor, steps: int, *, keep_length: bool = True) -> Tensor:
    """Rows ``(steps, d)`` from ``a`` to ``b`` along :func:`slerp`; the ends are exact.

    Raises:
        ValueError: Fewer than two steps, or ends of different shapes.
    """
    if steps < 2:
        raise ValueError(f"an interpolation needs at least 2 steps; got {steps}")
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"ends must be two vectors of one length; got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)
    path = slerp(a, b, t, keep_length=keep_length)
    path[0], path[-1] = a, b
    return path


def arithmetic(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``a - b + c``: what ``a`` is to ``b``, the result is to ``c``.

    With ``a`` a chair with arms, ``b`` the same without and ``c`` another one, the result has arms
    if the latents say so by a direction. Averages over many shapes say it more clearly than single
    ones: give means.

    Reference: Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep
    Convolutional GANs*, 2016, section 6.3.2, https://arxiv.org/abs/1511.06434.

    Raises:
        ValueError: Latents of different shapes.
    """
    if not a.shape == b.shape == c.shape:
        raise ValueError(
            f"the latents must be alike; got {tuple(a.shape)}, {tuple(b.shape)}, {tuple(c.shape)}"
        )
    return a - b + c


def normal_grid(steps: int) -> Tensor:
    r"""Latents ``(steps * steps, 2)`` in rows from the top: quantiles of N(0, 1) both ways.

    .. math:: z_{ij} = (\Phi^{-1}(p_j), \Phi^{-1}(1 - p_i)), \qquad p_i = (i + \tfrac12) / n

    Raises:
        ValueError: Fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"a grid needs at least one step; got {steps}")
    shares = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    quantiles = torch.special.ndtri(shares).float()
    rows, columns = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")
    return torch.stack([columns, rows], -1).view(-1, 2)


def check_codes(z: Tensor, latent_dim: int) -> None:
    """Refuse what no decoder takes.

    Raises:
        ValueError: ``z`` is not ``(n, latent_dim)``, or not finite.
    """
    if z.ndim != 2 or z.shape[1] != latent_dim or not len(z):
        raise ValueError(f"codes must be (n, {latent_dim}); got {tuple(z.shape)}")
    if not bool(torch.isfinite(z).all()):
        raise ValueError("codes must be finite; got NaN or infinity")


def direction(having: Tensor, lacking: Tensor) -> Tensor:
    """What an attribute adds to latents: the mean of those that have it less that of the others.

    Args:
        having: Latents ``(n, d)``.
        lacking: Latents ``(m, d)``.

    Raises:
        ValueError: No latents on one side, or of different lengths.

    Reference: Radford et al., *Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks*, 2016, section 6.3.2, https://arxiv.org/abs/1511.06434.
    """
    if having.ndim != 2 or lacking.ndim != 2 or having.shape[1:] != lacking.shape[1:]:
        raise ValueError(
            "latents must be (n, d) and (m, d); "
            f"got {tuple(having.shape)} and {tuple(lacking.shape)}"
        )
    if not len(having) or not len(lacking):
        raise ValueError(f"both sides need latents; got {len(having)} and {len(lacking)}")
    return having.mean(0) - lacking.mean(0)


def principal_directions(latents: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The directions along which latents vary most, and how much.

    Of a prior that was fitted to the codes of training data these are the codes' own; of a
    standard normal all directions are alike, and these are orthogonal ones at random.

    Args:
        latents: ``(n, d)``, at least two.
        count: How many directions, at most ``d``; fewer where fewer vary.

    Returns:
        Unit vectors ``(k, d)`` and the standard deviation ``(k,)`` along each, the largest first.
        The largest entry of every vector is positive.

    Raises:
        ValueError: Fewer than two latents, or a count below one.
    """
    if latents.ndim != 2 or len(latents) < 2:
        raise ValueError(f"latents must be (n, d), at least two; got {tuple(latents.shape)}")
    if count < 1:
        raise ValueError(f"at least one direction is needed; got {count}")
    spread, directions = torch.linalg.svd(latents - latents.mean(0), full_matrices=False)[1:]
    kept = int((spread > 1e-6 * spread[0]).sum())
    directions = directions[: min(count, kept)]
    # A vector and its opposite are the same direction: the sign is fixed, not left to the solver.
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign(), spread[: len(directions)] / (len(latents) - 1) ** 0.5
