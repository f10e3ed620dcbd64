"""The page of a run: every family has one, and a browser shows it without asking anybody."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import shapegen
from shapegen.checkpoint import save
from shapegen.cli import app, pages
from shapegen.config import load_run
from shapegen.data.catalog import make
from shapegen.images.images import Images
from shapegen.points.point_clouds import PointClouds
from shapegen.registry import MODELS, build_seeded
from shapegen.train.data import load_data
from shapegen.view import Animation, Pairs, Pictures, Table, write_gallery
from tests.fields.test_graf import graf
from tests.view.browser import Watched, chromium

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"
NASTY = '<img src=x onerror="document.title=1">'


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": 3, "STEPS": 3, "SIZE": 40, "PAIRS": 2, "ENDS": 2}.items():
        monkeypatch.setattr(pages, name, value)


@pytest.mark.parametrize("name", ["vae", "pixelcnn", "voxelgan", "graphrnn", "graf", "pix2pix"])
def test_every_family_has_its_sections(name: str, tmp_path: Path) -> None:
    run = load_run(TINY / f"{name}.yaml", ["data.count=24", "data.holdout=8", "data.validation=0"])
    split = load_data(run.data)
    model = build_seeded(name, run.model.fields, 0).eval()
    if name == "pix2pix":
        model.calibrate(model.prepare(split.train), rng=torch.Generator().manual_seed(0))
    figures: dict[str, Any] = {
        "metrics": {"mmd": 0.5, "cov": None},
        "floor": {"mmd": 0.1},
        "baseline": {"mmd": 0.9},
        "intervals": {},
        "reconstruction": {"model": {}, "floor": {}, "baseline": {}},
        "memorisation": {"ratio": 1.0},
        "model": {},
        "settings": {"samples": 2, "reference": 2, "train": 2, "distance": "x", "baseline": "b_c"},
    }
    sections = pages.evaluation_page(model, figures, split.train, split.holdout, seed=0)
    kinds = [type(section) for section in sections]
    capabilities = MODELS[name].capabilities
    assert kinds.count(Pictures) == 1
    assert kinds.count(Animation) == ("interpolate" in capabilities)
    assert kinds.count(Pairs) == 1 + ("reconstruct" in capabilities or name == "pix2pix")
    assert kinds.count(Table) == 2
    near = next(each for each in sections if "nearest" in each.title)
    assert isinstance(near, Pairs)
    assert all(re.fullmatch(r".+ · [\d.e+-]+", caption) for caption in near.captions)
    table = next(each for each in sections if isinstance(each, Table))
    assert table.columns["b c"] == {"mmd": "0.900"}
    assert table.columns["model"]["cov"] == "-"
    write_gallery(tmp_path / "a.html", sections)
    assert (tmp_path / "a.html").stat().st_size < 500_000


def test_figures_of_images_name_the_network_that_they_are_measured_in() -> None:
    used = {"extractor": "net 1", "dimensions": 4, "resize": "none", "neighbours": 5}
    settings = {"samples": 2, "reference": 2, "train": 2, "distance": "x", "baseline": "b"}
    result: dict[str, Any] = {
        "metrics": {"frechet": 0.5},
        "floor": {"frechet": 0.1},
        "baseline": {"frechet": 0.9},
        "intervals": {},
        "reconstruction": {"model": {}, "floor": {}, "baseline": {}},
        "memorisation": {},
        "model": {},
        "settings": settings | {"features": used | {"samples": 2, "reference": 3}},
    }
    (table,) = pages.figures_sections(result)
    assert "features: 4 of net 1; images resized to none; 2 samples against 3" in table.text


def test_a_copy_of_a_training_shape_is_shown_beside_it() -> None:
    rng = np.random.default_rng(0)
    train = Images(rng.uniform(-1, 1, (9, 1, 4, 4)), names=[f"face {i}" for i in range(9)])
    section = pages.neighbours_section("model", [train[4:5], train[8:9]], train)
    for left, right in zip(section.left, section.right, strict=True):
        np.testing.assert_array_equal(left, right)
    assert section.captions == ["face 4 · 0", "face 8 · 0"]
    assert "9 training shapes" in section.text


def test_names_out_of_files_stay_text(tmp_path: Path) -> None:
    clouds = PointClouds(np.random.default_rng(0).normal(size=(3, 9, 3)), [NASTY] * 3)
    section = pages.neighbours_section(NASTY, [clouds[:1]], clouds)
    write_gallery(tmp_path / "a.html", [section], title=NASTY, text=NASTY)
    page = (tmp_path / "a.html").read_text()
    assert NASTY not in page
    assert page.count(escape(NASTY)) >= 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a model of digits, evaluated on the command line."""
    folder = tmp_path_factory.mktemp("page")
    digits = make("digits", count=60)
    digits[:40].write(folder / "train.npz")
    digits[40:].write(folder / "test.npz")
    run = load_run(TINY / "vae.yaml")
    save(build_seeded("vae", run.model.fields, 0).eval(), folder / "vae.safetensors")
    words = ["--train", folder / "train.npz", "--data", folder / "test.npz", "--json", "-"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "SIZE", 64)
        line = ["evaluate", folder / "vae.safetensors", *words, "--html", folder / "page.html"]
        done = CliRunner().invoke(app, [str(word) for word in line])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("{")  # the figures alone
    assert "page.html" in done.stderr
    return folder / "page.html"


def test_a_browser_shows_the_page(made: Path) -> None:
    with chromium() as browser:
        watched = Watched(browser, made.as_uri())
        page = watched.page
        assert page.locator("h1").text_content() == "vae"
        titles = page.locator("h2").all_text_contents()
        assert titles[:4] == [
            "vae: samples",
            "vae: interpolation",
            "vae: reconstructions",
            "vae: nearest training shapes",
        ]
        assert {"figures: generation", "figures: reconstruction"} <= set(titles)
        # The floor and the baseline stand beside the model's figures.
        heads = page.locator("table").first.locator("th").all_text_contents()
        assert {"model", "floor", "pca gaussian"} <= set(heads)
        broken = "images => images.filter(each => !each.complete || !each.naturalWidth).length"
        assert page.locator("img").evaluate_all(broken) == 0
        assert page.locator("img").count() > 15
        # The style is allowed by the page's own policy, and nothing else is.
        assert page.locator(".grid").first.evaluate("e => getComputedStyle(e).display") == "grid"
        page.set_viewport_size({"width": 360, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert watched.errors == []
        own = {url for url in watched.requests if not url.startswith("data:")}
        assert own == {made.as_uri()}
        page.context.close()


def test_shipped_models_have_pages_too(tmp_path: Path) -> None:
    data = make("furniture-chairs", count=6, seed=9)
    model = shapegen.load("grass-furniture")
    shapes = pages.drawn(model, [0, 1])
    sections = [
        pages.samples_section("grass", shapes, 0),
        *pages.rebuilt_section("grass", model, data[:2]),
        pages.neighbours_section("grass", shapes, data),
    ]
    assert [section.title for section in sections] == [
        "grass: samples",
        "grass: reconstructions",
        "grass: nearest training shapes",
    ]


def test_a_walk_goes_to_another_structure_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "ENDS", 8)
    trees = pages.walk(shapegen.load("grass-furniture"), 0)
    assert trees is not None
    counts = [len(shape.to_scene()) for shape in (trees.shapes[0], trees.shapes[-1])]
    assert counts[0] != counts[1]
    assert ", whose structure differs, in 3 steps" in trees.text
    asked, decoded = list[int](), pages._decoded
    monkeypatch.setattr(pages, "_decoded", lambda *of: asked.append(1) or decoded(*of))
    fields = pages.walk(graf(), 0)
    assert fields is not None
    assert fields.text == "From sample 0 to sample 1 in 3 steps."
    assert len(asked) == 1  # what is one part is not decoded to be counted
