"""Controls of the web viewer for a model and for parts that shapes exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapegen.view.latents import REACH
from shapegen.view.state import ViewerState
from shapegen.view.swaps import Pick

Changed = Callable[[Callable[[], None]], None]
"""Does a change of the state, then shows it."""

NOTHING = "none"


def follow(slider: Any, value: float) -> None:
    """Move a slider to a value, but not for rounding: it may be moved in the browser just now."""
    if abs(slider.value - value) > 1e-6:
        slider.value = value


class ModelPanel:
    """Sliders through a model's latents, and what else it can show.

    Args:
        gui: viser's.
        state: Of the viewer, with a model.
        changed: Does a change.
    """

    def __init__(self, gui: Any, state: ViewerState, changed: Changed) -> None:
        assert state.explorer is not None
        latents = state.explorer.latents
        self._state = state
        self.flow: Any = None
        self.buttons: dict[str, Any] = {}
        with gui.add_folder("Latent"):
            self.sliders = [
                gui.add_slider(name, -REACH, REACH, 0.05, 0.0) for name in latents.titles
            ]
            for name, act, there in (
                ("Resample", state.resample, True),
                ("Walk to another", state.walk, latents.walk is not None),
                ("Sheet of samples", state.sample, latents.sheet is not None),
                ("Mesh beside it", state.extract, latents.looks is not None),
            ):
                if there:
                    self.buttons[name] = gui.add_button(name)
                    self.buttons[name].on_click(lambda _, act=act: changed(act))
            if latents.flow is not None:
                self.flow = gui.add_slider("Flow", 0.0, 1.0, 0.01, 1.0)
                self.flow.on_update(lambda _: changed(lambda: state.set_flow(self.flow.value)))
        for slider in self.sliders:
            slider.on_update(lambda _: changed(self._slide))

    def sync(self) -> None:
        """Show what the state says."""
        assert self._state.explorer is not None
        for slider, step in zip(self.sliders, self._state.explorer.steps, strict=True):
            follow(slider, step)
        if self.flow is not None:
            follow(self.flow, self._state.flow)

    def _slide(self) -> None:
        self._state.slide([float(slider.value) for slider in self.sliders])


class SwapPanel:
    """Two parts to choose, by a click on each or here, and buttons to exchange them.

    Args:
        gui: viser's.
        state: Of the viewer.
        changed: Does a change.
    """

    def __init__(self, gui: Any, state: ViewerState, changed: Changed) -> None:
        self._state = state
        self._listed: tuple[object, ...] = ()
        self._parts: list[int] = []
        self._partners: list[Pick] = []
        self.folder = gui.add_folder("Swap parts", expand_by_default=False)
        with self.folder:
            self.part = gui.add_dropdown("Part", [NOTHING])
            self.partner = gui.add_dropdown("For", [NOTHING])
            self.buttons = {}
            for name, act in (("Swap", state.swap), ("Undo", state.undo), ("Reset", state.reset)):
                self.buttons[name] = gui.add_button(name)
                self.buttons[name].on_click(lambda _, act=act: changed(act))
        self.part.on_update(lambda _: changed(self._pick_part))
        self.partner.on_update(lambda _: changed(self._pick_partner))

    def sync(self) -> None:
        """Show what the state says."""
        state = self._state
        own = state.swaps.picked(state.shape)
        listed = (*state.arrangers, state.shape, own)
        if listed != self._listed:
            self._listed = listed
            self._parts = state.swaps.labelled(state.shape)
            self.part.options = [NOTHING, *(self._name((state.shape, n)) for n in self._parts)]
            self._partners = [] if own is None else state.swaps.partners(*own)
            self.partner.options = [NOTHING, *map(self._name, self._partners)]
        others = [pick for pick in state.swaps.picks if pick in self._partners]
        self.part.value = NOTHING if own is None else self._name(own)
        self.partner.value = self._name(others[0]) if others else NOTHING
        self.folder.visible = len(state.arrangers) > 1
        for name in ("Undo", "Reset"):
            self.buttons[name].disabled = not state.swaps.count

    def _name(self, pick: Pick) -> str:
        shape, node = pick
        state = self._state
        name = state.arrangers[shape].nodes[node].name
        return name if shape == state.shape else f"{shape + 1} {state.names[shape]}: {name}"

    def _pick_part(self) -> None:
        number = self.part.options.index(self.part.value) - 1
        self._state.swaps.unpick()
        if number >= 0:
            self._state.swaps.pick(self._state.shape, self._parts[number])

    def _pick_partner(self) -> None:
        number = self.partner.options.index(self.partner.value) - 1
        if number >= 0:
            self._state.swaps.pick(*self._partners[number])
