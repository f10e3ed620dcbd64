"""The device that a word names, and what it can do."""

from __future__ import annotations

import torch


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """Resolve ``auto`` (CUDA where there is one, else CPU), ``cpu``, ``cuda`` and ``cuda:1``.

    Nothing named is the CPU.

    Raises:
        ValueError: Not a device, or CUDA without a CUDA device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device("cpu" if name is None else name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"a device is auto, cpu, cuda or cuda:N; got {str(name)!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"no CUDA device for {str(name)!r}: torch sees {torch.cuda.device_count()}; use cpu"
        )
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for products in bfloat16, rather than a slow emulation."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
