"""The verb that turns shapes into images: data render."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from shapegen.cli.data import data


@data.command()
def render(
    source: Annotated[
        str, typer.Argument(metavar="PATH|NAME", help="Shapes or meshes, or a set's name.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="An .npz file, a .gif, or a folder of pictures.")
    ],
    n: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="Only the first, or so many made.")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Height and width in pixels.")] = 64,
    views: Annotated[int, typer.Option("--views", help="Images of every shape.")] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of the cameras, and of a set.")] = 0,
    fov: Annotated[float, typer.Option("--fov", help="Field of view in degrees.")] = 30.0,
    radius: Annotated[float, typer.Option("--radius", help="Distance of the cameras.")] = 4.0,
    polar: Annotated[
        tuple[float, float], typer.Option("--polar", help="Degrees from straight up.")
    ] = (50.0, 80.0),
    shadows: Annotated[bool, typer.Option("--shadows", help="Parts shade one another.")] = False,
    turntable: Annotated[
        bool, typer.Option("--turntable", help="Views in equal steps all around.")
    ] = False,
    up: Annotated[str, typer.Option("--up", help="Up axis of mesh files, y or z.")] = "y",
) -> None:
    """Write images of shapes, with the poses of their cameras, alpha, depth and parts.

    Every shape is moved and scaled to fill the unit sphere; z is up for the cameras.
    """
    from shapegen.config.render import RenderConfig
    from shapegen.data.rendering import render_shapes, turned_poses

    config = RenderConfig(
        size=size,
        views=views,
        fov=fov,
        radius=(radius, radius),
        polar=polar,
        shadows=shadows,
        maps=True,
    )
    shapes = _shapes(source, n, seed, up)
    poses = turned_poses(config) if turntable else None
    renders = render_shapes(shapes, config, poses=poses, seed=seed)
    renders.write(out)
    typer.echo(f"{len(renders)} images of {renders.num_shapes} shapes in {out}")


def _shapes(source: str, n: int | None, seed: int, up: str) -> Any:
    from shapegen.data.catalog import catalog, make
    from shapegen.data.rendering import read_surfaces

    if source in catalog() and not Path(source).exists():
        return make(source, count=100 if n is None else n, seed=seed)
    return read_surfaces(source, up=cast(Literal["y", "z"], up))[:n]
