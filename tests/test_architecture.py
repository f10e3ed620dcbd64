"""The layers, read from the imports: every package imports only what stands below it."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "shapegen"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"core", "scene", "formats"}),
    frozenset({"base", "config", "registry", "model_files"}),
    frozenset({"images", "structures", "points", "fields", "graphs"}),
    frozenset({"metrics", "data", "view", "interop", "checkpoint"}),
    frozenset({"train"}),
    frozenset({"cli", "doctor", "__main__"}),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
FAMILIES = LAYERS[2]
HEAVY = {
    "lightning",
    "matplotlib",
    "networkx",
    "open3d",
    "PIL",
    "imageio_ffmpeg",
    "manifold3d",
    "scipy",
    "skimage",
    "sklearn",
    "tensorboard",
    "torch_fidelity",
    "torch_geometric",
    "torchdiffeq",
    "trimesh",
    "viser",
}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "torch_fidelity": "torch-fidelity",
    "torch_geometric": "torch-geometric",
    "yaml": "pyyaml",
}
OPTIONAL = {
    "h5py",
    "imageio-ffmpeg",
    "manifold3d",
    "open3d",
    "tensorboard",
    "torch-fidelity",
    "viser",
}

FILES = sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The top-level package or module that a file belongs to; "" is the public surface."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"


def typing_only(tree: ast.AST) -> set[ast.AST]:
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {inner for block in blocks for inner in ast.walk(block)}


def breaches(path: Path, text: str) -> list[str]:
    """What a file imports that it must not, a line each."""
    tree = ast.parse(text)
    own = part_of(path)
    found = []
    for node, name in imports(tree):
        pieces = name.split(".")
        if pieces[0] != "shapegen" or len(pieces) < 2 or own in ("", "__main__"):
            continue
        other = pieces[1]
        if other in (own, "__version__"):
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if other not in HEIGHT:
            found.append(f"{place} imports {name}: say in LAYERS where {other} stands")
        elif HEIGHT[other] > HEIGHT[own]:
            found.append(f"{place} imports {name} from above")
        elif own in FAMILIES and other in FAMILIES:
            found.append(f"{place} imports {name} from another family")
    return found


def test_files_are_found() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_file_imports_only_what_stands_below(path: Path) -> None:
    assert part_of(path) in {"", *HEIGHT}, "say in LAYERS where this file stands"
    assert breaches(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("core/boxes.py", "from shapegen.base import GenerativeModel"),
        ("structures/grass.py", "from shapegen import checkpoint"),
        ("structures/grass.py", "def f():\n    import shapegen.points.clouds"),
        ("data/files.py", "from shapegen.train import fit"),
    ],
)
def test_a_breach_is_found(place: str, line: str) -> None:
    assert len(breaches(SOURCE / place, line)) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    tree = ast.parse(path.read_text())
    inner = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    inner |= typing_only(tree)
    outer = [name for node, name in imports(tree) if node not in inner]
    assert {name.split(".")[0] for name in outer} & HEAVY == set()


def test_every_import_is_declared() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    required = setup["options"]["install_requires"]
    declared = {re.split("[><=]", line)[0] for line in required.split("\n") if line}
    optional = {
        re.split("[><=]", line)[0]
        for extra in ("viewer", "logs", "hdf5", "film", "metrics", "solid", "web")
        for line in extras.get(extra, raw=True).split("\n")
        if line
    }
    assert optional == OPTIONAL
    for path in FILES:
        for node, name in imports(ast.parse(path.read_text())):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in {"shapegen", "__future__"}:
                continue
            distribution = DISTRIBUTIONS.get(top, top)
            assert distribution in declared | optional, f"{path}:{node.lineno} imports {top}"


def test_files_are_short_and_named_for_what_they_hold() -> None:
    written = [*FILES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    lengths = {path: len(path.read_text().splitlines()) for path in written}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
    assert [path for path in FILES if path.stem in ("utils", "common", "helpers", "misc")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_prints_or_draws_from_a_global_stream(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called != "print", f"line {node.lineno}"
            if called.startswith(("np.random.", "random.")):
                # A stream of its own with its own seed is not global.
                own = ("np.random.default_rng", "np.random.RandomState")
                assert called in own, f"line {node.lineno}: {called}"
        if isinstance(node, ast.FunctionDef) and "torch.manual_seed(" in ast.unparse(node):
            assert "fork_rng(" in ast.unparse(node), f"line {node.lineno} leaves a global seed"
