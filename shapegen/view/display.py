"""Whether a window can be opened here."""

from __future__ import annotations

import ctypes.util
import os
import sys

Found = tuple[str, str]
"""Name of the display, and what is wrong with it; both may be empty."""


def display() -> Found:
    """Look for the display that a window would open on.

    Returns:
        Its name and what is wrong: nothing where it can be opened, or where only opening a window
        would tell.
    """
    if sys.platform != "linux":
        return "", ""
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if wayland:
        return wayland, ""
    name = os.environ.get("DISPLAY", "")
    if not name:
        return "", "DISPLAY is not set"
    library = ctypes.util.find_library("X11")
    if library is None or _opens(library):
        return name, ""
    return name, f"{name!r} cannot be opened"


def _opens(library: str) -> bool:
    x11 = ctypes.CDLL(library)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    found = x11.XOpenDisplay(None)
    if found:
        x11.XCloseDisplay(ctypes.c_void_p(found))
    return bool(found)
