"""A latent model as a viewer needs it: sliders, their directions, and what a latent looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapegen.base import Composed, Flowing, LatentModel, Sketching
from shapegen.core.latent import principal_directions
from shapegen.scene import Image, Node, Scene
from shapegen.view.radiance import Looks, looks_of
from shapegen.view.sheets import contact_sheet

Float = NDArray[np.float64]

DRAWS = 1024
"""Latents of the prior that the directions are found in."""
REACH = 3.0
"""Standard deviations that a slider goes to either side."""
FLOW_FRAMES = 25
"""Of the way from noise to a shape."""
WALK_FRAMES = 13
"""Of the way from one latent to another."""
SHEET = 36
"""Images on a sheet of samples."""


@dataclass(frozen=True, eq=False)
class Latents:
    """What a model can show; what it cannot is None."""

    decode: Callable[[Float], Scene]
    """The scene of a latent ``(d,)``."""
    draw: Callable[[], Float]
    """A new latent of the prior."""
    directions: Float
    """``(k, d)``: unit vectors that the sliders go along."""
    spread: Float
    """``(k,)``: a standard deviation along each."""
    names: tuple[str, ...] = ()
    """Of the sliders; none: their numbers."""
    sketch: Callable[[Float], Scene] | None = None
    """The same, roughly and quickly, for while a slider moves."""
    flow: Callable[[Float], list[Scene]] | None = None
    """The same points on their way from noise to the shape of a latent, frame by frame."""
    walk: Callable[[Float, Float], list[Scene]] | None = None
    """The shapes on the way from one latent to another."""
    sheet: Callable[[], Scene] | None = None
    """New samples in one picture."""
    looks: Looks | None = None
    """Of a model of radiance fields; then ``decode`` shows them from the middle camera."""

    @property
    def titles(self) -> list[str]:
        """A name a slider."""
        return list(self.names) or [str(number + 1) for number in range(len(self.spread))]


def latents_of(model: LatentModel, *, count: int = 8, seed: int = 0) -> Latents:
    """Take a model apart for a viewer.

    The sliders go along the principal directions of draws from the prior: those of the training
    codes where the prior was fitted to them, orthogonal ones at random where it is a standard
    normal. Parts of a latent with a meaning of their own have sliders of their own.

    Args:
        model: In eval mode.
        count: How many directions.
        seed: Of the draws, and of the noise with which every latent is decoded.
    """
    from shapegen.fields.radiance import RadianceFields
    from shapegen.images.images import Images

    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = model.sample_latent(DRAWS, rng=rng)
    parts = model.latent_parts if isinstance(model, Composed) else {"": drawn.shape[1]}
    directions, spread, names = _sliders(drawn, parts, count)

    def tensor(latent: Float) -> Tensor:
        return torch.as_tensor(latent, dtype=drawn.dtype, device=drawn.device)

    def noise() -> torch.Generator:
        # The same for every latent: what changes on the screen is what the slider changed.
        return torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def decode(latent: Float) -> Any:
        return model.decode(tensor(latent)[None], rng=noise())

    @torch.no_grad()
    def sketch(latent: Float) -> Scene:
        assert isinstance(model, Sketching)
        found: Scene = model.sketch(tensor(latent)[None], rng=noise()).to_scene()
        return found

    @torch.no_grad()
    def draw() -> Float:
        return np.asarray(model.sample_latent(1, rng=rng)[0].double().cpu().numpy())

    @torch.no_grad()
    def walk(start: Float, end: Float) -> list[Scene]:
        found = model.interpolate(tensor(start), tensor(end), WALK_FRAMES, rng=noise())
        return _scenes(found)

    @torch.no_grad()
    def flow(latent: Float) -> list[Scene]:
        assert isinstance(model, Flowing)
        return _scenes(model.trajectory(tensor(latent), FLOW_FRAMES, rng=noise()))

    @torch.no_grad()
    def sheet() -> Scene:
        return tiled(model.sample(SHEET, rng=rng).to_scene())

    example = decode(drawn[0].double().cpu().numpy())
    fields, images = isinstance(example, RadianceFields), isinstance(example, Images)
    return Latents(
        lambda latent: decode(latent).to_scene(),
        draw,
        directions,
        spread,
        names=names,
        sketch=sketch if isinstance(model, Sketching) else None,
        flow=flow if isinstance(model, Flowing) else None,
        walk=None if fields else walk,
        sheet=sheet if images else None,
        looks=looks_of(decode, example) if fields else None,
    )


def tiled(scene: Scene) -> Scene:
    """The images of a scene as one, in rows with gaps."""
    pixels = [image.pixels for image in scene.images]
    colored = [each.repeat(3, axis=2) if each.shape[2] == 1 else each[..., :3] for each in pixels]
    columns = round(len(colored) ** 0.5)
    gap = max(pixels[0].shape[1] // 14, 1)
    return Scene((Node("samples", primitive=Image(contact_sheet(colored, columns, gap=gap))),))


def _sliders(drawn: Tensor, parts: Any, count: int) -> tuple[Float, Float, tuple[str, ...]]:
    """Directions, spread and names of sliders, as many for every part of a latent."""
    rows, spreads, names, begin = [], [], [], 0
    for name, length in parts.items():
        found, spread = principal_directions(
            drawn[:, begin : begin + length], max(count // len(parts), 1)
        )
        whole = found.new_zeros(len(found), drawn.shape[1])
        whole[:, begin : begin + length] = found
        rows.append(whole.double().cpu().numpy())
        spreads.append(spread.double().cpu().numpy())
        names += [f"{name} {number + 1}".strip() for number in range(len(found))]
        begin += length
    return np.concatenate(rows), np.concatenate(spreads), tuple(names)


def _scenes(shapes: Any) -> list[Scene]:
    return [shapes[number : number + 1].to_scene() for number in range(len(shapes))]
