"""``python -m benchmarks.viewer_pictures PATH... --page FILE --window FILE``: the viewers.

Shapes from files are shown on the page that is written for them, photographed in Chromium, and in
the desktop window, photographed where ``DISPLAY`` says (``xvfb-run -a`` makes a screen).
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import shapegen
from shapegen.formats.html import write_html
from shapegen.scene import Scene
from tests.view.browser import Watched, chromium

SIZE = (960, 600)
EXPLODE = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.viewer_pictures", description=__doc__
    )
    parser.add_argument("paths", type=Path, nargs="+", help="files of shapes, as GLB")
    parser.add_argument("--page", type=Path, help="PNG of the page")
    parser.add_argument("--window", type=Path, help="PNG of the desktop window")
    options = parser.parse_args()
    scenes = [shapegen.read(path)[0].to_scene() for path in options.paths]
    names = [path.stem for path in options.paths]
    if options.page:
        page(scenes, names).save(options.page, optimize=True)
    if options.window:
        window(scenes, names).save(options.window, optimize=True)


def page(scenes: list[Scene], names: list[str]) -> Image.Image:
    """The page, with its first shape pulled apart."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder) / "page.html"
        write_html(scenes, file, title="shapegen", names=names)
        watched = Watched(browser, file.as_uri())
        watched.page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
        watched.page.wait_for_selector("html[data-ready=yes]", state="attached")
        watched.set("explode", EXPLODE)
        watched.picture()  # waits until it is drawn
        data = watched.page.screenshot()
    return _few_colors(Image.open(io.BytesIO(data)))


def window(scenes: list[Scene], names: list[str]) -> Image.Image:
    """The window on the screen when it has drawn the shapes."""
    from PIL import ImageGrab

    from shapegen.view.desktop import DesktopViewer
    from shapegen.view.state import ViewerState

    state = ViewerState([[scene] for scene in scenes], names=names)
    state.set_explode(EXPLODE)
    viewer = DesktopViewer(state, size=SIZE)
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.png"
        viewer.save_picture(drawn)
        _turned_until(viewer.turn, drawn.exists)
    for _ in range(2):
        viewer.turn()
    place = viewer.window.os_frame
    picture = ImageGrab.grab(
        bbox=(place.x, place.y, place.x + place.width, place.y + place.height),
        xdisplay=os.environ["DISPLAY"],
    )
    viewer.window.close()
    _turned_until(viewer.turn, lambda: False)
    return _few_colors(picture)


def _turned_until(turn: Callable[[], bool], done: Callable[[], bool]) -> None:
    while not done() and turn():
        pass


def _few_colors(picture: Image.Image) -> Image.Image:
    """With a palette: what the window dithers would not be compressed."""
    return picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
