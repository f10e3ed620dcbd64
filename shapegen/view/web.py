"""The viewer in a browser, with sliders through the latents of a model (viser)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from shapegen.scene import Scene
from shapegen.view.arrangement import COLORINGS, Arranger
from shapegen.view.latents import Latents
from shapegen.view.state import FPS, ViewerState
from shapegen.view.web_drawing import Drawing
from shapegen.view.web_panels import ModelPanel, SwapPanel, follow

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
        self.ticks: list[Any] = []
        self.drawings: dict[int, Drawing] = {}
        """By number, of the shapes that are shown."""
        self._busy = False
        self._listed: Arranger | None = None
        self.server = viser.ViserServer(host=host, port=port or _free_port(host), verbose=False)
        # A shared link leads through a server of others: nothing leaves unless asked.
        self.server.gui.configure_theme(show_share_button=False)
        self.server.scene.set_up_direction("+y")
        # viser's own light washes the colours of parts out.
        self.server.scene.configure_environment_map(environment_intensity=0.45)
        self._controls()
        self.sync()
        self._frame_camera()
        if self.state.explorer is not None and self.state.explorer.direction is not None:
            self.server.on_client_connect(self._follow)

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
                if self.state.advance(elapsed):
                    self.sync()

    def close(self) -> None:
        """Stop serving."""
        self.server.stop()

    def change(self, act: Callable[[], object]) -> None:
        """Do what a control says, then show it; what does not work is told."""
        with self._lock:
            if self._busy:
                return
            self.told.visible = False
            try:
                act()
            except (ValueError, RuntimeError) as error:
                self.told.content = _plain(str(error))
                self.told.visible = True
            self.sync()

    def sync(self) -> None:
        """Bring the controls, and what is drawn, to the state."""
        state = self.state
        with self._lock, self.server.atomic():
            self._busy = True  # a control that follows the state must not change it
            self.shape.value = state.names[state.shape]
            self.compare.value = state.compare
            self.frame.max = float(max(state.last, 1))
            follow(self.frame, state.time)
            self.frame.visible = state.last > 0 and not state.flows
            self.playing.value = state.playing
            self.playing.visible = state.last > 0 or state.has_flow
            follow(self.explode, state.explode)
            self.level.max = max(state.depth, 1)
            self.level.value = state.level
            self.level.visible = state.depth > 0
            self.coloring.value = state.coloring
            self.relations.value = state.relations
            self.relations.visible = bool(state.arranger.relations())
            if self.model is not None:
                self.model.sync()
            self.swap.sync()
            self._list_parts()
            self._busy = False
            self.redraw()

    def redraw(self) -> None:
        """Bring what is drawn to the state."""
        with self._lock, self.server.atomic():
            pictures = self.state.pictures()
            for shape in self.drawings.keys() - {picture.shape for picture in pictures}:
                self.drawings.pop(shape).clear()
            for picture in pictures:
                shape = picture.shape
                if shape not in self.drawings:
                    self.drawings[shape] = Drawing(
                        self.server.scene, f"shape_{shape}", partial(self._pick, shape)
                    )
                self.drawings[shape].draw(
                    picture,
                    own_colors=self.state.coloring == "semantics",
                    relations=self.state.relations,
                )

    def _controls(self) -> None:
        gui, state = self.server.gui, self.state
        several = len(state.names) > 1
        self.shape = gui.add_dropdown("Shape", state.names, visible=several)
        self.compare = gui.add_checkbox("Compare all", False, visible=several)
        self.frame = gui.add_slider("Frame", 0.0, 1.0, 0.01, 0.0)
        self.playing = gui.add_checkbox("Play", False)
        self.explode = gui.add_slider("Explode", 0.0, 2.0, 0.02, 0.0)
        self.level = gui.add_slider("Level", 0, 1, 1, 1)
        self.coloring = gui.add_dropdown("Colour by", COLORINGS)
        self.relations = gui.add_checkbox("Relations", False)
        for control, act in (
            (self.shape, lambda name: state.choose(state.names.index(name))),
            (self.compare, self._compare),
            (self.frame, state.set_time),
            (self.playing, lambda on: setattr(state, "playing", on)),
            (self.explode, state.set_explode),
            (self.level, state.set_level),
            (self.coloring, lambda name: setattr(state, "coloring", name)),
            (self.relations, lambda on: setattr(state, "relations", on)),
        ):
            control.on_update(lambda event, act=act: self.change(partial(act, event.target.value)))
        self.picked = gui.add_markdown("Click a part for its name.")
        self.told = gui.add_markdown("", visible=False)
        gui.add_button("Save GLB").on_click(lambda event: self._save_glb(event.client))
        gui.add_button("Save picture").on_click(lambda event: self._save_picture(event.client))
        self.model = None if state.explorer is None else ModelPanel(gui, state, self.change)
        self.swap = SwapPanel(gui, state, self.change)
        self._parts = gui.add_folder("Parts", expand_by_default=False)

    def _compare(self, compare: bool) -> None:
        self.state.set_compare(compare)
        self._frame_camera()

    def _list_parts(self) -> None:
        arranger = self.state.arranger
        if arranger is not self._listed:
            self._listed = arranger
            self._list_names(
                [
                    "\u2003" * int(level) + node.name
                    for level, node in zip(arranger.levels, arranger.nodes, strict=True)
                ]
            )
        for number, tick in enumerate(self.ticks):
            tick.value = not self.state.is_hidden(number)

    def _list_names(self, names: list[str]) -> None:
        # A slider often changes places only: the list then stays as it is.
        if names == [tick.label for tick in self.ticks]:
            return
        for tick in self.ticks:
            tick.remove()
        self.ticks.clear()
        with self._parts:
            for number, name in enumerate(names):
                tick = self.server.gui.add_checkbox(name, True)
                tick.on_update(partial(self._tick, number))
                self.ticks.append(tick)

    def _tick(self, number: int, event: Any) -> None:
        self.change(lambda: self.state.hide(number, not event.target.value))

    def _pick(self, shape: int, number: int) -> None:
        node = self.state.arrangers[shape].nodes[number]
        self.picked.content = (
            f"**{_plain(node.name)}**  \n{_plain(str(node.extras.get('label', '')))}"
        )
        self.change(lambda: self.state.swaps.pick(shape, number))

    def _follow(self, client: Any) -> None:
        """Look at a field from where the last one who moved stands."""
        client.camera.on_update(
            lambda camera: self.state.look(np.subtract(camera.position, camera.look_at))
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
        """Let everybody, and who comes later, see all that is shown."""
        low, high = self.state.bounds()
        reach, target = float(np.linalg.norm(high - low)), 0.5 * (low + high)
        cameras = [client.camera for client in self.server.get_clients().values()]
        for camera in (self.server.initial_camera, *cameras):
            camera.look_at = tuple(target)
            camera.position = tuple(target + 1.4 * reach * self.state.front)


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
