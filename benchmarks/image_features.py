"""``python -m benchmarks.image_features [--train FILE] [--shapes N] [--steps N] [--seed S]``.

With ``--train`` the network of image features is trained on procedural images and written; its
figures on others that it was not trained on are one line of JSON. Without, the distances of
damaged and of trivially generated images in the shipped network are.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.feature_images import feature_images
from benchmarks.feature_training import blurred, held_out_figures, train
from shapegen.formats.tensors import write_tensors
from shapegen.metrics.image_figures import PcaImages

SHAPES, STEPS = 200, 400
HELD_OUT, HELD_OUT_SEED = 50, 1
NAMES = ("digits", "scenes", "furniture-images")
MEASURED = 400
"""Images of either side of a distance."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.image_features")
    parser.add_argument("--train", metavar="FILE", help="write the trained network")
    parser.add_argument("--shapes", type=int, default=SHAPES, help="pieces of furniture")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.train is None:
        print(json.dumps(distances(options.seed)))
        return
    start = time.perf_counter()
    images = feature_images(options.shapes, seed=options.seed)
    pupil = train(images, steps=options.steps, seed=options.seed)
    seconds = time.perf_counter() - start
    figures = held_out_figures(pupil, feature_images(HELD_OUT, seed=HELD_OUT_SEED))
    header = {"kind": "image-features", "version": 1, "images": len(images)}
    write_tensors(
        options.train,
        pupil.network.state_dict(),
        header | {"steps": options.steps, "seed": options.seed, "held_out": figures},
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            figures
            | {
                "images": len(images),
                "seconds": round(seconds, 1),
                "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                "threads": torch.get_num_threads(),
            }
        )
    )


def distances(seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
    """Figures of changed images against as many others of their kind, in the shipped network."""
    from shapegen.data.catalog import make
    from shapegen.images.images import Images
    from shapegen.metrics.feature_distances import FeatureDistances

    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in NAMES:
        held_out = Images.of(make(name, count=MEASURED, seed=HELD_OUT_SEED)).pixels
        known = Images.of(make(name, count=MEASURED, seed=HELD_OUT_SEED, start=MEASURED)).pixels
        measure = FeatureDistances(held_out)
        found[name] = {
            what: measure(change(known))
            for what, change in changes(PcaImages(known), seed).items()
        }
    return found


def changes(pca: PcaImages, seed: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """What is done to images, from nothing on."""

    def noisy(deviation: float) -> Callable[[Tensor], Tensor]:
        def change(pixels: Tensor) -> Tensor:
            rng = torch.Generator().manual_seed(seed)
            noise = torch.randn(pixels.shape, generator=rng)
            return (pixels + deviation * noise).clamp(-1, 1)

        return change

    def soft(deviation: float) -> Callable[[Tensor], Tensor]:
        return lambda pixels: blurred(pixels, torch.full((len(pixels),), deviation))

    return {
        "floor": lambda pixels: pixels,
        "noise .1": noisy(0.1),
        "noise .3": noisy(0.3),
        "blur 1 pixel": soft(1.0),
        "blur 2 pixels": soft(2.0),
        "pca gaussian": lambda pixels: pca.sample(
            len(pixels), rng=torch.Generator().manual_seed(seed)
        ),
        "one image": lambda pixels: pixels[:1].expand_as(pixels),
    }


if __name__ == "__main__":
    main()
