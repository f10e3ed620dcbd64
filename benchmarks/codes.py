"""``python -m benchmarks.codes RUN [--labels N ...] [--draws D] [--epochs E]``.

What the codes of an image autoencoder are worth, on the images that its run held out: errors
beside as many principal components, classes of the nearest codes, k-means, classes from few labels
by fine-tuning its encoder beside a fresh one and a linear layer on pixels, and how well samples
pass for images: its own, and decoded noise of N(0, I). One line of JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import shapegen
from shapegen.config import load_run
from shapegen.core.noise import standard_normal
from shapegen.images.autoencoder import squared_error
from shapegen.images.images import Images
from shapegen.images.probes import cluster_figures, fine_tuned, neighbour_accuracy
from shapegen.metrics.image_figures import ImageMetrics, PcaImages
from shapegen.registry import build_seeded
from shapegen.train import load_data

COMPARED = 500


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codes", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of an autoencoder's or VAE's run")
    parser.add_argument("--labels", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--draws", type=int, default=5, help="of the images with labels")
    parser.add_argument("--epochs", type=int, default=50, help="of fine-tuning")
    options = parser.parse_args()
    run, model = load_run(options.run / "config.yaml"), shapegen.load(options.run)
    data = load_data(run.data)
    train, test = data.train, data.holdout
    if not isinstance(train, Images) or not isinstance(test, Images) or test.labels is None:
        parser.error(f"{options.run} must hold out images with labels")
    pca = PcaImages(train.pixels, model.latent_dim)

    def error(rebuilt: Tensor) -> float:
        return float(squared_error(rebuilt, test.pixels).mean())

    codes, known = model.encode(test), model.encode(train)
    fresh = build_seeded(run.model.name, run.model.fields, run.train.seed + 1)
    encoders = {"trained": model.encoder, "fresh": fresh.encoder, "pixels": nn.Flatten()}
    found = {
        "model": model.name,
        "latent_dim": model.latent_dim,
        "squared_error": error(model.reconstruct(test).pixels),
        "squared_error_pca": error(pca.reconstruct(test.pixels)),
        "nearest_codes_accuracy": neighbour_accuracy(codes, test.labels, known, train.labels),
        "k_means": {
            "pixels": cluster_figures(test.pixels.flatten(1), test.labels),
            "pca": cluster_figures(pca.encode(test.pixels), test.labels),
            "codes": cluster_figures(codes, test.labels),
        },
        "fine_tuned_accuracy": {
            str(count): {
                name: _accuracy(encoder, train, test, count, options)
                for name, encoder in encoders.items()
            }
            for count in options.labels
        },
        "generator": _generator(model, test),
    }
    print(json.dumps(found))


def _accuracy(
    encoder: nn.Module, train: Images, test: Images, count: int, options: argparse.Namespace
) -> dict[str, float]:
    """Mean and standard deviation over draws of the labelled images."""
    found = []
    for draw in range(options.draws):
        rng = torch.Generator().manual_seed(draw)
        some = train[torch.randperm(len(train), generator=rng)[:count].tolist()]
        found.append(fine_tuned(encoder, some, epochs=options.epochs, rng=rng).accuracy(test))
    return {"mean": float(np.mean(found)), "sd": float(np.std(found, ddof=1))}


@torch.no_grad()
def _generator(model: Any, test: Images) -> dict[str, dict[str, float]]:
    """Nearest-neighbour accuracy (.5 is best) and coverage, of samples and of decoded noise."""
    rng = torch.Generator().manual_seed(0)
    count = min(COMPARED, len(test))
    noise = standard_normal((count, model.latent_dim), like=test.pixels, rng=rng)
    measure = ImageMetrics(test.pixels[:count])
    sets = {"samples": model.sample(count, rng=rng), "noise": model.decode(noise)}
    figures = {name: measure(images.pixels) for name, images in sets.items()}
    return {
        name: {key: each[key] for key in ("1nna-l2", "cov-l2")} for name, each in figures.items()
    }


if __name__ == "__main__":
    main()
