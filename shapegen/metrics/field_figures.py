"""What good pictures do not prove: figures of the densities of fields, beside those of solids.

On a white background opaque white density passes for background, a flat board turned to the
camera for a shape, and one shape for all codes. Densities are ``(n, r, r, r)`` at the middles of
the cells of a cube about the origin, along x, y and z, z up.

Cameras look at the ball in the cube, and what is outside of it counts for nothing: occupancy is a
share of the ball. For PartNet's 3280 training chairs as they are rendered, the diagonal of their
bounds twice the ball's radius, that is .089 (of the cube it would be .047, of a cube as wide as a
chair's longest side .14), and the roundness of their outlines from above .88 (weighted by the
matter above every place, .86).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shapegen.metrics.draws import Figures

WHITE = 0.95
"""Least of red, green and blue from which a colour counts as white."""


def cube_points(
    resolution: int, reach: float = 1.0
) -> Float[Tensor, "resolution resolution resolution 3"]:
    """Middles of the cells of a cube about the origin.

    Args:
        resolution: Cells along a side.
        reach: Half the side's length.
    """
    line = ((torch.arange(resolution) + 0.5) * (2 / resolution) - 1) * reach
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1)


def sampled(
    densities: Sequence[Callable[[Tensor], Tensor]], resolution: int, reach: float = 1.0
) -> Float[Tensor, "n resolution resolution resolution"]:
    """Ask functions of points ``(m, 3)`` at all cells of the cube."""
    points = cube_points(resolution, reach).view(-1, 3)
    found = [density(points).view(resolution, resolution, resolution) for density in densities]
    return torch.stack(found).float().clamp_min(0)


def in_ball(resolution: int) -> Bool[Tensor, "resolution resolution resolution"]:
    """Which cells of the cube have their middle in the ball that touches its sides."""
    return cube_points(resolution).norm(dim=-1) <= 1


def field_figures(
    density: Float[Tensor, "n r r r"],
    level: float,
    *,
    colors: Float[Tensor, "n r r r 3"] | None = None,
) -> Figures:
    """All figures: ``occupancy``, ``roundness``, ``iou`` of two or more, ``white`` with colours.

    Args:
        density: At least 0.
        level: From which a cell is full.
        colors: In 0 to 1.

    Raises:
        ValueError: A shape without a full cell in the ball: the message says which densities it
            has.
    """
    density = density * in_ball(density.shape[1]).to(density)
    full = density >= level
    empty = ~full.flatten(1).any(1)
    if bool(empty.any()):
        number = int(empty.nonzero()[0])
        raise ValueError(
            f"shape {number} has no density of {level:g}; its largest is "
            f"{float(density[number].max()):g}"
        )
    figures: Figures = {
        "occupancy": float(occupancy(full).mean()),
        "roundness": float(roundness(full).mean()),
    }
    if len(full) > 1:
        figures["iou"] = mean_iou(full)
    if colors is not None:
        figures["white"] = float(white_share(density, colors).mean())
    return figures


def occupancy(full: Bool[Tensor, "n r r r"]) -> Float[Tensor, " n"]:
    """Share of the cells of the ball that are full."""
    ball = in_ball(full.shape[1]).to(full.device)
    return (full & ball).flatten(1).double().sum(1) / ball.sum()


def roundness(full: Bool[Tensor, "n r r r"]) -> Float[Tensor, " n"]:
    """How far shapes extend, seen from above, in the direction in which they extend least.

    Relative to that in which they extend most, by standard deviations of x and y over the outline
    from above: 1 for what is as deep as it is wide, 0 for a standing board without thickness, and
    for what is empty.
    """
    line = torch.arange(full.shape[1], dtype=torch.float64, device=full.device)
    weight = full.any(3).double()  # (n, x, y)
    total = weight.sum((1, 2)).clamp_min(1)
    x, y = torch.meshgrid(line, line, indexing="ij")
    place = torch.stack([x, y], -1)  # (r, r, 2)
    mean = (weight[..., None] * place).sum((1, 2)) / total[:, None]
    off = place - mean[:, None, None]
    spread = torch.einsum("nxy,nxyi,nxyj->nij", weight, off, off) / total[:, None, None]
    least, most = torch.linalg.eigvalsh(spread).clamp_min(0).unbind(1)
    return (least / most.clamp_min(1e-12)).sqrt()


def mean_iou(full: Bool[Tensor, "n r r r"]) -> float:
    """Mean intersection over union of all pairs: 1 if all codes give one shape.

    Raises:
        ValueError: Fewer than two.
    """
    if len(full) < 2:
        raise ValueError(f"shapes are compared in pairs; got {len(full)}")
    rows = full.flatten(1).double()
    both, count = rows @ rows.T, rows.sum(1)
    shares = both / (count[:, None] + count - both).clamp_min(1)
    first, second = torch.triu_indices(len(full), len(full), 1)
    return float(shares[first, second].mean())


def white_share(
    density: Float[Tensor, "n r r r"], colors: Float[Tensor, "n r r r 3"]
) -> Float[Tensor, " n"]:
    """Share of the density that is white: it hides what is behind it, and passes for nothing."""
    white = colors.amin(-1) >= WHITE
    total = density.flatten(1).double().sum(1)
    return (density * white).flatten(1).double().sum(1) / total.clamp_min(1e-12)


def box_solid(boxes: Float[Tensor, "n 12"], points: Float[Tensor, "m 3"]) -> Bool[Tensor, " m"]:
    """Whether points are in a union of boxes: what the figures are of real shapes.

    Args:
        boxes: Centre, full lengths, x direction, y direction; unit directions, in the frame and
            scale of the points.
        points: Anywhere.
    """
    frame = torch.stack(
        [boxes[:, 6:9], boxes[:, 9:], torch.linalg.cross(boxes[:, 6:9], boxes[:, 9:])], 1
    )  # (n, 3, 3)
    inside = torch.zeros(len(points), dtype=torch.bool)
    for box, axes in zip(boxes, frame, strict=True):
        local = (points - box[:3]) @ axes.T
        inside |= (local.abs() <= box[3:6] / 2).all(1)
    return inside
