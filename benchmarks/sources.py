"""Where the benchmarks find real data."""

from __future__ import annotations

import os
from pathlib import Path


def data_file(name: str) -> Path:
    """A file below ``$SHAPEGEN_DATA`` (default ``../shared/data`` from the project's root)."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SHAPEGEN_DATA", default)) / name
    if not path.exists():
        raise SystemExit(f"{path} is missing: set SHAPEGEN_DATA to the folder that holds {name}")
    return path
