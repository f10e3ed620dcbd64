"""Import shapes into Blender: hierarchy, names, colours, labels, animations.

    blender --python viewers/blender_import.py -- out/samples/*.glb
    blender --background --python viewers/blender_import.py -- FILE.glb --save shapes.blend

Blender's own importer reads a file; this script then does what makes shapes easy to work with.
Every file becomes a collection; files stand side by side; parts have their colour in the
viewport's *Object* colouring too, their label as a custom property, and a pass index a label, by
which a renderer writes masks of parts. Nothing of shapegen needs to be installed in Blender.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

GAP = 0.4
"""Space between two files, by the widest of them."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What stands behind ``--`` on Blender's command line."""
    parser = argparse.ArgumentParser(prog="blender_import", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="GLB files")
    parser.add_argument("--columns", type=int, help="files in a row; default: a square")
    parser.add_argument("--save", type=Path, help="write a .blend file")
    own = list(argv[argv.index("--") + 1 :]) if "--" in argv else []
    found = parser.parse_args(own)
    for path in found.files:
        if path.suffix.lower() != ".glb" or not path.is_file():
            parser.error(f"{path} is no .glb file")
    if found.columns is not None and found.columns < 1:
        parser.error(f"at least one column is needed; got {found.columns}")
    return found


def places(sizes: Sequence[tuple[float, float]], columns: int | None) -> list[tuple[float, float]]:
    """Where files of these widths and depths stand, rows from the back, around the origin."""
    columns = columns or max(math.ceil(math.sqrt(len(sizes))), 1)
    step = [(1 + GAP) * max(size[axis] for size in sizes) for axis in (0, 1)]
    rows = math.ceil(len(sizes) / columns)
    across = min(columns, len(sizes))
    return [
        (
            (number % columns - (across - 1) / 2) * step[0],
            ((rows - 1) / 2 - number // columns) * step[1],
        )
        for number in range(len(sizes))
    ]


def label_numbers(labels: Iterable[str]) -> dict[str, int]:
    """A number from 1 for every label, the same whatever the order of the files."""
    return {label: number for number, label in enumerate(sorted(set(labels)), start=1)}


def label_of(properties: Mapping[str, Any], name: str) -> str:
    """A part's label; where the file has none, its name without numbers."""
    label = properties.get("label")
    if isinstance(label, str) and label:
        return label
    words = name.split(".")[0].split("_")
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return "_".join(words)


def extent(corners: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """The lowest and the highest coordinates of points."""
    columns = list(zip(*corners, strict=True))
    return [min(column) for column in columns], [max(column) for column in columns]


def main(argv: Sequence[str]) -> None:
    """Import the files that the command line names."""
    import bpy

    options = arguments(argv)
    groups = [_imported(bpy, path) for path in options.files]
    bpy.context.view_layer.update()
    spans = [extent(_corners(objects)) for objects in groups]
    sizes = [(high[0] - low[0], high[1] - low[1]) for low, high in spans]
    for objects, (low, high), place in zip(
        groups, spans, places(sizes, options.columns), strict=True
    ):
        for root in (each for each in objects if each.parent is None):
            root.location.x += place[0] - (low[0] + high[0]) / 2
            root.location.y += place[1] - (low[1] + high[1]) / 2
    parts = [part for objects in groups for part in objects if part.type == "MESH"]
    numbers = label_numbers(label_of(part, part.name) for part in parts)
    for part in parts:
        part.pass_index = numbers[label_of(part, part.name)]
        _paint(part)
    if options.save is not None:
        bpy.ops.wm.save_as_mainfile(filepath=str(options.save.absolute()))


def _imported(bpy: Any, path: Path) -> list[Any]:
    """The objects of a file, in a collection of its name."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    objects = [each for each in bpy.data.objects if each not in before]
    collection = bpy.data.collections.new(path.stem)
    bpy.context.scene.collection.children.link(collection)
    for each in objects:
        for old in list(each.users_collection):
            old.objects.unlink(each)
        collection.objects.link(each)
    return objects


def _corners(objects: Sequence[Any]) -> list[tuple[float, float, float]]:
    from mathutils import Vector

    return [
        tuple(part.matrix_world @ Vector(corner))
        for part in objects
        if part.type == "MESH"
        for corner in part.bound_box
    ] or [(0.0, 0.0, 0.0)]


def _paint(part: Any) -> None:
    """Give an object the colour of its material, which the viewport shows by *Object*."""
    for slot in part.material_slots:
        material = slot.material
        surface = material.node_tree and material.node_tree.nodes.get("Principled BSDF")
        if surface is not None:
            part.color = tuple(surface.inputs["Base Color"].default_value)
            material.diffuse_color = part.color
            return


if __name__ == "__main__":
    main(sys.argv)
