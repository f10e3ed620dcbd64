"""A fixed judge of renderings: labels found by a small network that was trained on true ones.

Reference: Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks*, 2017,
section 4.1: in a realistic rendering, a network that was trained on real ones finds the map that
it was made of.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.seeding import seeded
from shapegen.images.pairs import ImagePairs

WIDTH, DILATIONS = 24, (1, 2, 4, 1)
EPOCHS, BATCH, RATE = 20, 16, 3e-3
CHUNK = 128
"""Images that are looked at at once."""


class Segmenter(nn.Module):
    """Convolutions at the whole size; a pixel's label is told from 19 x 19 around it.

    Args:
        channels: Of an image.
        labels: How many.
    """

    def __init__(self, channels: int, labels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 3, padding=1)]
        for dilation in DILATIONS:
            layers += [nn.GroupNorm(4, WIDTH), nn.ReLU()]
            layers.append(nn.Conv2d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation))
        self.layers = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(WIDTH, labels, 1))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n labels h w"]:
        """Logits."""
        logits: Tensor = self.layers(images)
        return logits

    @torch.no_grad()
    def labels(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, "n h w"]:
        """The likeliest label of every pixel."""
        return torch.cat([self(part).argmax(1) for part in images.split(CHUNK)])


def trained_segmenter(pairs: ImagePairs, *, epochs: int = EPOCHS, seed: int = 0) -> Segmenter:
    """Train a segmenter on the targets of maps of labels; the same seed gives the same one.

    Args:
        pairs: With a palette.
        epochs: Passes over them.
        seed: Of its first weights and of the order.

    Raises:
        ValueError: The sources are no maps of labels.
    """
    masks, images = pairs.masks(), pairs.target.pixels
    assert pairs.palette is not None
    with seeded(seed):
        model = Segmenter(images.shape[1], len(pairs.palette))
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with torch.enable_grad():
        for _ in range(epochs):
            for chosen in torch.randperm(len(images), generator=rng).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(model(images[chosen]), masks[chosen]).backward()
                optimizer.step()
                schedule.step()
    return model.eval().requires_grad_(False)


def label_figures(found: Int[Tensor, "n h w"], truth: Int[Tensor, "n h w"]) -> dict[str, float]:
    """How much of maps is found, over all images together and without the background.

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
