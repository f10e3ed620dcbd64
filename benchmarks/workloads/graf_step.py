"""A step of both of GRAF's players: Carla's setting, one image, patches of 32 x 32."""

from __future__ import annotations

import torch

from benchmarks.graf import step_workload
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return step_workload(device, 1.76 + 4.82)
