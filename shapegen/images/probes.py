"""What codes of images are good for: classes from few labels, and clusters without any."""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from shapegen.images.images import Images

BATCH = 50


class Classifier(nn.Module):
    """An encoder and a linear layer on its codes.

    Args:
        encoder: From pixels ``(n, c, h, w)`` to codes ``(n, d)``.
        code_dim: d.
        classes: How many.
    """

    def __init__(self, encoder: nn.Module, code_dim: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(code_dim, classes)

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        logits: Tensor = self.linear(self.encoder(pixels))
        return logits

    @torch.no_grad()
    def accuracy(self, images: Images) -> float:
        """Share of images whose label has the largest logit."""
        return float((self(images.pixels).argmax(1) == _labels(images)).float().mean())


def fine_tuned(
    encoder: nn.Module,
    images: Images,
    *,
    epochs: int = 100,
    learning_rate: float = 1e-3,
    rng: torch.Generator | None = None,
) -> Classifier:
    """Train a copy of an encoder, and a linear layer on it, to tell the classes of a few images.

    Give a fresh encoder of the same kind to see what training on images without labels was worth.
    A linear layer alone on codes that stay as they are gains little over pixels.

    Args:
        encoder: From pixels to codes; it is left as it is.
        images: With labels, of at least two classes.
        epochs: Passes over them.
        learning_rate: Of Adam, along a cosine to 0.
        rng: Order of the images and first weights of the linear layer.

    Raises:
        ValueError: No labels, or fewer than two classes.
    """
    labels = _labels(images)
    classes = int(labels.max()) + 1
    if classes < 2:
        raise ValueError(f"at least two classes are needed; got {classes}")
    with torch.no_grad():
        code_dim = encoder(images.pixels[:1]).shape[1]
    model = Classifier(copy.deepcopy(encoder), code_dim, classes).train()
    nn.init.zeros_(model.linear.weight)
    nn.init.zeros_(model.linear.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=rng).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(images.pixels[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def neighbour_accuracy(
    codes: Float[Tensor, "n d"],
    labels: Int[Tensor, "n"],
    known: Float[Tensor, "m d"],
    known_labels: Int[Tensor, "m"],
    *,
    neighbours: int = 5,
) -> float:
    """Share of codes whose nearest known ones have their label, by majority."""
    from sklearn.neighbors import KNeighborsClassifier

    judge = KNeighborsClassifier(neighbours).fit(known.numpy(), known_labels.numpy())
    return float(judge.score(codes.numpy(), labels.numpy()))


def left_out_accuracy(
    codes: Float[Tensor, "n d"], labels: Int[Tensor, "n"], *, neighbours: int = 5
) -> float:
    """Share of codes whose nearest others have their label, by majority.

    Raises:
        ValueError: No more codes than neighbours are asked.
    """
    if len(codes) <= neighbours:
        raise ValueError(f"more than {neighbours} codes are needed; got {len(codes)}")
    distances = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    near = distances.topk(neighbours, largest=False).indices
    return float((labels[near].mode(1).values == labels).float().mean())


def cluster_figures(
    codes: Float[Tensor, "n d"], labels: Int[Tensor, "n"], *, seed: int = 0
) -> dict[str, float]:
    """How well k-means on codes, one cluster a class, finds the classes.

    Returns:
        ``accuracy`` of the best assignment of clusters to classes, and ``nmi``, the normalised
        mutual information.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    truth = labels.numpy()
    classes = len(np.unique(truth))
    found = KMeans(classes, n_init=10, random_state=seed).fit_predict(codes.double().numpy())
    return {
        "accuracy": matched_accuracy(found, truth),
        "nmi": float(normalized_mutual_info_score(truth, found)),
    }


def matched_accuracy(found: ArrayLike, truth: ArrayLike) -> float:
    """Share of items whose group is the one that is matched with their class.

    Groups and classes are matched one to one, so that the share is the largest.

    Args:
        found: Numbers of groups ``(n,)``.
        truth: Numbers of classes ``(n,)``.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    shared = contingency_matrix(np.asarray(truth), np.asarray(found))
    rows, columns = linear_sum_assignment(-shared)
    return float(shared[rows, columns].sum() / shared.sum())


def paired_share(found: Float[Tensor, "n c h w"], wanted: Float[Tensor, "n c h w"]) -> float:
    """Share of images whose nearest one of a set, by L1, is that of their own number.

    Args:
        found: Images.
        wanted: The set, in the same order.
    """
    nearest = torch.cdist(found.flatten(1), wanted.flatten(1), p=1).argmin(1)
    return float((nearest == torch.arange(len(found))).float().mean())


def _labels(images: Images) -> Tensor:
    if images.labels is None:
        raise ValueError("labels are needed; the images have none")
    return images.labels
