"""Units of a network: channels of a layer whose output is maps, read and set while it runs.

No hook outlives the call that needs it, whatever happens inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Masks = Callable[[Tensor], Tensor]
"""From images ``(n, c, h, w)`` to where concepts are, ``(n, concepts, h, w)`` of bool."""
CHUNK = 128
"""Inputs that are run at once."""


@dataclass(frozen=True)
class Subject:
    """A network, and what is looked at in it."""

    network: nn.Module
    layer: str | nn.Module
    """A module inside whose output is maps ``(n, units, h, w)``, or its name."""
    masks: Masks
    run: Callable[[Tensor], Tensor] | None = None
    """How inputs go through the network; None: it is called."""
    images: Literal["outputs", "inputs"] = "outputs"
    """What the masks are of: a generator's outputs, a classifier's inputs."""

    def images_of(self, inputs: Tensor) -> Float[Tensor, "n c h w"]:
        """Run the network."""
        outputs = (self.run or self.network)(inputs)
        return inputs if self.images == "inputs" else outputs

    def located(self, inputs: Tensor) -> tuple[nn.Module, tuple[int, ...]]:
        """The layer itself, and its maps' ``(units, h, w)``.

        Raises:
            ValueError: It gives no maps; the message names the layers that do.
        """
        found = map_layers(self, inputs[:1])
        for name, each in found.items():
            if self.layer in (name, each[0]):
                return each
        what = repr(self.layer) if isinstance(self.layer, str) else type(self.layer).__name__
        units = (f"{name} ({' x '.join(map(str, shape))})" for name, (_, shape) in found.items())
        raise ValueError(
            f"no layer {what} gives maps of units; accepted: {', '.join(units) or 'none'}"
        )


@torch.no_grad()
def map_layers(subject: Subject, inputs: Tensor) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Modules whose output is maps, by name, and the maps' ``(units, h, w)``.

    Args:
        subject: The network, with any layer.
        inputs: One will do.
    """
    found: dict[str, tuple[nn.Module, tuple[int, ...]]] = {}
    hooks = []
    for name, module in subject.network.named_modules():

        def look(module: nn.Module, _: Any, output: Any, name: str = name) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                found[name] = (module, tuple(output.shape[1:]))

        if name:
            hooks.append(module.register_forward_hook(look))
    try:
        subject.images_of(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def recorded(
    subject: Subject, layer: nn.Module, inputs: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Maps of a layer and images, chunk by chunk."""
    kept: list[Tensor] = []
    for part in inputs.split(CHUNK):
        hook = layer.register_forward_hook(lambda _, __, output: kept.append(output))
        try:
            images = subject.images_of(part)
        finally:
            hook.remove()
        yield kept[-1], images
        kept.clear()


@contextmanager
def units_set(
    layer: nn.Module,
    units: Int[Tensor, "k"],
    values: Float[Tensor, "k"] | float = 0.0,
    where: Bool[Tensor, "h w"] | None = None,
) -> Iterator[None]:
    """Within the block a layer's units have these values, at all places or at some."""

    def change(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        changed = output.clone()
        given = torch.as_tensor(values, dtype=output.dtype, device=output.device).view(-1, 1, 1)
        given = given.expand_as(output[:, units])
        there = output.new_ones(()).bool() if where is None else where.to(output.device)
        changed[:, units] = torch.where(there, given, output[:, units])
        return changed

    hook = layer.register_forward_hook(change)
    try:
        yield
    finally:
        hook.remove()
