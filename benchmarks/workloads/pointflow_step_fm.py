"""One flow matching step of both flows: the clouds and networks of ``pointflow_step``.

The original has no such step: beside it stands the original's likelihood step.
"""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.pointflow import airplane_model, clouds, step_workload


def prepare(device: torch.device) -> Workload:
    model = airplane_model(device, objective="flow_matching", num_points=512)
    return step_workload(model, clouds(512, device), 4.45, facts={"setting": "official networks"})
