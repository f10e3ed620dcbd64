"""Keys of a viewer: what each does to the state, and the help that lists them."""

from __future__ import annotations

from collections.abc import Callable

from shapegen.view.arrangement import COLORINGS
from shapegen.view.state import ViewerState


def press(state: ViewerState, key: str) -> bool:
    """Do what a key stands for.

    Args:
        state: Of the viewer.
        key: A letter or sign, ``left`` or ``right``.

    Returns:
        Whether the key stands for something.
    """
    entry = KEYS.get(key)
    if entry is None:
        return False
    entry[1](state)
    return True


def help_text(others: dict[str, str]) -> str:
    """Lines of keys and what they do.

    Args:
        others: Keys of the window itself, which no state knows.
    """
    lines = {key: text for key, (text, _) in KEYS.items()} | others
    width = max(map(len, lines))
    shown = {" ": "space"}
    return "\n".join(
        f"{shown.get(key, key).upper():<{width}}  {text}" for key, text in lines.items()
    )


def _toggle(name: str) -> Callable[[ViewerState], None]:
    return lambda state: setattr(state, name, not getattr(state, name))


def _color(number: int) -> Callable[[ViewerState], None]:
    return lambda state: setattr(state, "coloring", COLORINGS[number])


def _resample(state: ViewerState) -> None:
    if state.explorer is not None:
        state.resample()


KEYS: dict[str, tuple[str, Callable[[ViewerState], None]]] = {
    "n": ("next shape", lambda state: state.choose(state.shape + 1)),
    "p": ("previous shape", lambda state: state.choose(state.shape - 1)),
    "c": ("compare all shapes side by side", lambda state: state.set_compare(not state.compare)),
    " ": ("play, or stop", _toggle("playing")),
    "right": ("next frame", lambda state: state.set_time(int(state.time) + 1)),
    "left": ("previous frame", lambda state: state.set_time(-(-state.time // 1) - 1)),
    "+": ("pull the parts apart", lambda state: state.set_explode(state.explode + 0.1)),
    "-": ("put the parts together", lambda state: state.set_explode(state.explode - 0.1)),
    "]": ("a level deeper", lambda state: state.set_level(state.level + 1)),
    "[": ("a level up", lambda state: state.set_level(state.level - 1)),
    **{
        str(number + 1): (f"colour by {name}", _color(number))
        for number, name in enumerate(COLORINGS)
    },
    "v": ("relations", _toggle("relations")),
    "l": ("labels", _toggle("labels")),
    "m": ("another draw of the model", _resample),
}
