"""The frame slider of the web viewer at a million points: at least 20 updates a second."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.viewer import clouds, web_workload

POINTS = 1_000_000


def prepare(device: torch.device) -> Workload:
    return web_workload(clouds(POINTS), "frame", (1.0, 0.0))
