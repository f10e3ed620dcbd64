"""The fp32 product of two 2048 x 2048 matrices: what the machine can do."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload, gemm


def prepare(device: torch.device) -> Workload:
    return Workload(run=gemm(device), facts={"size": 2048, "dtype": "float32"})
