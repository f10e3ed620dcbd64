"""The desktop viewer: a window of Open3D with a tree of parts, sliders and latents."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from shapegen.scene import Image, Mesh, Scene
from shapegen.view.desktop_drawing import Drawing
from shapegen.view.desktop_panel import Panel
from shapegen.view.display import display
from shapegen.view.keys import help_text, press
from shapegen.view.latents import Latents
from shapegen.view.rooms import FRONT
from shapegen.view.state import ViewerState

PANEL_EMS = 19
WINDOW_KEYS = {
    "r": "the first view again",
    "s": "save a picture",
    "g": "save the shape (GLB, OBJ, PLY, STL, USD)",
    "h": "this help",
}


def show(
    scenes: Scene | Sequence[Scene],
    *,
    title: str = "shapegen",
    frames: int | None = None,
) -> None:
    """Open a window on shapes; it has the controls of :class:`DesktopViewer`.

    Args:
        scenes: At least one shape.
        title: Of the window.
        frames: Close after this many frames; None: when the user closes it.

    Raises:
        ValueError: There is nothing to show.
        RuntimeError: Open3D is missing, or there is no display.
    """
    shown = [scenes] if isinstance(scenes, Scene) else list(scenes)
    DesktopViewer(ViewerState([[scene] for scene in shown]), title=title).run(frames)


class DesktopViewer:
    """A window on a state.

    Args:
        state: What is shown; the window changes it.
        title: Of the window.
        size: Width and height of the window in pixels.

    Raises:
        RuntimeError: Open3D is missing, or there is no display.
    """

    def __init__(
        self,
        state: ViewerState,
        *,
        title: str = "shapegen",
        size: tuple[int, int] = (1280, 860),
    ) -> None:
        self.state = state
        self._o3d = _open3d()
        self._gui = self._o3d.visualization.gui
        self._app = self._gui.Application.instance
        self._app.initialize()
        self.window = self._app.create_window(title, *size)
        self.widget = self._gui.SceneWidget()
        self._set_scene()
        self._drawing = Drawing(self._o3d, self.widget)
        self.panel = Panel(self._gui, self.window, state, self._buttons(), self._changed)
        self.window.add_child(self.widget)
        self.window.add_child(self.panel.widget)
        self.window.set_on_layout(self._layout)
        self.window.set_on_key(self._pressed)
        self.window.set_on_tick_event(self._tick)
        self._framed: tuple[int, bool, bool] | None = None
        self._before = time.monotonic()
        self._wanted: list[Callable[[Any], None]] = []
        self._laid_out = False
        self.redraw()

    def run(self, frames: int | None = None) -> None:
        """Show the window until it is closed, or for so many turns of its loop."""
        turns = 0
        while self.turn():
            turns += 1
            if turns == frames:
                self.window.close()

    def turn(self) -> bool:
        """Do what the user does and draw once.

        Returns:
            Whether the window is still open.
        """
        return bool(self._app.run_one_tick())

    def redraw(self) -> None:
        """Bring the window to the state."""
        self._drawing.draw(self.state)
        self.panel.sync()
        kinds = frozenset(type(node.primitive) for node in self.state.arranger.nodes)
        # A field's mesh needs room beside its picture.
        framed = (self.state.shape, self.state.compare, Image in kinds and Mesh in kinds)
        if framed != self._framed:
            self.reset_view()
            self._framed = framed
        self.window.post_redraw()

    def reset_view(self) -> None:
        """Look at all that is shown from the front, above."""
        low, high = self.state.bounds()
        middle, reach = 0.5 * (low + high), float(np.linalg.norm(high - low))
        box = self._o3d.geometry.AxisAlignedBoundingBox(low, high)
        self.widget.setup_camera(45.0, box, middle)
        self.widget.look_at(middle, middle + 1.4 * reach * self.state.front, [0.0, 1.0, 0.0])
        self.window.post_redraw()

    def save_picture(self, path: str | Path) -> None:
        """Write what the window shows of the shapes as PNG, when it is drawn next."""
        from shapegen.formats.png import write_png

        def write(image: Any) -> None:
            pixels = np.asarray(image)[..., :3]
            self._guarded(lambda: write_png(np.ascontiguousarray(pixels), path))

        self._wanted.append(write)
        self.window.post_redraw()

    def save_shape(self, path: str | Path) -> None:
        """Write the shapes that are shown; the extension says the format."""
        from shapegen.formats import write_scene

        write_scene(self.state.export(), path)

    def _set_scene(self) -> None:
        rendering = self._o3d.visualization.rendering
        scene = rendering.Open3DScene(self.window.renderer)
        scene.set_background([1.0, 1.0, 1.0, 1.0])
        scene.set_lighting(rendering.Open3DScene.LightingProfile.NO_SHADOWS, -FRONT)
        # Film-like tone mapping would pale the parts' colours.
        scene.view.set_color_grading(
            rendering.ColorGrading(
                rendering.ColorGrading.Quality.LOW, rendering.ColorGrading.ToneMapping.LINEAR
            )
        )
        self.widget.scene = scene

    def _buttons(self) -> dict[str, Callable[[], None]]:
        return {
            "Save picture": lambda: self._ask(
                "picture.png", {".png": "picture"}, self.save_picture
            ),
            "Save shape": lambda: self._ask("shape.glb", FORMATS, self.save_shape),
            "Reset view": self.reset_view,
            "Keys": self._help,
        }

    def _changed(self, change: Callable[[], None]) -> None:
        """Do what a control says, then draw it."""

        def drawn() -> None:
            change()
            self.redraw()

        self._guarded(drawn)

    def _pressed(self, event: Any) -> bool:
        if event.type != self._gui.KeyEvent.Type.DOWN:
            return False
        key = self._key(event.key)
        buttons = dict(zip("sgrh", self._buttons().values(), strict=True))
        if key in buttons:
            buttons[key]()
            return True
        known = False

        def change() -> None:
            nonlocal known
            known = press(self.state, key)
            if known:
                self.redraw()

        self._guarded(change)
        return known

    def _key(self, code: int) -> str:
        names = {int(self._gui.KeyName.LEFT): "left", int(self._gui.KeyName.RIGHT): "right"}
        names[int(self._gui.KeyName.EQUALS)] = "+"  # the same key, without shift
        return names.get(code) or (chr(code) if 0 < code < 128 else "")

    def _tick(self) -> bool:
        now = time.monotonic()
        elapsed, self._before = now - self._before, now
        # A camera's backward axis: a field is drawn from where the window looks.
        self.state.look(np.asarray(self.widget.scene.camera.get_model_matrix())[:3, 2])
        # A tick that was late must not make the walk jump.
        moves = self.state.advance(min(elapsed, 0.25))
        if moves:
            self.redraw()
        # Before the first layout the picture would have one pixel.
        wanted = list(self._wanted) if self._laid_out else []
        for write in wanted:
            self.widget.scene.scene.render_to_image(write)
            self._wanted.remove(write)
        return moves or bool(wanted)

    def _layout(self, _: Any) -> None:
        self._laid_out = True
        room = self.window.content_rect
        width = min(PANEL_EMS * self.window.theme.font_size, room.width // 2)
        self.widget.frame = self._gui.Rect(room.x, room.y, room.width - width, room.height)
        self.panel.widget.frame = self._gui.Rect(
            room.get_right() - width, room.y, width, room.height
        )

    def _ask(self, name: str, formats: dict[str, str], save: Callable[[str], None]) -> None:
        """Ask for a file's name, then save."""
        dialog = self._gui.FileDialog(self._gui.FileDialog.SAVE, "Save", self.window.theme)
        for extension, meaning in formats.items():
            dialog.add_filter(extension, f"{meaning} ({extension})")
        dialog.set_path(str(Path.cwd() / name))

        def done(path: str) -> None:
            self.window.close_dialog()
            self._guarded(lambda: save(path if Path(path).suffix else path + Path(name).suffix))

        dialog.set_on_cancel(self.window.close_dialog)
        dialog.set_on_done(done)
        self.window.show_dialog(dialog)

    def _help(self) -> None:
        self.window.show_message_box("Keys", help_text(WINDOW_KEYS))

    def _guarded(self, action: Callable[[], object]) -> None:
        """An error in a control is told in the window; it must not end it."""
        try:
            action()
        except (ValueError, RuntimeError, OSError) as error:
            self.window.show_message_box("This did not work", str(error))


FORMATS = {
    ".glb": "all",
    ".obj": "names, colours",
    ".ply": "colours",
    ".stl": "surface",
    ".usda": "USD",
}


def open_window(
    walks: Sequence[Sequence[Scene]],
    *,
    names: Sequence[str] = (),
    latents: Latents | None = None,
) -> None:
    """Open the window on walks, a walk a shape, and on a model, until it is closed."""
    DesktopViewer(ViewerState(walks, names=names, latents=latents)).run()


def _open3d() -> ModuleType:
    try:
        import open3d
    # A missing system library (libGL, libusb, ...) is an OSError of the dynamic loader.
    except (ImportError, OSError) as error:
        raise RuntimeError(
            f"the window needs Open3D, which cannot be loaded ({error}); "
            "install it with: pip install 'shapegen[viewer]', "
            "or use a browser: shapegen view --backend web"
        ) from None
    _check_display()
    module: ModuleType = open3d
    return module


def _check_display() -> None:
    """Open3D ends the process where it finds no display: look before."""
    _, problem = display()
    if problem:
        raise RuntimeError(f"the window needs a display, and {problem}; {_WITHOUT}")


_WITHOUT = "without one use a browser: shapegen view --backend web, or a picture: --backend image"
