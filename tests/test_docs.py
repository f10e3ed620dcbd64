"""The documentation is true: its commands and snippets run, its links lead somewhere."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("datasets/**/*.md")])

TINY = {"configs/grass_chairs.yaml": "configs/tiny/grass.yaml"}
"""Configurations whose training takes minutes, and those that a test trains in their stead."""
FEWER = {
    "evaluate grass-furniture": ["--train", "out/chairs.npz", "-n", "20"],
    "evaluate runs/chairs": ["--draws", "1", "-n", "20"],
    "lab": ["steps=40", "critic_steps=40"],
    "train": ["train.epochs=2"],
}
"""What is added to commands that take minutes: fewer training shapes, samples and epochs."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("shapegen ")]


def test_the_readme_has_commands_and_snippets() -> None:
    assert len(commands()) >= 8
    assert len(blocks("python")) >= 1


@pytest.mark.timeout(900)
def test_the_commands_of_the_readme_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHAPEGEN_DATA", str(data_path.resolve()))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for line in commands():
        words = [TINY.get(word, word) for word in shlex.split(line)[1:]]
        words = [word.replace("$SHAPEGEN_DATA", str(data_path.resolve())) for word in words]
        words += FEWER.get(" ".join(words[:2]), FEWER.get(words[0], []))
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, f"{line}\n{done.output}"


def test_the_snippets_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "chair.glb").stat().st_size > 0


def test_files_that_the_readme_names_are_there() -> None:
    named = set(re.findall(r"(?:configs|viewers)/[\w/]+\.(?:yaml|py|ipynb)", README))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_verb_stands_in_the_readme() -> None:
    page = CliRunner().invoke(app, ["--help"]).output
    verbs = re.findall(r"^  ([a-z]+) ", page.split("Commands:")[1], flags=re.MULTILINE)
    assert len(verbs) >= 12
    assert [verb for verb in verbs if f"`shapegen {verb}" not in README] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    broken = [
        target
        for target in targets
        if not target.startswith(("http", "mailto:")) and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_named_alike_everywhere() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "license = MIT" in (ROOT / "setup.cfg").read_text()
    assert "MIT licence" in README


def modules_with_examples() -> list[str]:
    found = []
    for path in (ROOT / "shapegen").rglob("*.py"):
        text = path.read_text()
        docs = [
            ast.get_docstring(node) or ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        ]
        if any(">>>" in doc for doc in docs):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(parts).removesuffix(".__init__"))
    return sorted(found)


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_public_names_are_documented() -> None:
    for name in shapegen.__all__:
        if name != "__version__":
            assert (getattr(shapegen, name).__doc__ or "").strip(), name
