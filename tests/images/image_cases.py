"""Small images for the tests of their models."""

from __future__ import annotations

import torch

from shapegen.images.images import Images


def blobs(n: int, channels: int = 1, size: tuple[int, int] = (8, 8), seed: int = 0) -> Images:
    """Bright discs at random places, 8-bit levels, labelled by the half that they are in."""
    rng = torch.Generator().manual_seed(seed)
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = torch.rand(n, 2, 1, 1, generator=rng) * torch.tensor(size).view(1, 2, 1, 1)
    squared = (y - centre[:, 0]).square() + (x - centre[:, 1]).square()
    levels = (255 * torch.exp(-squared / 4)).round()[:, None].expand(-1, channels, -1, -1)
    return Images(levels / 127.5 - 1, (centre[:, 1, 0, 0] > width / 2).long())
