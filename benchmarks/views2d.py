"""``python -m benchmarks.views2d RUN [--minutes M] [--bins N] [--codes K] [--seed S]``.

Whether a GAN of images that is told the azimuth turns one shape, as a model of fields must: a
conditional DCGAN is trained on the renders of a GRAF run, as long and with a discriminator as
wide, and the silhouettes of both from all around are held against their visual hulls. The height
of the cameras is not told: for the GAN that counts at which a code's views agree best. One line of
JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d

import shapegen
from shapegen.config import load_run
from shapegen.core.game import GameOptions
from shapegen.core.noise import standard_normal
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.cameras import turned
from shapegen.fields.graf import GRAF
from shapegen.fields.radiance import RadianceFields
from shapegen.formats.views import SAMPLES
from shapegen.images.gan import GAN, GANConfig
from shapegen.images.images import Images
from shapegen.images.renders import Renders
from shapegen.metrics.field_evaluation import FAKES, REFERENCE, picture_distances
from shapegen.metrics.field_views import SHADE, VIEWS, box_renders
from shapegen.metrics.view_consistency import hull_agreement, silhouettes
from shapegen.registry import build_seeded
from shapegen.train import load_data

CODES = 12
HEIGHTS = 5
"""Of cameras, from the highest to the lowest, among which the best counts."""
NOISE = 64


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views2d", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a GRAF run on renders")
    parser.add_argument("--minutes", type=float, help="of training; default: the run's")
    parser.add_argument("--bins", type=int, default=VIEWS, help="of azimuths, one class each")
    parser.add_argument("--codes", type=int, default=CODES, help="that are turned")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run, model = load_run(options.run / "config.yaml"), shapegen.load(options.run)
    split = load_data(run.data)
    train, test = split.train, split.holdout
    if not isinstance(model, GRAF) or not isinstance(train, Renders):
        parser.error(f"{options.run} must be a run of graf on renders, whose poses are known")
    minutes = options.minutes or run.train.fit_minutes
    if minutes is None:
        parser.error(f"{options.run} says no fit_minutes: give --minutes")
    reference = test if isinstance(test, Renders) else train
    cameras = model.config.cameras
    gan = trained(train, cameras, model.config.judge_width, options.bins, minutes, options.seed)
    rng = torch.Generator().manual_seed(options.seed)
    fields = model.sample(FAKES, rng=rng)
    turning = [smooth_views(each, options.bins) for each in fields[: options.codes]]
    views = turned_views(gan, options.codes, options.bins, rng)
    middle = (sum(cameras.polar) / 2,)
    found: dict[str, Any] = {
        "minutes": minutes,
        "bins": options.bins,
        "codes": options.codes,
        "field": agreements(turning, cameras, middle)
        | distances(fields.render().pixels, train, reference),
        "views2d": agreements(views, cameras, np.linspace(*cameras.polar, HEIGHTS).tolist())
        | distances(gan.sample(FAKES, rng=rng).pixels, train, reference),
    }
    if reference.boxes is not None:
        shown = box_renders(reference.boxes[: options.codes], fields, options.bins)
        found["real"] = agreements(shown.pixels.split(options.bins), cameras, middle)
    print(json.dumps(found))


def azimuth_classes(
    poses: Float[Tensor, "n 4 4"], cameras: CameraSetting, bins: int
) -> Int[Tensor, " n"]:
    """Which of equal parts of the cameras' azimuths poses are in, from 0."""
    low, high = (math.radians(each) for each in cameras.azimuth)
    angle = torch.atan2(poses[:, 1, 3], poses[:, 0, 3])
    share = ((angle - low) % (2 * math.pi)) / (high - low)
    return (share * bins).floor().long().clamp(0, bins - 1)


def trained(
    renders: Renders, cameras: CameraSetting, width: int, bins: int, minutes: float, seed: int = 0
) -> GAN:
    """A conditional DCGAN of renders, whose classes are parts of the azimuths."""
    images = Images(renders.pixels, azimuth_classes(renders.poses, cameras, bins))
    config = GANConfig(
        channels=int(renders.pixels.shape[1]),
        size=(renders.size, renders.size),
        classes=bins,
        noise_dim=NOISE,
        hidden=(width, 2 * width, 4 * width),
        stddev=True,
        game=GameOptions(r1=0.5, lazy=4),
    )
    gan = build_seeded("gan", config, seed)
    assert isinstance(gan, GAN)
    setting = {
        "epochs": 1000,
        "batch_size": 32,
        "learning_rate": 2e-3,
        "betas": [0.0, 0.99],
        "schedule": "cosine",
        "final_factor": 0.2,
        "ema": 0.998,
        "fit_minutes": minutes,
        "save_every": 1000,
        "tensorboard": False,
        "threads": 1,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as folder:
        shapegen.fit(gan, images, setting, out=folder, progress=False)
    return gan.eval()


def smooth_views(field: RadianceFields, count: int) -> Float[Tensor, "count c h w"]:
    """Pictures of a field from all around, whose pixels are means as those of renders are."""
    found = replace(field, corner=False).turntable(count, SAMPLES * field.size, tolerance=SHADE)
    return avg_pool2d(found.pixels, SAMPLES)


def turned_views(
    gan: GAN, codes: int, bins: int, rng: torch.Generator | None = None
) -> list[Float[Tensor, "bins c h w"]]:
    """The images of one noise in all classes, for every code."""
    noise = standard_normal((codes, NOISE), like=next(gan.parameters()), rng=rng)
    classes = torch.eye(bins).to(noise)
    return [gan.decode(torch.cat([each.expand(bins, -1), classes], 1)).pixels for each in noise]


def agreements(
    shapes: Sequence[Float[Tensor, "bins c h w"]],
    cameras: CameraSetting,
    heights: Sequence[float],
) -> dict[str, float | None]:
    """``hull``: mean agreement of the silhouettes of shapes with their visual hull.

    It is the same wherever the first azimuth is, so the middles of classes need not be known.

    Args:
        shapes: Views of each, all around.
        cameras: That saw them.
        heights: Polar angles in degrees at which views may be: the best counts.

    Returns:
        ``hull``, None where nothing is shown, and ``shown``: share of shapes without an empty
        silhouette.
    """
    found = []
    for pixels in shapes:
        alpha = silhouettes(pixels)
        if not bool((alpha >= 0.5).flatten(1).any(1).all()):
            continue
        around = [_poses(len(alpha), cameras, each) for each in heights]
        found.append(
            max(hull_agreement(alpha, each, cameras.fov, radius=cameras.reach) for each in around)
        )
    return {
        "hull": float(np.mean(found)) if found else None,
        "shown": len(found) / len(shapes),
    }


def _poses(count: int, cameras: CameraSetting, polar: float) -> Float[Tensor, "count 4 4"]:
    low, high = (math.radians(each) for each in cameras.azimuth)
    away, like = cameras.radius[1], torch.zeros(())
    return turned(count, (low, high), math.radians(polar), away, like=like)


def distances(pictures: Tensor, train: Renders, reference: Renders) -> dict[str, float]:
    """The Frechet distances of pictures."""
    chosen = np.random.RandomState(0).permutation(len(reference))[:REFERENCE]
    return picture_distances(pictures, train.pixels, reference.pixels[chosen])[0]["model"]


if __name__ == "__main__":
    main()
