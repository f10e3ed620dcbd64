"""Mean squared distances to nearest points from blocks of all distances, each used both ways.

For clouds of a few thousand points this is faster than asking trees
(:mod:`shapegen.metrics.nearest_points`): a block of distances is one product of matrices, stays in
the processor's cache, and its rows and its columns give both directions. Memory is that of one
block.
"""

from __future__ import annotations

import torch
from torch import Tensor

_CPU_ROWS = 128
"""Points of the first cloud in a block: with 2048 of the second it is one megabyte."""


@torch.no_grad()
def mean_nearest_squares(
    a: Tensor, b: Tensor, *, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    r"""Mean squared distance of every cloud's points to every other cloud's nearest, both ways.

    :math:`|x - y|^2` is computed as :math:`|x|^2 + |y|^2 - 2 x y` about the middle of all clouds,
    in float32: for shapes of about unit size a mean is exact to about 1e-8.

    Args:
        a: ``(n, points, 3)``.
        b: ``(m, points, 3)``.
        device: Where to compute.

    Returns:
        From ``a`` to ``b`` and back, both ``(n, m)`` float64 on the CPU.
    """
    device = torch.device(device)
    middle = torch.cat([a.flatten(0, 1), b.flatten(0, 1)]).mean(0)
    ours, theirs = ((clouds - middle).float().to(device) for clouds in (a, b))
    left = _columns(-2 * ours, None, ours)
    right = _columns(theirs, theirs, None).transpose(1, 2).contiguous()
    size = a.shape[1]
    rows = min(_CPU_ROWS, size) if device.type == "cpu" else size
    block = left.new_empty(rows, b.shape[1])
    forth = left.new_empty(size)
    back = left.new_empty(-(-size // rows), b.shape[1])
    means = torch.empty(2, len(a), len(b), dtype=torch.float64, device=device)
    pieces = forth.split(rows)
    for i, cloud in enumerate(left):
        parts = cloud.split(rows)
        for j, other in enumerate(right):
            for k, (part, piece) in enumerate(zip(parts, pieces, strict=True)):
                squares = torch.mm(part, other, out=block[: len(part)])
                torch.amin(squares, 1, out=piece)
                torch.amin(squares, 0, out=back[k])
            # Rounding can leave a little less than nothing.
            means[0, i, j] = forth.clamp_min(0).mean()
            means[1, i, j] = back.amin(0).clamp_min_(0).mean()
    there, and_back = means.cpu()
    return there, and_back


def _columns(points: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
    """Points with two columns more: squared lengths, or ones that the other's are added by."""
    one = torch.ones_like(points[:, :, :1])
    lengths = [
        one if each is None else each.square().sum(2, keepdim=True) for each in (first, second)
    ]
    return torch.cat([points, *lengths], dim=2)
