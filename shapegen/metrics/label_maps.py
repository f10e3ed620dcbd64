"""How much of maps of labels is found, over all pixels of all of them."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor


def label_figures(found: Int[Tensor, "n h w"], truth: Int[Tensor, "n h w"]) -> dict[str, float]:
    """Figures of labels, without the background.

    Args:
        found: Labels, 0 is background.
        truth: The same.

    Returns:
        ``accuracy``: share of the parts' pixels whose label is right; ``IoU``: pixels that have a
        label in both by pixels that have it in either, a mean over the labels in ``truth``.

    Raises:
        ValueError: There is only background.
    """
    present = [int(label) for label in truth.unique() if label]
    if not present:
        raise ValueError("labels cannot be found where there is only background")
    inside = truth > 0
    shared = [((found == label) & (truth == label)).sum() for label in present]
    either = [((found == label) | (truth == label)).sum() for label in present]
    ious = [float(both) / float(any_) for both, any_ in zip(shared, either, strict=True)]
    return {
        "accuracy": float((found == truth)[inside].float().mean()),
        "IoU": sum(ious) / len(ious),
    }
