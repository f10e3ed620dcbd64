"""What pages of a model show: samples, a walk, reconstructions, nearest neighbours, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapegen.cli import draw

if TYPE_CHECKING:
    from torch import Tensor

    from shapegen.base import GenerativeModel, LatentModel
    from shapegen.scene import Scene
    from shapegen.view import Animation, Pairs, Pictures, Table
    from shapegen.view.gallery import Pixels, Section

COUNT, STEPS, SIZE = 24, 24, 224
"""Samples, steps of the interpolation, and pixels of a picture."""
PAIRS = 12
"""Samples beside their neighbours, shapes beside their reconstructions."""
ENDS = 8
"""Samples among which the end of the interpolation is looked for."""


@dataclass(frozen=True, eq=False)
class Walked:
    """An interpolation between two samples."""

    shapes: Sequence[Any]
    """Batches of one, the ends included."""
    ends: tuple[int, int]
    """Seeds of the samples at its ends."""
    text: str
    """Between which samples."""

    @property
    def scenes(self) -> list[Scene]:
        """The steps as scenes."""
        return [shape.to_scene() for shape in self.shapes]


def drawn(model: GenerativeModel, seeds: Sequence[int]) -> list[Any]:
    """One batch of one shape a seed; of a model without latents one batch by the first seed.

    Models without latents draw value by value, and a batch takes them hardly longer than a shape.
    """
    import torch

    from shapegen.base import LatentModel

    if isinstance(model, LatentModel):
        return draw.samples(model, seeds)
    with torch.no_grad():
        return draw.singles(model.sample(len(seeds), rng=draw.stream(seeds[0])))


def samples_section(
    name: str, shapes: Sequence[Any], seed: int, links: Sequence[str] = ()
) -> Pictures:
    """Samples, none picked, each with a file that it leads to where there are."""
    from shapegen.view import Pictures

    text = f"The first {len(shapes)} samples of seed {seed}, none picked."
    return Pictures(f"{name}: samples", pictures(shapes), links=links, text=text)


def walk(model: GenerativeModel, seed: int) -> Walked | None:
    """An interpolation from the first sample to the next with another number of parts.

    None for a model without latents.
    """
    import torch

    from shapegen.base import LatentModel
    from shapegen.graphs.graphs import Graphs
    from shapegen.structures.part_tree import PartTrees

    if not isinstance(model, LatentModel):
        return None
    seeds = [draw.seed_of(seed, index) for index in range(ENDS)]
    with torch.no_grad():
        ends = [draw.end_of_walk(model, str(one)) for one in seeds]
        shape = _decoded(model, ends[0])
        # What has no parts, as clouds, images and fields, is not decoded to be counted.
        others = range(1, ENDS) if isinstance(shape, PartTrees | Graphs) else ()
        first = len(shape.to_scene())
        counts = ((each, len(_decoded(model, ends[each]).to_scene())) for each in others)
        found = next((each for each, count in counts if count != first), None)
        other = found or 1
        shapes = model.interpolate(ends[0], ends[other], STEPS, rng=draw.stream(0))
    differs = "" if found is None else ", whose structure differs,"
    text = f"From sample 0 to sample {other}{differs} in {STEPS} steps."
    return Walked(draw.singles(shapes), (seeds[0], seeds[other]), text)


def _decoded(model: LatentModel, latent: Tensor) -> Any:
    """The shape of a latent ``(d,)``, a batch of one."""
    return model.decode(latent[None], rng=draw.stream(0))


def walk_section(name: str, walked: Walked) -> Animation:
    """The steps of an interpolation, as a film and side by side."""
    from shapegen.view import Animation, animation_frames

    frames = animation_frames(walked.scenes, SIZE)
    return Animation(f"{name}: interpolation", frames, text=walked.text)


def rebuilt_section(name: str, model: GenerativeModel, held_out: Any) -> list[Pairs]:
    """Held-out shapes beside what an autoencoder, or a model of pairs of images, makes of them."""
    import torch

    from shapegen.base import Autoencoder, Translator
    from shapegen.images.pairs import ImageDomains, ImagePairs
    from shapegen.view import Pairs

    some = held_out[:PAIRS]
    with torch.no_grad():
        if isinstance(model, Translator) and isinstance(some, ImagePairs | ImageDomains):
            some = some.source if isinstance(some, ImagePairs) else some.a
            made = model.translate(some, rng=draw.stream(0))
            title, text = "translations", "Held-out images, and what the model makes of them."
        elif isinstance(model, Autoencoder):
            made = model.reconstruct(some, rng=draw.stream(0))
            title = "reconstructions"
            text = "Held-out shapes, and what they become when encoded and decoded."
        else:
            return []
    left, right = pictures(draw.singles(some)), pictures(draw.singles(made))
    return [Pairs(f"{name}: {title}", left, right, text=text)]


def neighbours_section(name: str, shapes: Sequence[Any], train: Any) -> Pairs:
    """Samples beside the nearest of the training shapes."""
    from shapegen.metrics.neighbours import names_of, nearest_shapes
    from shapegen.view import Pairs

    some = shapes[:PAIRS]
    found = nearest_shapes(joined(some), train)
    numbers = found.numbers.tolist()
    near = [found.known[number : number + 1] for number in numbers]
    captions = [
        f"{(names_of(one) or [''])[0] or f'number {number}'} · {distance:.3g}"
        for one, number, distance in zip(near, numbers, found.distances.tolist(), strict=True)
    ]
    text = (
        f"Left a sample, right the nearest of {len(found.known)} training shapes, with its name "
        f"and the {found.measure}. A model that only remembers shows the same twice."
    )
    title = f"{name}: nearest training shapes"
    return Pairs(title, pictures(some), pictures(near), captions, text)


def figures_sections(result: Mapping[str, Any]) -> list[Table]:
    """The figures of ``shapegen evaluate``, a table a section."""
    from shapegen.metrics.tables import cell, evaluation_note, evaluation_sections
    from shapegen.view import Table

    title, sections = evaluation_sections(result)
    note = evaluation_note(result)
    texts = {
        "generation": f"{title if note is None else f'{title}; {note}'}. The floor are training "
        "shapes in the samples' place, and "
        f"{result['settings']['baseline'].replace('_', ' ')} is the trivial baseline: a good "
        "model is near the first and far from the second.",
        "pictures": "Squared Frechet distances, the lower the better: between the floor, which as "
        "many training images have, and the collapse, one of them for every code.",
        "densities": "What is dense in samples, none picked, beside real shapes where the data "
        "know them: the share of samples with nothing dense, the share of the ball that is full, "
        "how deep shapes are for their width, how alike two samples are, and the share of the "
        "density that is white, which passes for background.",
        "meshes": "Shares of samples with a surface, with a closed one, and with one of a single "
        "main piece.",
        "views": "Whether views from all around are of one shape: how much one view sees where "
        "another one looks through, and how well silhouettes are those of their visual hull.",
    }
    return [
        Table(
            f"figures: {name}",
            {
                column.replace("_", " "): {row: cell(value) for row, value in figures.items()}
                for column, figures in section.items()
                if figures
            },
            texts.get(name, ""),
        )
        for name, section in sections.items()
    ]


def evaluation_page(
    model: GenerativeModel, result: Mapping[str, Any], train: Any, held_out: Any, *, seed: int
) -> list[Section]:
    """Everything that can be seen of a model and its figures."""
    seeds = [draw.seed_of(seed, index) for index in range(COUNT)]
    shapes = drawn(model, seeds)
    walked = walk(model, seed)
    return [
        samples_section(model.name, shapes, seed),
        *([] if walked is None else [walk_section(model.name, walked)]),
        *rebuilt_section(model.name, model, held_out),
        neighbours_section(model.name, shapes, train),
        *figures_sections(result),
    ]


def pictures(shapes: Sequence[Any]) -> list[Pixels]:
    """A picture a batch of one."""
    from shapegen.view import thumbnails

    return thumbnails([shape.to_scene() for shape in shapes], SIZE)


def joined(shapes: Sequence[Any]) -> Any:
    """One batch of batches of one; fields, which belong to their network, are drawn first."""
    from shapegen.fields.radiance import RadianceFields
    from shapegen.images.images import Images

    if isinstance(shapes[0], RadianceFields):
        return Images.join([Images(shape.render().pixels) for shape in shapes])
    return type(shapes[0]).join(shapes)
