"""Looking at shapes: pictures, sheets, animations, a gallery page, a window."""

from shapegen.formats.gif import write_gif
from shapegen.formats.html import html_page, notebook_html, write_html
from shapegen.formats.picture import Style, scene_camera, thumbnail
from shapegen.formats.png import write_png
from shapegen.formats.turntables import turntable, write_turntable
from shapegen.view.animation import animation_frames, write_animation
from shapegen.view.desktop import show
from shapegen.view.gallery import Animation, Pairs, Pictures, Table, write_gallery
from shapegen.view.plots import (
    curves,
    image_rows,
    scatter,
    write_curves,
    write_rows,
    write_scatter,
)
from shapegen.view.sheets import contact_sheet, pair_sheet, thumbnails

__all__ = [
    "Animation",
    "Pairs",
    "Pictures",
    "Style",
    "Table",
    "animation_frames",
    "contact_sheet",
    "curves",
    "html_page",
    "image_rows",
    "notebook_html",
    "pair_sheet",
    "scatter",
    "scene_camera",
    "show",
    "thumbnail",
    "thumbnails",
    "turntable",
    "write_animation",
    "write_curves",
    "write_gallery",
    "write_gif",
    "write_html",
    "write_png",
    "write_rows",
    "write_scatter",
    "write_turntable",
]
