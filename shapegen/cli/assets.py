"""Verbs that turn shapes into files and pictures: mesh, view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.options import Unit, Up

if TYPE_CHECKING:
    from shapegen.fields.field_surface import SurfaceOptions
    from shapegen.scene import Scene
    from shapegen.view.latents import Latents

BACKENDS = ("image", "open3d", "web")


@app.command()
def mesh(
    source: Annotated[
        str, typer.Argument(metavar="MODEL|FILE", help="A model to draw from, or shapes.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: glb, obj, ply, stl or usda.")
    ],
    seed: Annotated[int, typer.Option("--seed", help="Of the shape drawn from a model.")] = 0,
    index: Annotated[int, typer.Option("--index", min=0, help="Which shape of a file.")] = 0,
    resolution: Annotated[
        int | None, typer.Option("--resolution", help="Of fields: cells along the longest side.")
    ] = None,
    level: Annotated[
        float | None, typer.Option("--level", help="Of fields: the density of the surface.")
    ] = None,
    largest: Annotated[
        bool, typer.Option("--largest", help="Of fields: only the largest piece.")
    ] = False,
    faces: Annotated[
        int | None, typer.Option("--faces", help="Of fields: simplify to so many triangles.")
    ] = None,
    printable: Annotated[
        bool, typer.Option("--printable", help="Watertight edge to edge (needs manifold3d).")
    ] = False,
    unit: Unit = "m",
    up: Up = "y",
) -> None:
    """Write the outer surface of one shape as one mesh.

    Of parts, walls inside others are cut away. Of a field of density, the surface at a level:
    where none is given, where half of the light is held back on a 32nd of the longest side, or
    from one sample of the training's rays to the next.
    """
    from shapegen.fields.field_surface import SurfaceOptions
    from shapegen.formats import check_frame, write_scene

    check_frame(out.suffix, unit, up)
    options = None
    if resolution is not None or level is not None or largest or faces is not None:
        options = SurfaceOptions(resolution or SurfaceOptions.resolution, level, largest, faces)

    if Path(source).is_file() and not source.endswith(".safetensors"):
        shapes = shapegen.read(source)
        if index >= len(shapes):
            raise ValueError(f"{source} holds {len(shapes)} shapes, from 0; got --index {index}")
        shape = shapes[index]
    else:
        from shapegen.cli import draw

        shape = draw.samples(shapegen.load(source), [seed])[0]
    surface = surface_scene(shape, options, printable=printable)
    write_scene(surface, out, unit=unit, up=up)
    typer.echo(f"{len(surface.mesh().faces)} triangles in {out}")


@app.command()
def view(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Files of shapes.")
    ] = None,
    backend: Annotated[str, typer.Option("--backend", help="image, open3d or web.")] = "image",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The picture of the image backend.")
    ] = Path("view.png"),
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page to turn them on instead.")
    ] = None,
    walk: Annotated[
        bool, typer.Option("--walk", help="Of all but image: every PATH is one shape that moves.")
    ] = False,
    turntable: Annotated[
        Path | None,
        typer.Option("--turntable", help="Write all sides instead: .gif, .mp4 or a folder."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Of open3d and web: sliders through its latents.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Of web: 0.0.0.0 lets others look, and move things.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of web.")] = 8080,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Shapes shown at most.")] = 48,
) -> None:
    """Show shapes: as a picture, in a window, in a browser, or on a page."""
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; accepted: {', '.join(BACKENDS)}")
    if not paths and not (backend in ("web", "open3d") and model is not None):
        raise ValueError(
            "nothing to view: give files of shapes, or a --model to --backend web or open3d"
        )
    paths = paths or []
    if html is not None or (turntable is None and backend != "image"):
        shapes, names = _walks({path: scenes_of(path) for path in paths}, walk=walk)
        if html is None:
            latents = None if model is None else _latents(model)
            if backend == "web":
                _serve(shapes[:limit], names[:limit], latents, host=host, port=port)
                return
            from shapegen.view.desktop import open_window

            open_window(shapes[:limit], names=names[:limit], latents=latents)
            return
        from shapegen.view import write_html

        title = ", ".join(path.name for path in paths)
        write_html(shapes[:limit], html, title=title, names=names[:limit])
        typer.echo(f"{min(len(shapes), limit)} shapes on {html}")
        return
    scenes = [scene for path in paths for scene in scenes_of(path)][:limit]
    if turntable is not None:
        from shapegen.scene import side_by_side
        from shapegen.view import write_turntable

        write_turntable(side_by_side(scenes), turntable)
        typer.echo(f"{len(scenes)} shapes in {turntable}")
    else:
        from shapegen.cli.pictures import write_sheet

        write_sheet(scenes, out, size=512 if len(scenes) == 1 else 192)
        typer.echo(f"{len(scenes)} shapes in {out}")


def _walks(
    found: Mapping[Path, Sequence[Scene]], *, walk: bool
) -> tuple[list[Sequence[Scene]], list[str]]:
    """The scenes and the name of every shape; with ``walk`` a file is one shape that moves."""
    shapes: list[Sequence[Scene]] = []
    names: list[str] = []
    for path, scenes in found.items():
        if walk or len(scenes) == 1:
            shapes.append(scenes)
            names.append(path.name)
        else:
            shapes += [[scene] for scene in scenes]
            names += [f"{path.name} {number}" for number in range(len(scenes))]
    return shapes, names


def _latents(model: str) -> Latents:
    from shapegen.base import LatentModel
    from shapegen.view.latents import latents_of

    loaded = shapegen.load(model)
    if not isinstance(loaded, LatentModel):
        raise ValueError(f"{loaded.name} has no latents to move along")
    return latents_of(loaded)


def _serve(
    shapes: Sequence[Sequence[Scene]],
    names: Sequence[str],
    latents: Latents | None,
    *,
    host: str,
    port: int,
) -> None:
    from shapegen.view.web import WebViewer

    viewer = WebViewer(shapes, names=names, latents=latents, host=host, port=port)
    typer.echo(f"open {viewer.address} (Ctrl-C ends)")
    try:
        viewer.run()
    except KeyboardInterrupt:
        pass
    finally:
        viewer.close()


def scenes_of(path: Path) -> Sequence[Scene]:
    """A scene a shape of a file."""
    return [shape.to_scene() for shape in shapegen.read(path)]


def surface_scene(
    shape: Any, options: SurfaceOptions | None = None, *, printable: bool = False
) -> Scene:
    """The outer surface of a shape: of a field at a level, of boxes their union, or its meshes.

    Surfaces of fields are closed; with ``printable`` those of boxes and meshes are, too.

    Raises:
        ValueError: It has no surface, or options for fields are given and it is none.
    """
    from shapegen.fields.density import DensityField, Meshable
    from shapegen.fields.meshes import Meshes
    from shapegen.scene import Boxes, Mesh

    if isinstance(shape, Meshable):
        return shape.to_meshes(options).to_scene()
    if isinstance(shape, DensityField):
        return Meshes.of_fields([shape], options).to_scene()
    if options is not None:
        raise ValueError(
            f"--resolution, --level, --largest and --faces are for fields of density; "
            f"got {type(shape).__name__}"
        )
    scene: Scene = shape.to_scene()
    if printable:
        from shapegen.formats.solid import solid

        return solid(scene)
    meshes = [node for node in scene.nodes if isinstance(node.primitive, Mesh)]
    if meshes and not any(isinstance(node.primitive, Boxes) for node in scene.nodes):
        return scene
    return union(scene)


def union(scene: Scene) -> Scene:
    """One mesh of all boxes of a scene, in the colours of its parts."""
    import numpy as np

    from shapegen.scene import Boxes, Mesh, Node, Scene
    from shapegen.structures.union import union_surface

    parts = [
        (box, node.color)
        for node in scene.nodes
        if isinstance(node.primitive, Boxes)
        for box in node.primitive.boxes
    ]
    if not parts:
        raise ValueError("the shape has no boxes, so no surface")
    vertices, faces, source = union_surface(np.array([box for box, _ in parts]))
    colors = np.array([color for _, color in parts])[source]
    return Scene((Node("union", primitive=Mesh(vertices, faces, face_colors=colors)),))
