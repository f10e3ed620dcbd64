"""The viewer in a browser, with sliders through the latents of a model (viser)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from shapegen.scene import Scene
from shapegen.view.arrangement import COLORINGS
from shapegen.view.latents import REACH, Latents
from shapegen.view.state import FPS, ViewerState, room_of
from shapegen.view.web_drawing import Drawing

LOCAL = "127.0.0.1"
"""The address that only this machine reaches; elsewhere: ``ssh -L 8080:localhost:8080 HOST``."""


class WebViewer:
    """Shapes in a browser.

    Everybody who opens the page sees the same and can move everything.

    Args:
        walks: A walk a shape (its scenes), at least one; none with ``latents``.
        names: Of the shapes.
        latents: A model to decode live.
        host: Address to listen on; the default is reached from this machine only.
        port: 0: any free one.

    Raises:
        ValueError: There is nothing to show.
        RuntimeError: viser is missing.
    """

    def __init__(
        self,
        walks: Sequence[Sequence[Scene]],
        *,
        names: Sequence[str] = (),
        latents: Latents | None = None,
        host: str = LOCAL,
        port: int = 8080,
    ) -> None:
        self.state = ViewerState(walks, names=names, latents=latents)
        viser = _imported()
        self._lock = threading.RLock()
        self.sliders: list[Any] = []
        self.ticks: list[Any] = []
        self._drawing: Drawing | None = None
        self._busy = False
        self.server = viser.ViserServer(host=host, port=port or _free_port(host), verbose=False)
        # A shared link leads through a server of others: nothing leaves unless asked.
        self.server.gui.configure_theme(show_share_button=False)
        self.server.scene.set_up_direction("+y")
        # viser's own light washes the colours of parts out.
        self.server.scene.configure_environment_map(environment_intensity=0.45)
        self._controls()
        self._choose(0)
        self._frame_camera()

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def run(self, stop: threading.Event | None = None) -> None:
        """Play walks until ``stop`` is set, or for ever."""
        stop = stop or threading.Event()
        before = time.monotonic()
        while not stop.wait(0.5 / FPS):
            now = time.monotonic()
            elapsed, before = now - before, now
            with self._lock:
                self.state.playing = bool(self.playing.value)
                moves = self.state.advance(elapsed)
            if moves:
                self.frame.value = self.state.time

    def close(self) -> None:
        """Stop serving."""
        self.server.stop()

    def _controls(self) -> None:
        gui = self.server.gui
        names = self.state.names
        self.shape = gui.add_dropdown("Shape", names, visible=len(names) > 1)
        self.shape.on_update(lambda _: self._choose(names.index(self.shape.value)))
        self.frame = gui.add_slider("Frame", 0.0, 1.0, 0.01, 0.0)
        self.playing = gui.add_checkbox("Play", False)
        self.explode = gui.add_slider("Explode", 0.0, 2.0, 0.02, 0.0)
        self.level = gui.add_slider("Level", 0, 1, 1, 1)
        self.coloring = gui.add_dropdown("Colour by", COLORINGS)
        self.relations = gui.add_checkbox("Relations", False)
        for control in (self.frame, self.explode, self.level, self.coloring, self.relations):
            control.on_update(lambda _: self.redraw())
        self.picked = gui.add_markdown("Click a part for its name.")
        gui.add_button("Save GLB").on_click(lambda event: self._save_glb(event.client))
        gui.add_button("Save picture").on_click(lambda event: self._save_picture(event.client))
        if self.state.explorer is not None:
            self._latent_controls(self.state.explorer.latents)
        self._parts = gui.add_folder("Parts", expand_by_default=False)

    def _latent_controls(self, latents: Latents) -> None:
        gui = self.server.gui
        with gui.add_folder("Latent"):
            self.sliders = [
                gui.add_slider(f"{number + 1}", -REACH, REACH, 0.05, 0.0)
                for number in range(len(latents.spread))
            ]
            self.resample = gui.add_button("Resample")
        for slider in self.sliders:
            slider.on_update(lambda _: self._decode())
        self.resample.on_click(lambda _: self._resample())

    def _resample(self) -> None:
        with self._lock:
            self.state.resample()
            self._busy = True  # the sliders that go back must not decode one by one
            for slider in self.sliders:
                slider.value = 0.0
            self._busy = False
            self._show_model()

    def _decode(self) -> None:
        with self._lock:
            if not self._busy:
                self.state.slide([float(slider.value) for slider in self.sliders])
                self._show_model()

    def _show_model(self) -> None:
        name = self.state.names[0]
        if self.shape.value == name:
            self._choose(0)
        else:
            self.shape.value = name

    def _choose(self, number: int) -> None:
        """Show another shape: the controls fit it, all its parts are there."""
        with self._lock, self.server.atomic():
            self.state.choose(number)
            frames, depth = self.state.last + 1, self.state.depth
            self._busy = True
            self.frame.max = float(max(frames - 1, 1))
            self.frame.value = self.state.time
            self.frame.visible = self.playing.visible = frames > 1
            self.level.max = max(depth, 1)
            self.level.value = depth
            self.level.visible = depth > 0
            self.relations.visible = bool(self.state.arranger.relations())
            self._list_parts()
            self._busy = False
            if self._drawing is not None:
                self._drawing.clear()
            self._drawing = Drawing(self.server.scene, self.state.arranger, self._pick)
            self.redraw()

    def _list_parts(self) -> None:
        arranger = self.state.arranger
        names = [
            "\u2003" * int(level) + node.name
            for level, node in zip(arranger.levels, arranger.nodes, strict=True)
        ]
        # A latent slider often changes places only: the list then stays as it is.
        if names == [tick.label for tick in self.ticks]:
            for tick in self.ticks:
                tick.value = True
            return
        for tick in self.ticks:
            tick.remove()
        self.ticks.clear()
        with self._parts:
            for number, name in enumerate(names):
                tick = self.server.gui.add_checkbox(name, True)
                tick.on_update(lambda event, number=number: self._hide(number, event.target.value))
                self.ticks.append(tick)

    def _hide(self, number: int, shown: bool) -> None:
        with self._lock:
            self.state.hide(number, not shown)
            self.redraw()

    def redraw(self) -> None:
        """Bring what is drawn to what the controls say."""
        with self._lock:
            if self._busy or self._drawing is None:
                return
            self.state.set_time(float(self.frame.value))
            self.state.set_explode(float(self.explode.value))
            self.state.set_level(int(self.level.value))
            self.state.coloring = self.coloring.value
            (picture,) = self.state.pictures()
            with self.server.atomic():
                self._drawing.draw(
                    picture.arrangement,
                    own_colors=self.coloring.value == "semantics",
                    relations=bool(self.relations.value),
                )

    def _pick(self, number: int) -> None:
        node = self.state.arranger.nodes[number]
        self.picked.content = (
            f"**{_plain(node.name)}**  \n{_plain(str(node.extras.get('label', '')))}"
        )

    def _save_glb(self, client: Any) -> None:
        from shapegen.formats.glb import glb_bytes

        if client is not None:
            with self._lock:
                scene = self.state.export()
            client.send_file_download("shape.glb", glb_bytes(scene))

    def _save_picture(self, client: Any) -> None:
        from shapegen.formats.png import png_bytes

        if client is not None:
            pixels = client.get_render(height=1080, width=1440)
            client.send_file_download("shape.png", png_bytes(np.asarray(pixels)[..., :3]))

    def _frame_camera(self) -> None:
        low, high = room_of(self.state.arranger)
        reach = float(np.linalg.norm(high - low))
        target = 0.5 * (low + high)
        camera = self.server.initial_camera
        camera.look_at = tuple(target)
        camera.position = tuple(target + 1.4 * reach * np.array([0.53, 0.35, 0.77]))


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    return "".join(f"&#{ord(letter)};" if not letter.isalnum() else letter for letter in text)


def _free_port(host: str) -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _imported() -> ModuleType:
    try:
        import viser
    except ImportError:
        raise RuntimeError(
            "the viewer in a browser needs viser; install it with: pip install 'shapegen[web]' "
            "(without it: shapegen view --html FILE)"
        ) from None
    module: ModuleType = viser
    return module
