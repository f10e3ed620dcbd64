"""``python -m benchmarks.imports [--count N] [--seed S] [--out DIR] [--json]``.

The exit code is 1 if a share is below 95 % or a broken file is not named with its reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import shapegen
from benchmarks.imports.mangling import STYLES, Case, mangle, separate
from benchmarks.imports.scoring import MEASURES, Score
from benchmarks.imports.sources import shapes
from benchmarks.imports.spoiling import BROKEN, spoil
from shapegen.data.furniture import furniture
from shapegen.data.import_files import write_import
from shapegen.data.importing import Up, import_folder

LEAST = 0.95
"""Share that every measure must reach."""
UPS: tuple[Up, Up] = ("y", "z")


def write_files(folder: Path, *, count: int, seed: int) -> dict[str, list[Case]]:
    """Fill ``folder/y`` and ``folder/z`` with sound files; the broken ones go to the first."""
    rng = np.random.default_rng(seed)
    cases: dict[str, list[Case]] = {up: [] for up in UPS}
    for up in UPS:
        (folder / up).mkdir(parents=True)
    for number, (generator, tree) in enumerate(shapes(count, seed)):
        up = UPS[number % 2]
        style = STYLES[number % len(STYLES)]
        if style == "one mesh" and not separate(tree):
            style = "baked"
        path = folder / up / f"{number:03d}"
        cases[up].append(mangle(tree, path, generator, style, up, rng))
    spoil(furniture(1, seed=seed)[0], folder / "y")
    return cases


def measure(folder: Path, cases: dict[str, list[Case]]) -> tuple[dict[str, Score], list[str]]:
    """Import both folders as the verb does, and score what is read back, by generator.

    Returns:
        The scores, and the names of broken files that were not named with their reason.
    """
    scores: dict[str, Score] = {}
    silent: list[str] = []
    for up in UPS:
        out = folder / f"{up}.jsonl.gz"
        write_import(import_folder(folder / up, up=up), folder / up, out)
        found = {tree.name: tree for tree in shapegen.read(out)}
        report = json.loads((folder / f"{up}.report.json").read_text())
        reasons = {each["source"]: each["reason"] for each in report["rejects"]}
        broken = BROKEN if up == "y" else {}
        silent += [n for n, (_, said) in broken.items() if said not in reasons.get(n, "")]
        for case in cases[up]:
            score = scores.setdefault(case.generator, Score())
            if case.path.stem in found:
                score.add(case, found[case.path.stem])
            else:
                score.files += 1
                score.missed.append(f"{case.path.name}: {reasons.get(case.path.name)}")
    return scores, silent


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 where one of them is below what it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="shapes of every generator")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="keep the files here")
    parser.add_argument("--json", action="store_true", help="the JSON line only, no table")
    options = parser.parse_args(arguments)
    if options.count < 1 or options.seed < 0:
        parser.error("--count must be at least 1, --seed at least 0")
    if options.out is not None and options.out.exists():
        parser.error(f"{options.out} is there already; a new folder is needed")
    with tempfile.TemporaryDirectory() as aside:
        folder = options.out or Path(aside)
        cases = write_files(folder, count=options.count, seed=options.seed)
        scores, silent = measure(folder, cases)
    total = Score()
    for score in scores.values():
        total.merge(score)
    result = figures(scores, total, silent)
    if not options.json:
        print(table({**scores, "all": total}), file=sys.stderr)
        print("\n".join(total.missed), file=sys.stderr)
    print(json.dumps(result))
    short = [value for value in total.shares().values() if value is not None and value < LEAST]
    return 1 if short or silent else 0


def figures(scores: dict[str, Score], total: Score, silent: list[str]) -> dict[str, Any]:
    """What the JSON line says."""
    return {
        "measure": "imports",
        "files": total.files,
        "whole": total.whole,
        **_rounded(total),
        "broken": len(BROKEN),
        "broken_named": len(BROKEN) - len(silent),
        "by_generator": {name: _rounded(score) for name, score in scores.items()},
    }


def table(scores: dict[str, Score]) -> str:
    """The shares in per cent, a column a generator."""
    rows = [["files", *(f"{score.whole}/{score.files}" for score in scores.values())]]
    for name in MEASURES:
        shares = [score.shares()[name] for score in scores.values()]
        rows.append([name, *("-" if share is None else f"{100 * share:.1f}" for share in shares)])
    head = ["", *(name.replace("furniture ", "").replace("-furniture", "") for name in scores)]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [[c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in [head, *rows]]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _rounded(score: Score) -> dict[str, float | None]:
    return {
        name.replace(" ", "_"): None if share is None else round(share, 4)
        for name, share in score.shares().items()
    }


if __name__ == "__main__":
    sys.exit(main())
