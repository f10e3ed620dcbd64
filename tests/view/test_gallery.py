"""The gallery page is whole in itself and says what it was given."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pil

from shapegen import view

IMAGES = [np.full((8, 8, 3), 30 * i, np.uint8) for i in range(6)]


class Tags(HTMLParser):
    """Checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path: Path) -> str:
    view.write_gallery(
        tmp_path / "index.html",
        [
            view.Pictures("Samples", IMAGES[:2], ["a <b>", "c"], links=["0.glb", "1.glb"]),
            view.Animation("Walk", IMAGES, strip=3),
            view.Pairs("Neighbours", IMAGES[:2], IMAGES[2:4], ["0.1", "0.2"], text="left, right"),
            view.Table("Figures", {"model": {"mmd": 0.08512, "note": "x"}, "floor": {"mmd": 1}}),
        ],
        title="A & B",
    )
    return (tmp_path / "index.html").read_text()


def test_the_page_needs_nothing_else(page: str) -> None:
    parser = Tags()
    parser.feed(page)
    assert parser.open == []
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 2 + 1 + 3 + 4
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search("https?:", page)
    for source, image in zip(sources[:2], IMAGES, strict=False):
        data = base64.b64decode(source.split(",")[1])
        np.testing.assert_array_equal(np.asarray(pil.open(io.BytesIO(data))), image)
    gif = pil.open(io.BytesIO(base64.b64decode(sources[2].split(",")[1])))
    assert gif.n_frames == 10  # 0 1 2 3 4 5 4 3 2 1


def test_text_is_escaped_and_figures_are_shown(page: str) -> None:
    assert "<h1>A &amp; B</h1>" in page
    assert "a &lt;b&gt;" in page
    assert "<th></th><th>model</th><th>floor</th>" in page
    assert "<th>mmd</th><td>0.08512</td><td>1</td>" in page
    assert "<th>note</th><td>x</td><td></td>" in page
    assert '<a href="1.glb">' in page


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        view.write_gallery(tmp_path / name, [view.Animation("x", IMAGES)])
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    "section",
    [
        view.Pictures("x", IMAGES, ["one"]),
        view.Pictures("x", IMAGES, links=["one"]),
        view.Pairs("x", IMAGES, IMAGES[:2]),
        view.Pairs("x", IMAGES, IMAGES, ["one"]),
    ],
)
def test_what_does_not_match_is_refused(section: view.Pictures, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got"):
        view.write_gallery(tmp_path / "a.html", [section])
    assert list(tmp_path.iterdir()) == []
