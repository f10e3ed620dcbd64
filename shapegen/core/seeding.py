"""A seed for what only knows torch's global random stream: first weights, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global streams of the CPU and of ``device`` for a while; then all is as before."""
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
