"""One HTML file to look at shapes in any browser: everything inside, nothing fetched.

The page draws with WebGL 2: shapes turn, come apart, show their levels and play their walks, parts
tell their names. Its scripts lie in ``page/``; a content security policy lets the browser run them
and nothing else, so that text out of files stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from shapegen.formats.atomic import replacing
from shapegen.formats.folders import Batch
from shapegen.formats.html_arrays import Arrays, walk_document
from shapegen.formats.walks import walk_of
from shapegen.scene import Image, Node, Primitive, Scene, positions

SHOWN = 24
"""Shapes of a result that a notebook displays."""
SCRIPTS = ("maths", "model", "shaders", "render", "glb", "viewer")


def write_html(
    scene: Scene | Sequence[Scene | Sequence[Scene]],
    path: str | Path,
    *,
    title: str = "shapegen",
    names: Sequence[str] = (),
    fps: float = 12.0,
) -> None:
    """Write a page on which shapes can be turned, pulled apart and played.

    Args:
        scene: One, or a sequence: a scene a shape, or the scenes of its walk, whose parts
            keep their identity as :func:`~shapegen.formats.walks.walk_of` finds it.
        path: An ``.html`` file.
        title: Its heading.
        names: Of the shapes, one each; default: their numbers.
        fps: Frames of a walk a second.

    Raises:
        ValueError: There is nothing to see, or not one name a shape.
    """
    text = html_page(scene, title=title, names=names, fps=fps)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def html_page(
    scene: Scene | Sequence[Scene | Sequence[Scene]],
    *,
    title: str = "shapegen",
    names: Sequence[str] = (),
    fps: float = 12.0,
    together: bool = False,
) -> str:
    """The text of :func:`write_html`'s page; with ``together`` it begins with all side by side."""
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    walks = [scene] if isinstance(scene, Scene) else list(scene)
    if not walks:
        raise ValueError("a page needs at least one shape; got none")
    if names and len(names) != len(walks):
        raise ValueError(f"one name a shape ({len(walks)}) or none; got {len(names)}")
    arrays = Arrays()
    joined = [walk_of([walk] if isinstance(walk, Scene) else walk) for walk in walks]
    if not any(_something(primitive) for walk in joined for primitive in walk.drawn()):
        raise ValueError("shapes without points, boxes, meshes or images have nothing to show")
    shapes = [
        walk_document(walk, name, arrays)
        for walk, name in zip(joined, names or _numbers(len(walks)), strict=True)
    ]
    style, script = _style(), _script()
    policy = (
        "default-src 'none'; img-src blob: data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{source_digest(style)}'; script-src '{source_digest(script)}'"
    )
    parts = {
        "policy": policy,
        "title": escape(title),
        "style": style,
        "script": script,
        "scene": _json({"fps": fps, "together": together, "shapes": shapes}),
        "arrays": base64.b64encode(zlib.compress(arrays.data(), 9)).decode(),
    }
    # Cut first and joined then: what is put in is never searched for further places.
    pieces = _resource("page.html").split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        out += [parts[name], rest]
    return "".join(out)


def notebook_html(shapes: Batch, *, height: int = 460) -> str:
    """What a notebook displays for a result: the page of its shapes in a frame of its own.

    Args:
        shapes: A batch; of many the first :data:`SHOWN`, since a notebook keeps what it displays.
        height: In pixels.
    """
    if not len(shapes):
        return "<em>no shapes</em>"
    count = min(len(shapes), SHOWN)
    title = "1 shape" if len(shapes) == 1 else f"{len(shapes)} shapes"
    if count < len(shapes):
        title = f"the first {count} of {title}"
    scenes = [shapes[number : number + 1].to_scene() for number in range(count)]
    page = html_page(scenes, title=title, together=True)
    # The frame may run the page's own script and save files, and knows nothing of the notebook.
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts allow-downloads" '
        f'width="100%" height="{height}" style="border: 0"></iframe>'
    )


def _something(primitive: Primitive) -> bool:
    if isinstance(primitive, Image):
        return True
    return len(positions(Node("", primitive=primitive))) > 0


def _numbers(count: int) -> list[str]:
    return [f"shape {number + 1}" for number in range(count)]


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def source_digest(text: str) -> str:
    """The name by which a content security policy allows a style or a script of this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _resource(name: str) -> str:
    return (files("shapegen.formats") / "page" / name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _resource("page.css")


@cache
def _script() -> str:
    # One scope for all files, and none of their names on the page.
    body = "\n".join(_resource(f"{name}.js") for name in SCRIPTS)
    return f"(() => {{\n'use strict';\n{body}}})();\n"
