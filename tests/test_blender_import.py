"""The import script of Blender: what needs no Blender, and all of it where bpy is installed."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from shapegen.formats import write_scene
from tests.hand_made import chair

SCRIPT = Path(__file__).resolve().parents[1] / "viewers" / "blender_import.py"
INSIDE = """
import json, runpy, sys
import bpy
script, *files = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
sys.argv = ["blender", "--", *files]
runpy.run_path(script, run_name="__main__")
assert {"one", "two"} <= {each.name for each in bpy.data.collections}
print(json.dumps({
    part.name: {
        "parent": part.parent.name if part.parent else None,
        "label": part["label"],
        "color": list(part.color)[:3],
        "pass": part.pass_index,
    }
    for part in bpy.data.collections["one"].objects
}))
"""
"""Reads files as a user would, and says what Blender has made of the first."""


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("blender_import", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_stands_alone() -> None:
    """Blender has its own Python: nothing but the standard library, and bpy in functions."""
    tree = ast.parse(SCRIPT.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            for name in names:
                top = str(name).split(".")[0]
                assert top in sys.stdlib_module_names or top in {"bpy", "mathutils", "__future__"}
    top_level = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any("bpy" in ast.unparse(node) for node in top_level)


def test_arguments_stand_behind_two_dashes(script: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "a.glb"
    file.write_bytes(b"")
    found = script.arguments(["blender", "--python", "x.py", "--", str(file), "--columns", "3"])
    assert (found.files, found.columns, found.save) == ([file], 3, None)
    for wrong in ([], ["--", str(tmp_path / "b.glb")], ["--", str(file), "--columns", "0"]):
        with pytest.raises(SystemExit):
            script.arguments(["blender", *wrong])


def test_files_do_not_overlap_and_stand_around_the_origin(script: ModuleType) -> None:
    sizes = [(1.0, 2.0), (3.0, 1.0), (2.0, 2.0), (1.0, 1.0), (1.0, 1.0)]
    for columns in (None, 1, 2, 5, 9):
        found = np.array(script.places(sizes, columns))
        apart = np.abs(found[:, None] - found[None])
        free = (apart[..., 0] >= 3) | (apart[..., 1] >= 2)
        assert free[~np.eye(5, dtype=bool)].all()
        np.testing.assert_allclose(found.max(0) + found.min(0), 0, atol=1e-9)
    assert script.places(sizes[:1], None) == [(0, 0)]


def test_labels_have_numbers_and_names_stand_in_for_them(script: ModuleType) -> None:
    assert script.label_numbers(["b", "a", "b"]) == {"a": 1, "b": 2}
    assert script.label_of({"label": "chair/leg"}, "leg_1") == "chair/leg"
    assert script.label_of({}, "chair_leg_1_2.003") == "chair_leg"
    assert script.label_of({"label": ""}, "7") == "7"
    assert script.extent([(0, 5, 1), (2, -1, 1)]) == ([0, -1, 1], [2, 5, 1])


def test_blender_keeps_hierarchy_and_colours(tmp_path: Path) -> None:
    python = os.environ.get("SHAPEGEN_BPY")
    if not python:
        pytest.skip("SHAPEGEN_BPY names no Python with bpy, which needs numpy 1: its own venv")
    scene = chair().to_scene()
    for name in ("one", "two"):
        write_scene(scene, tmp_path / f"{name}.glb")
    files = [str(tmp_path / f"{name}.glb") for name in ("one", "two")]
    words = [python, "-c", INSIDE, str(SCRIPT), *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    own = json.loads(done.stdout.splitlines()[-1])
    assert set(own) == {node.name for node in scene.nodes}
    for node in scene.nodes:
        part = own[node.name]
        assert part["parent"] == (scene.nodes[node.parent].name if node.parent >= 0 else None)
        assert part["label"] == node.extras["label"]
        if node.primitive is not None:
            linear = [((value + 0.055) / 1.055) ** 2.4 for value in node.color]
            np.testing.assert_allclose(part["color"], linear, atol=1e-4)
    legs = {own[f"leg_{number}"]["pass"] for number in range(1, 5)}
    assert len(legs) == 1
    assert own["seat"]["pass"] not in legs
