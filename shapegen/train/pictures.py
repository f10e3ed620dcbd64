"""Pictures of what a model makes, while it trains and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from shapegen.base import Autoencoder, GenerativeModel, LatentModel, Shapes, Translator

if TYPE_CHECKING:
    from shapegen.view.plots import Pixels

SIZE, COLUMNS = 160, 6
STEPS, PAIRS, CODES = 8, 8, 1000
"""Of an interpolation; reconstructions; codes of a scatter, at most."""


def write_picture(model: GenerativeModel, count: int, path: Path, *, rng: torch.Generator) -> None:
    """Draw samples and write their contact sheet as PNG."""
    from shapegen import view

    view.write_png(view.contact_sheet(_thumbnails(model.sample(count, rng=rng)), COLUMNS), path)


@torch.no_grad()
def write_pictures(
    model: GenerativeModel, shapes: Shapes, folder: Path, *, count: int = 12, seed: int = 0
) -> list[Path]:
    """Write what a model can show as PNG files.

    Every model has ``samples.png``; one with latents ``interpolation.png``, from one shape (or
    latent) to another; an autoencoder ``reconstructions.png``, shapes and what became of them,
    and ``codes.png``, the plane of codes, or of their two principal components, by class; one of
    pairs of images ``translations.png``, images and what it makes of them.

    Args:
        model: Trained; it is put in eval mode.
        shapes: Of the kind that it models, held out by preference.
        folder: Made where it is missing.
        count: Of samples.
        seed: Of everything that is drawn.
    """
    from shapegen import view

    model.eval()
    folder.mkdir(parents=True, exist_ok=True)
    rng = torch.Generator().manual_seed(seed)
    write_picture(model, count, folder / "samples.png", rng=rng)
    written = ["samples.png"]
    if isinstance(model, LatentModel):
        ends: Any = shapes if isinstance(model, Autoencoder) else model.sample_latent(2, rng=rng)
        walk = model.interpolate(ends[0], ends[1 % len(ends)], STEPS, rng=rng)
        view.write_png(view.contact_sheet(_thumbnails(walk), STEPS), folder / "interpolation.png")
        written.append("interpolation.png")
    if isinstance(model, Autoencoder):
        some = shapes[:PAIRS]
        rebuilt = model.reconstruct(some, rng=rng)
        pairs = view.pair_sheet(_thumbnails(some), _thumbnails(rebuilt))
        view.write_png(pairs, folder / "reconstructions.png")
        many = shapes[:CODES]
        view.write_scatter(_plane(model.encode(many)), _classes(many), folder / "codes.png")
        written += ["reconstructions.png", "codes.png"]
    if isinstance(model, Translator):
        some = _sources(shapes)[:PAIRS]
        made = model.translate(some, rng=rng)
        pairs = view.pair_sheet(_thumbnails(some), _thumbnails(made))
        view.write_png(pairs, folder / "translations.png")
        written.append("translations.png")
    return [folder / name for name in written]


def _sources(shapes: Shapes) -> Shapes:
    """What is to be translated: the sources of pairs, the first of two sets."""
    from shapegen.images.pairs import ImageDomains, ImagePairs

    if isinstance(shapes, ImagePairs):
        return shapes.source
    return shapes.a if isinstance(shapes, ImageDomains) else shapes


def _thumbnails(shapes: Shapes) -> list[Pixels]:
    from shapegen import view

    scenes: Sequence[Any] = [shapes[i : i + 1].to_scene() for i in range(len(shapes))]
    return view.thumbnails(scenes, SIZE)


def _plane(codes: Tensor) -> Tensor:
    """Codes of two numbers; of others the two directions of most variance."""
    if codes.shape[1] == 2:
        return codes
    centred = (codes - codes.mean(0)).double()
    directions = torch.linalg.svd(centred, full_matrices=False)[2][:2].T
    plane = centred @ directions
    # A single shape, or codes of one number, span less than a plane.
    return torch.nn.functional.pad(plane, (0, 2 - plane.shape[1]))


def _classes(shapes: Shapes) -> Any:
    return getattr(shapes, "labels", None)
