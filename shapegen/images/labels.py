"""Labels as vectors that a layer adds."""

from __future__ import annotations

import torch
from torch import nn

LABEL_SCALE = 0.1
"""Standard deviation of the first vectors."""


def label_embedding(classes: int, width: int) -> nn.Embedding | None:
    """Vectors of labels, or None where there are none."""
    if not classes:
        return None
    embedding = nn.Embedding(classes, width)
    with torch.no_grad():
        embedding.weight.mul_(LABEL_SCALE)
    return embedding
