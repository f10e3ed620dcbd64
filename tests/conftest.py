"""Fixtures of all tests: a seeded random stream, data and parity folders, one thread."""

from __future__ import annotations

import os
from pathlib import Path

# Processes share the cores (make test runs one a core): a thread each, set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from jaxtyping import install_import_hook

ROOT = Path(__file__).resolve().parents[1]


def _annotated() -> list[str]:
    """Modules whose functions state the shapes of tensors."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "shapegen").rglob("*.py"))
        if "\nfrom jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# In the tests, and only there, every call is held against its annotated shapes.
install_import_hook(_annotated(), "beartype.beartype")


def pytest_configure() -> None:
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A test with a time limit of its own is long: begun last, it would run while others are idle.
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(skip)


@pytest.fixture
def rng() -> torch.Generator:
    """A fresh random stream, seed 0."""
    return torch.Generator().manual_seed(0)


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not path.is_dir():
        pytest.skip(f"no folder {path}: set {variable}")
    return path


@pytest.fixture(scope="session")
def data_path() -> Path:
    """The folder of real data sets."""
    return _folder("SHAPEGEN_DATA", "data")


@pytest.fixture(scope="session")
def parity_path() -> Path:
    """The folder of recorded inputs and outputs of the original implementations."""
    return _folder("SHAPEGEN_PARITY", "parity")
