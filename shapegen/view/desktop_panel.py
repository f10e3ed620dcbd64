"""The controls of the desktop viewer: widgets that change the state, and follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapegen.view.arrangement import COLORINGS, Arranger
from shapegen.view.latents import REACH, Latents
from shapegen.view.pieces import label_of
from shapegen.view.state import ViewerState

Change = Callable[[], None]


class Panel:
    """A column of controls.

    Args:
        gui: Open3D's module of widgets.
        window: For its theme.
        state: What the controls change.
        buttons: Name and action of those that do not change it.
        changed: Does a change, then draws.
    """

    def __init__(
        self,
        gui: Any,
        window: Any,
        state: ViewerState,
        buttons: Mapping[str, Change],
        changed: Callable[[Change], None],
    ) -> None:
        self._gui = gui
        self._em = window.theme.font_size
        self._state = state
        self._changed = changed
        self._listed: Arranger | None = None
        self.ticks: list[Any] = []
        self.latents: list[Any] = []
        self.buttons: dict[str, Any] = {}
        gap = self._em // 2
        # The bar of a panel that scrolls lies over its right margin.
        self.widget = gui.ScrollableVert(gap, gui.Margins(gap, gap, 3 * gap, gap))
        self._shapes()
        self._looks()
        if state.explorer is not None:
            self._sliders(state.explorer.latents)
        self._actions(buttons)
        self._swaps()
        # Last, as it takes the height that the others leave.
        self._part_tree()

    def sync(self) -> None:
        """Show what the state says; keys and a playing walk change it, too."""
        state = self._state
        self.shape.selected_index = state.shape
        self.compare.checked = state.compare
        self.coloring.selected_index = COLORINGS.index(state.coloring)
        self.explode.double_value = state.explode
        self.level.set_limits(0, max(state.depth, 1))
        self.level.int_value = state.level
        self.level.enabled = state.depth > 0
        self.frame.set_limits(0.0, float(max(state.last, 1)))
        self.frame.double_value = state.time
        self.frame.enabled = self.playing.enabled = state.last > 0
        self.playing.checked = state.playing
        self.relations.checked = state.relations
        self.labels.checked = state.labels
        if state.explorer is not None:
            for slider, step in zip(self.latents, state.explorer.steps, strict=True):
                slider.double_value = float(step)
            self.flow.double_value = state.flow
        self._list_parts()
        shown = [
            f"{state.arrangers[shape].nodes[node].name} of {state.names[shape]}"
            for shape, node in state.swaps.picks
        ]
        self.swapped.text = "Swap " + (" and ".join(shown) if len(shown) == 2 else "parts: -")

    def _shapes(self) -> None:
        self.shape = self._gui.Combobox()
        for name in self._state.names:
            self.shape.add_item(name)
        self.shape.set_on_selection_changed(
            lambda _, number: self._changed(lambda: self._state.choose(number))
        )
        self.compare = self._tick("Compare all side by side", self._state.set_compare)
        self._row("Shape", self.shape, self._grid(self.widget))
        self.widget.add_child(self.compare)
        several = len(self._state.names) > 1
        self.shape.enabled = self.compare.enabled = several

    def _looks(self) -> None:
        state = self._state
        self.coloring = self._gui.Combobox()
        for name in COLORINGS:
            self.coloring.add_item(name)
        self.coloring.set_on_selection_changed(
            lambda _, number: self._changed(lambda: setattr(state, "coloring", COLORINGS[number]))
        )
        grid = self._grid(self.widget)
        self._row("Colour by", self.coloring, grid)
        self.explode = self._slider("Explode", 0.0, 2.0, state.set_explode, grid)
        self.level = self._slider(
            "Level",
            0,
            max(state.depth, 1),
            lambda level: state.set_level(int(level)),
            grid,
            whole=True,
        )
        self.frame = self._slider("Frame", 0.0, 1.0, state.set_time, grid)
        self.playing = self._tick("Play", lambda on: setattr(state, "playing", on))
        self.relations = self._tick("Relations", lambda on: setattr(state, "relations", on))
        self.labels = self._tick("Labels", lambda on: setattr(state, "labels", on))
        ticks = self._gui.Horiz(self._em)
        for tick in (self.playing, self.relations, self.labels):
            ticks.add_child(tick)
        self.widget.add_child(ticks)

    def _sliders(self, latents: Latents) -> None:
        state = self._state
        folder = self._gui.CollapsableVert("Latent (standard deviations)", self._em // 4)
        grid = self._grid(folder)
        for name in latents.titles:
            self.latents.append(self._slider(name, -REACH, REACH, self._slide, grid))
        self.flow = self._slider("Flow", 0.0, 1.0, state.set_flow, grid)
        self.flow.enabled = latents.flow is not None
        pairs = self._grid(folder)
        self._act(pairs, "Resample", state.resample)
        self._act(pairs, "Walk", state.walk, enabled=latents.walk is not None)
        self._act(pairs, "Samples", state.sample, enabled=latents.sheet is not None)
        self._act(pairs, "Mesh", state.extract, enabled=latents.looks is not None)
        self.widget.add_child(folder)

    def _slide(self, _: float) -> None:
        self._state.slide([float(slider.double_value) for slider in self.latents])

    def _actions(self, buttons: Mapping[str, Change]) -> None:
        grid = self._grid(self.widget)
        for name, action in buttons.items():
            button = self._gui.Button(name)
            button.vertical_padding_em = 0
            button.set_on_clicked(action)
            grid.add_child(button)

    def _part_tree(self) -> None:
        self.picked = self._gui.Label("Parts: choose one for its name")
        self.tree = self._gui.TreeView()
        self.tree.can_select_items_with_children = True
        self.tree.set_on_selection_changed(self._pick)
        self.widget.add_child(self.picked)
        self.widget.add_child(self.tree)

    def _swaps(self) -> None:
        """A part chosen in the tree of a shape, then one of another: they can be exchanged."""
        state = self._state
        self.swapped = self._gui.Label("")
        self.widget.add_child(self.swapped)
        row = self._gui.Horiz(self._em // 2)
        for name, act in (("Swap", state.swap), ("Undo", state.undo), ("Reset", state.reset)):
            self._act(row, name, act)
        self.widget.add_child(row)

    def _list_parts(self) -> None:
        arranger = self._state.arranger
        if arranger is not self._listed:
            self.tree.clear()
            self.ticks.clear()
            self._items: dict[int, int] = {}
            rows: list[int] = []
            for number, node in enumerate(arranger.nodes):
                cell = self._gui.CheckableTextTreeCell(
                    node.name, True, lambda shown, number=number: self._hide(number, shown)
                )
                above = rows[node.parent] if node.parent >= 0 else self.tree.get_root_item()
                rows.append(self.tree.add_item(above, cell))
                self._items[rows[-1]] = number
                self.ticks.append(cell.checkbox)
            self._listed = arranger
        for number, tick in enumerate(self.ticks):
            tick.checked = not self._state.is_hidden(number)

    def _hide(self, number: int, shown: bool) -> None:
        self._changed(lambda: self._state.hide(number, not shown))

    def _pick(self, item: int) -> None:
        number = self._items.get(item)
        if number is not None and self._listed is not None:
            node = self._listed.nodes[number]
            label = label_of(node)
            self.picked.text = node.name if label == node.name else f"{node.name}: {label}"
            self._changed(lambda: self._state.swaps.pick(self._state.shape, number))

    def _act(self, parent: Any, name: str, act: Change, *, enabled: bool = True) -> None:
        """A button that changes the state."""
        button = self._gui.Button(name)
        button.vertical_padding_em = 0
        button.enabled = enabled
        button.set_on_clicked(lambda: self._changed(act))
        self.buttons[name] = button
        parent.add_child(button)

    def _tick(self, name: str, act: Callable[[bool], None]) -> Any:
        made = self._gui.Checkbox(name)
        made.set_on_checked(lambda on: self._changed(lambda: act(on)))
        return made

    def _slider(
        self,
        name: str,
        low: float,
        high: float,
        act: Callable[[float], None],
        grid: Any,
        *,
        whole: bool = False,
    ) -> Any:
        made = self._gui.Slider(self._gui.Slider.INT if whole else self._gui.Slider.DOUBLE)
        made.set_limits(low, high)
        made.set_on_value_changed(lambda value: self._changed(lambda: act(value)))
        self._row(name, made, grid)
        return made

    def _grid(self, parent: Any) -> Any:
        """Rows of a name and a control, one below the other."""
        grid = self._gui.VGrid(2, self._em // 4)
        parent.add_child(grid)
        return grid

    def _row(self, name: str, control: Any, grid: Any) -> None:
        grid.add_child(self._gui.Label(name))
        grid.add_child(control)
