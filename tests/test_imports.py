"""``import shapegen`` is quick and pulls in nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import shapegen

HEAVY = [
    "open3d",
    "trimesh",
    "matplotlib",
    "lightning",
    "lightning_fabric",
    "torch_geometric",
    "torchdiffeq",
    "scipy",
    "PIL",
    "tensorboard",
    "pytorch_lightning",
]

PROGRAM = """
import sys, time
import torch
start = time.process_time()
import shapegen
seconds = time.process_time() - start
print(seconds, *(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_import_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *HEAVY], capture_output=True, text=True, check=True
    )
    seconds, *loaded = done.stdout.split()
    assert loaded == []
    assert float(seconds) < 0.3


@pytest.mark.parametrize("name", shapegen.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(shapegen, name) is not None
    assert name in dir(shapegen)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sampel'"):
        shapegen.sampel  # noqa: B018
