"""Devices and processes: a batch is cut into shares, and their gradients are summed.

A loss is a mean over the shapes of its batch. A share of ``k`` of the batch's ``n`` shapes is
weighted with ``k / n``; the sum of the shares' gradients is then the whole batch's gradient,
uneven shares included. The sum is taken explicitly after ``backward``: an objective's loss is any
function of the model's parts, and ``DistributedDataParallel`` sees only calls of one ``forward``.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn

from shapegen.config import TrainConfig
from shapegen.core.device import choose_device, has_bfloat16

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def start(config: TrainConfig) -> Fabric:
    """Take the device, and join the other processes where torchrun started several.

    The processes stay together until they end: a later run in them needs the group again.

    Raises:
        ValueError: ``devices`` is not the number of processes; no such device.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if config.devices != world:
        raise ValueError(
            f"train.devices is {config.devices} but the number of processes is {world}; start "
            f"several with: torchrun --nproc-per-node {config.devices} -m shapegen train ..."
        )
    device = choose_device(config.device)
    from lightning.fabric import Fabric

    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    fabric = Fabric(
        accelerator=device.type,
        devices=local,
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
        precision=resolved_precision(config.precision, device),
    )
    joined_before = torch.distributed.is_initialized()
    fabric.launch()
    if torch.distributed.is_initialized() and not joined_before:
        atexit.register(_leave)
    return fabric


def resolved_precision(
    name: Literal["auto", "32-true", "bf16-mixed"], device: torch.device
) -> Literal["32-true", "bf16-mixed"]:
    """What ``auto`` is on a device."""
    if name != "auto":
        return name
    return "bf16-mixed" if has_bfloat16(device) else "32-true"


def _leave() -> None:
    """Leave the group of processes: its threads, ended by the process's end, may abort it.

    Not at the end of a run: torchrun's store keeps the addresses of the first group, and a second
    one of the same processes would connect to them.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def cut(indices: Tensor, fabric: Fabric, pieces: int) -> list[tuple[Tensor, float]]:
    """This process's shares of a batch and their weights; ``pieces`` are taken one by one.

    A process that is left without a shape gets one with weight 0, so that all take part in the
    same way.
    """
    own = indices[fabric.global_rank :: fabric.world_size]
    if not len(own):
        return [(indices[:1], 0.0)]
    return [(part, len(part) / len(indices)) for part in own.chunk(min(pieces, len(own)))]


def reduce_gradients(parameters: Sequence[nn.Parameter], values: Tensor, fabric: Fabric) -> Tensor:
    """Sum gradients over the processes, in place, and return the sum of ``values``.

    A parameter that no process has a gradient for keeps none, as in one process.
    """
    if fabric.world_size == 1:
        return values
    present = [parameter.grad is not None for parameter in parameters]
    parts = [
        torch.zeros_like(parameter).flatten()
        if parameter.grad is None
        else parameter.grad.flatten()
        for parameter in parameters
    ]
    flags = torch.tensor(present, dtype=values.dtype, device=values.device)
    total = reduced(torch.cat([values, flags, *parts]), fabric, "sum")
    sizes = [len(values), len(flags), *map(len, parts)]
    summed, flags, *parts = torch.split(total, sizes)
    for parameter, any_present, part in zip(parameters, flags.tolist(), parts, strict=True):
        parameter.grad = part.view_as(parameter).to(parameter.dtype) if any_present else None
    return summed


def reduced(tensor: Tensor, fabric: Fabric, how: str) -> Tensor:
    """``sum`` or ``max`` of a tensor over the processes."""
    return cast(Tensor, fabric.all_reduce(tensor, reduce_op=how))


def same_start(model: nn.Module, fabric: Fabric) -> None:
    """Give every process the first one's weights and buffers."""
    if fabric.world_size > 1:
        for tensor in model.state_dict().values():
            torch.distributed.broadcast(tensor, 0)


def gathered(tensor: Tensor, fabric: Fabric) -> list[Tensor]:
    """The tensor of every process, in the order of their ranks."""
    if fabric.world_size == 1:
        return [tensor]
    own = tensor.to(fabric.device)
    everyone = [torch.empty_like(own) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(everyone, own)
    return [each.cpu() for each in everyone]
