"""``python -m benchmarks.field_sheet MODEL --out FILE``: unpicked fields and their meshes.

In every pair of rows the upper one has pictures of samples, each from a camera of its own, and the
lower one the meshes of the same samples, all from one side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import shapegen
from shapegen.fields.graf import GRAF
from shapegen.fields.radiance import RadianceFields
from shapegen.formats.picture import thumbnail
from shapegen.formats.png import write_png
from shapegen.scene import Node, Scene

COLUMNS, SIDE, CELLS = 8, 96, 48


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.field_sheet", description=__doc__)
    parser.add_argument("model", help="a shipped model's name, a run's folder or a file")
    parser.add_argument("--out", type=Path, required=True, help="PNG")
    parser.add_argument("-n", type=int, default=32, help="samples")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = shapegen.load(options.model)
    if not isinstance(model, GRAF):
        raise SystemExit(f"fields are drawn of GRAF; got {model.name}")
    write_png(sheet(model, options.n, options.seed), options.out)


def sheet(model: GRAF, count: int, seed: int) -> np.ndarray:
    """Pixels ``(rows, columns, 3)``; white where a field has no surface."""
    fields = model.sample(count, rng=torch.Generator().manual_seed(seed))
    rows = []
    for first in range(0, count, COLUMNS):
        some = fields[first : first + COLUMNS]
        for tiles in (list(some.render(size=SIDE).bytes), [_mesh(each) for each in some]):
            blank = [np.full((SIDE, SIDE, 3), 255, np.uint8)] * (COLUMNS - len(tiles))
            rows.append(np.concatenate([*tiles, *blank], 1))
    return np.concatenate(rows)


def _mesh(field: RadianceFields) -> np.ndarray:
    try:
        (mesh,) = field.mesh(resolution=CELLS).meshes
    except ValueError:
        return np.full((SIDE, SIDE, 3), 255, np.uint8)
    return thumbnail(Scene((Node("mesh", primitive=mesh),)), SIDE)


if __name__ == "__main__":
    main()
