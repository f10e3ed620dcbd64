"""``python -m tests.mutants [NAME ...]``: break the core, and see which models' tests notice.

A copy of the project is broken in one line at a time, and the tests of every model that should
stand on that line are run in it. A model whose tests pass does not share the core, or is not
tested.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("shapegen", "tests", "configs", "datasets", "benchmarks", "viewers")


@dataclass(frozen=True)
class Mutant:
    """One line of the core, what it is broken to, and whose tests must fail."""

    path: str
    line: str
    """Occurs once in the file."""
    broken: str
    users: Mapping[str, str]
    """Tests (a file, or one test of it) by model."""


STRUCTURES, POINTS, IMAGES, GRAPHS = (
    "tests/structures",
    "tests/points",
    "tests/images",
    "tests/graphs",
)

MUTANTS: dict[str, Mutant] = {
    "kl": Mutant(
        "shapegen/core/gaussian.py",
        "return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)",
        "return self.mean.square() + self.logvar.exp() - 1 - self.logvar",
        {
            "vae": f"{IMAGES}/test_vae.py",
            "grass": f"{STRUCTURES}/test_grass.py",
            "structurenet": f"{STRUCTURES}/test_structurenet.py",
            "pointflow": f"{POINTS}/test_pointflow_objectives.py",
        },
    ),
    "log_det": Mutant(
        "shapegen/core/flows.py",
        """            x, log_det = layer(x, context)
            total = log_det if total is None else total + log_det""",
        """            x, log_det = layer(x, context)
            total = -log_det if total is None else total - log_det""",
        {
            "realnvp": f"{IMAGES}/test_flows.py",
            "glow": f"{IMAGES}/test_flows.py",
            "pointflow": f"{POINTS}/test_pointflow.py",
        },
    ),
    "shift": Mutant(
        "shapegen/core/autoregressive.py",
        "return torch.cat([first.to(values.dtype), before], dim)",
        "return values",
        {
            "pixelcnn": f"{IMAGES}/test_pixel_order.py",
            "pixelrnn": f"{IMAGES}/test_pixel_order.py",
            "graphrnn": f"{GRAPHS}/test_graphrnn.py",
        },
    ),
}


def copied(folder: Path) -> Path:
    """A copy of the project that can be broken."""
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    for name in ("pyproject.toml", "setup.cfg", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def break_line(folder: Path, mutant: Mutant) -> None:
    """Break a copy.

    Raises:
        ValueError: The line does not occur once.
    """
    path = folder / mutant.path
    text = path.read_text()
    if text.count(mutant.line) != 1:
        raise ValueError(f"{mutant.path} has {text.count(mutant.line)} times {mutant.line!r}")
    path.write_text(text.replace(mutant.line, mutant.broken))


def notices(folder: Path, test: str, model: str) -> bool:
    """Whether a test fails in a copy; of a file of several models, those that name the model."""
    several = test in (f"{IMAGES}/test_flows.py", f"{IMAGES}/test_pixel_order.py")
    words = ["-k", model] if several else []
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test, *words]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{test} could not be run:\n{done.stdout.decode()[-2000:]}")
    return done.returncode == 1


def survivors(name: str) -> list[str]:
    """Models whose tests do not notice a mutant."""
    mutant = MUTANTS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = copied(Path(made))
        break_line(folder, mutant)
        return [m for m, test in mutant.users.items() if not notices(folder, test, m)]


def main() -> None:
    """Print a line a mutant; the exit code is 1 if one lives."""
    living = 0
    for name in sys.argv[1:] or MUTANTS:
        alive = survivors(name)
        living += len(alive)
        noticed = [model for model in MUTANTS[name].users if model not in alive]
        sys.stdout.write(f"{name}: noticed by {', '.join(noticed) or 'none'}")
        sys.stdout.write(f"; NOT by {', '.join(alive)}\n" if alive else "\n")
    sys.exit(min(living, 1))


if __name__ == "__main__":
    main()
