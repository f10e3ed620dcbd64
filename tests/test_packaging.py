"""The wheel holds the library, its weights and nothing else."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import shapegen

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("setuptools")
    # A copy, because setuptools writes build/ and an egg-info folder beside the sources.
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("shapegen", "benchmarks", "configs", "datasets", "tests", "viewers"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(source / "dist"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next((source / "dist").glob("*.whl")))


def test_only_shapegen_is_installed(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"shapegen", f"shapegen-{shapegen.__version__}.dist-info"}


def test_every_module_and_data_file_is_inside(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if name.startswith("shapegen/")}
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "shapegen").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == expected
    assert "shapegen/py.typed" in inside
    assert any(name.endswith(".safetensors") for name in inside)


def test_metadata(wheel: zipfile.ZipFile) -> None:
    folder = f"shapegen-{shapegen.__version__}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{folder}/METADATA"))
    assert metadata["License"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "all",
        "dev",
        "film",
        "hdf5",
        "logs",
        "metrics",
        "solid",
        "viewer",
        "web",
    }
    scripts = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "shapegen = shapegen.cli:main" in scripts
