"""A browser without a window for the tests of pages; a test without one is skipped."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Drawn by the processor, so that the pictures are the same everywhere.
SWITCHES = (
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--use-gl=angle",
    "--use-angle=swiftshader",
)
SIZE = {"width": 720, "height": 460}
SHAPE = {"x": 0, "y": 0, "width": 450, "height": 460}
"""What the panel leaves free."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A running Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium (apt install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page with what it said on the console and what it asked of the network."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.page = browser.new_context(viewport=SIZE, accept_downloads=True, **context).new_page()
        self.page.set_default_timeout(60_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self._said(line))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def _said(self, line: Any) -> None:
        if line.type == "error":
            self.errors.append(line.text)

    def picture(self) -> np.ndarray:
        """Pixels ``(H, W, 3)`` of the shape, after it was drawn."""
        # Two frames: the one that draws what was asked for, and one to be sure that it did.
        self.page.evaluate(
            "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )
        data = self.page.screenshot(clip=SHAPE)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    def set(self, name: str, value: object) -> None:
        """Move a slider, choose an option."""
        self.page.locator(f"#{name}").evaluate(
            """(element, value) => {
                element.value = value;
                for (const kind of ['input', 'change']) element.dispatchEvent(new Event(kind));
            }""",
            str(value),
        )
