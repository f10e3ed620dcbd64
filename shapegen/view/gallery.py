"""One HTML page with pictures, animations and tables, everything inside the file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.formats.gif import gif_bytes
from shapegen.formats.html import source_digest
from shapegen.formats.png import png_bytes

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pictures:
    """A section of pictures."""

    title: str
    images: Sequence[Pixels]
    captions: Sequence[str] = ()
    """One a picture, or none."""
    text: str = ""
    """What the reader sees here."""
    links: Sequence[str] = ()
    """A file (relative to the page) that each picture leads to, or none."""


@dataclass(frozen=True, eq=False)
class Animation:
    """A section with an animated picture and its single frames."""

    title: str
    frames: Sequence[Pixels]
    text: str = ""
    fps: float = 12.0
    strip: int = 7
    """How many of the frames are shown beside it."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """A section of pictures two by two: a sample and its nearest neighbour, ..."""

    title: str
    left: Sequence[Pixels]
    right: Sequence[Pixels]
    captions: Sequence[str] = ()
    """One a pair, or none."""
    text: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A section with figures: ``columns[column][row]``."""

    title: str
    columns: Mapping[str, Mapping[str, float | str]]
    text: str = ""


Section = Pictures | Animation | Pairs | Table


def write_gallery(
    path: str | Path, sections: Sequence[Section], *, title: str = "shapegen", text: str = ""
) -> None:
    """Write the page.

    Args:
        path: An ``.html`` file.
        sections: In their order on the page.
        title: Its heading.
        text: A paragraph below the heading.

    Raises:
        ValueError: A section has captions, links or pairs that do not match its pictures.
    """
    body = "\n".join(_section(section) for section in sections)
    intro = f"<p>{escape(text)}</p>" if text else ""
    # Pictures of the page and its style are all that a browser may load.
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{source_digest(_STYLE)}'"
    )
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>{intro}</header>\n{body}\n</body>\n</html>\n"
    )
    with replacing(path) as aside:
        aside.write_text(page, encoding="utf-8", newline="\n")


def _section(section: Section) -> str:
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    if isinstance(section, Pictures):
        content = _pictures(section)
    elif isinstance(section, Animation):
        content = _animation(section)
    elif isinstance(section, Pairs):
        content = _pairs(section)
    else:
        content = _table(section)
    return f"<section><h2>{escape(section.title)}</h2>{text}\n{content}\n</section>"


def _pictures(section: Pictures) -> str:
    captions = _matching(section.captions, len(section.images), "captions")
    links = _matching(section.links, len(section.images), "links")
    cards = []
    for image, caption, link in zip(section.images, captions, links, strict=True):
        picture = _png(image, caption)
        if link:
            picture = f'<a href="{escape(link)}">{picture}</a>'
        cards.append(_card(picture, caption))
    return f'<div class="grid">{"".join(cards)}</div>'


def _animation(section: Animation) -> str:
    frames = section.frames
    there_and_back = [*frames, *([frames[-1]] * round(0.6 * section.fps)), *frames[-2:0:-1]]
    data = base64.b64encode(gif_bytes(there_and_back, fps=section.fps)).decode()
    moving = f'<img alt="{escape(section.title)}" src="data:image/gif;base64,{data}">'
    chosen = np.linspace(0, len(frames) - 1, min(section.strip, len(frames)))
    strip = "".join(
        _card(_png(frames[i], f"step {i + 1}"), f"{i + 1}") for i in chosen.round().astype(int)
    )
    return f'<div class="moving">{moving}</div><div class="grid small">{strip}</div>'


def _pairs(section: Pairs) -> str:
    if len(section.left) != len(section.right):
        raise ValueError(
            f"pairs need as many left as right; got {len(section.left)} and {len(section.right)}"
        )
    captions = _matching(section.captions, len(section.left), "captions")
    cards = [
        _card(_png(left, f"{caption} (left)") + _png(right, f"{caption} (right)"), caption)
        for left, right, caption in zip(section.left, section.right, captions, strict=True)
    ]
    return f'<div class="grid pairs">{"".join(cards)}</div>'


def _table(section: Table) -> str:
    rows = list(dict.fromkeys(row for column in section.columns.values() for row in column))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *section.columns))
    lines = []
    for row in rows:
        cells = "".join(
            f"<td>{escape(_figure(column.get(row, '')))}</td>"
            for column in section.columns.values()
        )
        lines.append(f"<tr><th>{escape(row)}</th>{cells}</tr>")
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _matching(values: Sequence[str], count: int, name: str) -> Sequence[str]:
    if values and len(values) != count:
        raise ValueError(f"one of the {name} a picture ({count}) or none; got {len(values)}")
    return values or [""] * count


def _card(picture: str, caption: str) -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{picture}{below}</figure>"


def _png(pixels: Pixels, alt: str) -> str:
    data = base64.b64encode(png_bytes(pixels)).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


_STYLE = """
:root { color-scheme: light dark; --ink: #2a2e35; --faint: #6c7480; --page: #f6f7f9;
  --card: #fff; --line: #e3e6ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --faint: #9aa2ad; --page: #16181c;
  --card: #22262c; --line: #333941; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 1180px; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .3rem; font-size: 2rem; letter-spacing: -.02em; }
h2 { margin: 2.6rem 0 .4rem; font-size: 1.25rem; }
p { margin: .2rem 0 1rem; color: var(--faint); max-width: 46rem; }
.grid { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)); margin-top: 12px; }
.grid.pairs { grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); }
.grid.pairs img { width: 50%; }
figure { margin: 0; overflow: hidden; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
figure img { display: inline-block; width: 100%; vertical-align: top; }
figcaption { padding: .3rem .6rem; color: var(--faint); font-size: .82rem; text-align: center;
  border-top: 1px solid var(--line); }
.moving img { max-width: 100%; border: 1px solid var(--line); border-radius: 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .35rem .9rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; font-weight: 600; }
"""
