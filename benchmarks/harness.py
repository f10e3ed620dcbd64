"""Time a workload: seconds, memory and arithmetic, with the machine's peak beside them."""

from __future__ import annotations

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

ORIGINAL_GEMM_PEAK = 92.0
"""GFLOP/s of the machine that the originals' seconds were measured on."""
SECONDS = 10.0
MIN_RUNS, MAX_RUNS = 5, 50


@dataclass(frozen=True)
class Workload:
    """Work that is prepared once and timed many times."""

    run: Callable[[], object]
    original_s: float | None = None
    """CPU seconds of the original implementation for one run, where gemm_peak is 92 GFLOP/s."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else the JSON line says."""
    check: Callable[[], Mapping[str, Any]] | None = None
    """What is said beside and takes work of its own: done last, so that no figure feels it."""
    recursion: Callable[[], object] | None = None
    """The same work by the plain recursion of the tests."""
    recursion_share: float = 1.0
    """Part of the work that the recursion does; its seconds are divided by it."""
    made: tuple[str, int] | None = None
    """What a run makes or takes, and how many of them: the JSON line says how many a second."""
    count_flops: bool = True
    """Whether the products of matrices are counted in one run more."""


def run(name: str, *, threads: int = 1, device: str = "cpu") -> dict[str, Any]:
    """Measure one workload of ``benchmarks.workloads``.

    Returns:
        The fields of the JSON line. ``peak_rss_mb`` is read before the peak of the machine is
        measured, ``import_rss_mb`` after everything is imported and before data are read.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: this machine has no CUDA device")
    torch.set_num_threads(threads)
    where = torch.device(device)
    module = import_module(f"benchmarks.workloads.{name}")
    import_rss = resident_mb()
    workload: Workload = module.prepare(where)
    wall, cpu = measure(workload.run, where)
    peak_rss = peak_resident_mb()
    result: dict[str, Any] = {
        "workload": name,
        "median_s": statistics.median(wall),
        "min_s": min(wall),
        "cpu_s": statistics.median(cpu),
        "runs": len(wall),
        "threads": threads,
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "peak_rss_mb": round(peak_rss, 1),
        "import_rss_mb": round(import_rss, 1),
    }
    flops = count_flops(workload.run) if workload.count_flops else None
    seconds = result["cpu_s"] if device == "cpu" else result["median_s"]
    result["gflops"] = None if flops is None else round(flops / seconds / 1e9, 2)
    peak = gemm_gflops(where)
    result["gemm_peak_gflops"] = round(peak, 1)
    if flops is not None:
        result["gemm_share"] = round(flops / seconds / 1e9 / peak, 4)
    if workload.made is not None:
        what, count = workload.made
        result |= {what: count, f"{what}_a_second": round(count / seconds, 1)}
    if workload.original_s is not None:
        result["original_s"] = workload.original_s * ORIGINAL_GEMM_PEAK / peak
        result["ratio"] = round(result["original_s"] / seconds, 2)
    if workload.recursion is not None:
        result |= against_recursion(workload, workload.recursion, where, seconds)
    if workload.check is not None:
        result |= workload.check()
    return result | dict(workload.facts)


def against_recursion(
    workload: Workload, work: Callable[[], object], device: torch.device, seconds: float
) -> dict[str, float]:
    """Seconds of the plain recursion in this very process, and how many times ours that is."""
    wall, cpu = measure(work, device, seconds=3.0, warm_up=1, least=2)
    plain = statistics.median(cpu if device.type == "cpu" else wall) / workload.recursion_share
    return {"recursion_s": plain, "recursion_ratio": round(plain / seconds, 2)}


def measure(
    work: Callable[[], object],
    device: torch.device,
    *,
    seconds: float = SECONDS,
    warm_up: int = 2,
    least: int = MIN_RUNS,
) -> tuple[list[float], list[float]]:
    """Wall and CPU seconds of every run, after some that warm up."""
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(warm_up):
        work()
    while len(wall) < least or (sum(wall) < seconds and len(wall) < MAX_RUNS):
        synchronise(device)
        start, cpu_start = time.perf_counter(), time.process_time()
        work()
        synchronise(device)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return wall, cpu


def synchronise(device: torch.device) -> None:
    """Wait for a GPU: its work is queued, not done, when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm(device: torch.device, size: int = 2048) -> Callable[[], torch.Tensor]:
    """The fp32 product of two square matrices."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=rng).to(device) for _ in range(2))
    return lambda: a @ b


def gemm_gflops(device: torch.device, size: int = 2048) -> float:
    """GFLOP/s of :func:`gemm`: median CPU time, or on a GPU median time."""
    wall, cpu = measure(gemm(device, size), device, seconds=3.0)
    return 2 * size**3 / statistics.median(cpu if device.type == "cpu" else wall) / 1e9


def count_flops(work: Callable[[], object]) -> float | None:
    """Floating-point operations of the matrix products in one run; None where there are none."""
    from torch.utils.flop_counter import FlopCounterMode

    kernel = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    fused = {} if kernel is None else {kernel: _linear_flops}
    with FlopCounterMode(display=False, custom_mapping=fused) as counter:
        work()
    return float(counter.get_total_flops()) or None


def _linear_flops(x: torch.Size, weight: torch.Size, *_: object, **__: object) -> int:
    return 2 * math.prod(x) * weight[0]


def resident_mb() -> float:
    """Memory that the process holds now."""
    return _status("VmRSS") or peak_resident_mb()


def peak_resident_mb() -> float:
    """The most memory that the process has held."""
    # Not ru_maxrss alone: there a process inherits the peak of the one that started it.
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _status(key: str) -> float | None:
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    return None
