"""Shapes from a model, a seed each, and the folder that they are written to."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shapegen.cli.folders import write_manifest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from shapegen.base import GenerativeModel, LatentModel
    from shapegen.scene import Scene

FORMATS = (
    "auto",
    "glb",
    "obj",
    "ply",
    "stl",
    "usda",
    "json",
    "npz",
    "npy",
    "xyz",
    "png",
    "gif",
)
"""Extensions of single shapes; not every kind of shapes has all of them. ``auto``: ``png`` of
images and of fields, else ``glb``."""


def check_format(extension: str, unit: str = "m", up: str = "y") -> str:
    """Return a format's name in lower case without a dot.

    Raises:
        ValueError: It is none of :data:`FORMATS`, or cannot be in this unit or have this axis up.
    """
    from shapegen.formats import check_frame

    name = extension.lower().removeprefix(".")
    if name not in FORMATS:
        raise ValueError(f"unknown format {extension!r}; accepted: {', '.join(FORMATS)}")
    # What "auto" stands for has no choice of either.
    check_frame("glb" if name == "auto" else name, unit, up)
    return name


def rebuilt(model: GenerativeModel, shapes: Any, *, project: bool) -> Any:
    """Shapes encoded, or projected into the latents, and decoded again.

    Raises:
        ValueError: The model cannot do it in this way.
    """
    import torch

    from shapegen.base import Autoencoder, Differentiable, LatentModel
    from shapegen.core.latent_projection import project as projected

    if not project:
        if isinstance(model, Autoencoder):
            with torch.no_grad():
                return model.reconstruct(shapes, rng=stream(0))
        ways = "; --project finds latents" if isinstance(model, Differentiable) else ""
        raise ValueError(f"{model.name} has no encoder and cannot reconstruct{ways}")
    if not isinstance(model, LatentModel) or not isinstance(model, Differentiable):
        raise ValueError(f"{model.name} has no latents that can be found by gradient descent")
    rng = stream(0)
    found = projected(
        model.generate,
        model.targets(shapes),
        lambda n: model.sample_latent(n, rng=rng),
        choices=model.choices,
    )
    return model.decode(found.latents)


def seed_of(seed: int, index: int) -> int:
    """The seed of sample ``index`` of a run: the run's own for the first, a hash of both after.

    So a sample depends neither on how many are drawn nor on those before it, and a run of one
    sample with the seed that a manifest states gives that file again.
    """
    if index == 0:
        return seed
    # 48 bits: exact in JSON's numbers.
    return int.from_bytes(hashlib.sha256(f"{seed}/{index}".encode()).digest()[:6], "big")


def stream(seed: int) -> torch.Generator:
    """A random stream; on the CPU, so that every device gets the same numbers."""
    import torch

    if not 0 <= seed < 2**63:
        raise ValueError(f"a seed must be from 0 to {2**63 - 1}; got {seed}")
    return torch.Generator().manual_seed(seed)


def samples(
    model: GenerativeModel, seeds: Sequence[int], *, points: int | None = None
) -> list[Any]:
    """One batch of one shape a seed.

    Args:
        model: In eval mode.
        seeds: Of every shape.
        points: Of a shape, for models that draw any number of points.

    Raises:
        ValueError: ``points`` for a model of another kind.
    """
    import torch

    options: dict[str, Any] = {} if points is None else {"num_points": points}
    if not options.keys() <= inspect.signature(model.sample).parameters.keys():
        raise ValueError(f"{model.name} cannot be asked for a number of points")
    with torch.no_grad():
        # One at a time: sums over a batch round differently for every size of it.
        return [model.sample(1, rng=stream(seed), **options) for seed in seeds]


def end_of_walk(model: LatentModel, text: str) -> Tensor | Any:
    """One end of an interpolation: a sample's seed, or the shape in ``FILE`` or ``FILE:INDEX``."""
    import torch

    from shapegen.base import Autoencoder

    if text.isdecimal():
        with torch.no_grad():
            return model.sample_latent(1, rng=stream(int(text)))[0]
    if not isinstance(model, Autoencoder):
        raise ValueError(f"{model.name} has no encoder: give seeds, got {text!r}")
    return shape_of(text)


def shape_of(text: str) -> Any:
    """The shape in ``FILE`` (its first) or ``FILE:INDEX``."""
    import shapegen

    path, _, index = text.rpartition(":")
    if not (path and index.isdecimal()):
        path, index = text, "0"
    shapes = shapegen.read(path)
    if int(index) >= len(shapes):
        raise ValueError(f"{path} holds {len(shapes)} shapes, numbered from 0; got number {index}")
    return shapes[int(index)]


def write_shapes(folder: Path, shapes: Sequence[Any], extension: str, **facts: Any) -> None:
    """Write ``0000.<ext>``, ..., ``manifest.json`` (:func:`write_files`) and ``contact.png``."""
    from shapegen.cli.pictures import write_sheet

    write_sheet([shape.to_scene() for shape in shapes], folder / "contact.png")
    write_files(folder, shapes, extension, **facts)


def write_files(
    folder: Path,
    shapes: Sequence[Any],
    extension: str,
    *,
    seeds: Sequence[int] | None = None,
    unit: Literal["m", "cm"] = "m",
    up: Literal["y", "z"] = "y",
    **facts: Any,
) -> list[str]:
    """Write a file a shape and the manifest of them; give the files' names.

    Point clouds, voxels and images as ``npz`` are one file, ``samples.npz``.

    Args:
        folder: Made if missing.
        shapes: Batches of one.
        extension: One of :data:`FORMATS`; with ``json`` there is also one ``samples.jsonl``.
        seeds: Of every shape, for the manifest.
        unit: Of the files (:func:`shapegen.formats.write_scene`); the manifest says it if not m.
        up: Their axis upwards.
        **facts: What else the manifest says.
    """
    from shapegen.fields.radiance import RadianceFields
    from shapegen.fields.voxels import Voxels
    from shapegen.formats import write_scene
    from shapegen.images.images import Images
    from shapegen.points.point_clouds import PointClouds

    facts["count"] = len(shapes)
    if extension == "auto":
        extension = "png" if isinstance(shapes[0], Images | RadianceFields) else "glb"
    if extension == "npz" and isinstance(shapes[0], PointClouds | Voxels | Images):
        type(shapes[0]).join(shapes).write(folder / "samples.npz")
        shared = {} if seeds is None else {"sample_seeds": list(seeds)}
        write_manifest(folder, ["samples.npz"], [None], **facts, **shared)
        return ["samples.npz"]
    names = [f"{number:04d}.{extension}" for number in range(len(shapes))]
    if (unit, up) == ("m", "y"):
        for name, shape in zip(names, shapes, strict=True):
            shape.write(folder / name)
    else:
        facts |= {"unit": unit, "up": up}
        for name, shape in zip(names, shapes, strict=True):
            write_scene(shape.to_scene(), folder / name, unit=unit, up=up)
    if extension == "json":
        type(shapes[0]).join(shapes).write(folder / "samples.jsonl")
    write_manifest(folder, names, seeds or [None] * len(names), **facts)
    return names


def write_animations(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write a walk as ``animation.gif``, ``.html`` and, unless it is of images, ``.glb``."""
    from shapegen.formats.folders import ANIMATION
    from shapegen.formats.glb import write_animated_glb
    from shapegen.view import write_animation, write_html

    write_animation(scenes, folder / "animation.gif")
    write_html([scenes], folder / "animation.html", title="walk", names=["walk"])
    if not any(scene.images for scene in scenes):
        write_animated_glb(scenes, folder / ANIMATION)


def singles(batch: Any) -> list[Any]:
    """Batches of one from one batch."""
    return [batch[number : number + 1] for number in range(len(batch))]
