"""The explosion slider of the web viewer at 1000 parts: at least 20 updates a second."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.viewer import parts_scene, web_workload

PARTS = 1000


def prepare(device: torch.device) -> Workload:
    return web_workload([parts_scene(PARTS)], "explode", (0.5, 0.6))
