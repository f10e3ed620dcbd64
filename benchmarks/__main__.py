"""``python -m benchmarks WORKLOAD [--threads N] [--device cpu|cuda] [--json]``."""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import sys
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def names() -> list[str]:
    """All workloads: the files of ``benchmarks/workloads``."""
    return [
        found.name for found in pkgutil.iter_modules([str(Path(__file__).with_name("workloads"))])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workload", nargs="?", choices=names(), metavar="WORKLOAD")
    parser.add_argument("--list", action="store_true", help="list the workloads, one a line")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", action="store_true", help="the JSON line only, no remark")
    options = parser.parse_args()
    if options.list:
        print("\n".join(names()))
        return
    if options.workload is None:
        parser.error("name a workload, or --list")
    if options.threads < 1:
        parser.error(f"--threads must be at least 1; got {options.threads}")
    # Libraries read these once, when they are loaded: before torch and numpy are imported.
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(options.threads)

    from benchmarks.harness import run

    result = run(options.workload, threads=options.threads, device=options.device)
    if not options.json:
        print(remark(result), file=sys.stderr)
    print(json.dumps(result))


def remark(result: dict[str, object]) -> str:
    """One line for people."""
    text = f"{result['workload']}: {result['median_s']:.4g} s, {result['cpu_s']:.4g} CPU s"
    if "images_a_second" in result:
        text += f"; {result['images_a_second']:.4g} images/s"
    if "ratio" in result:
        text += f"; the original {result['original_s']:.4g} s, {result['ratio']:.1f} times that"
    return text


if __name__ == "__main__":
    main()
