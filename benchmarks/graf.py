"""The model, the images and the plain field that GRAF's workloads share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Workload
from shapegen.core.patch import PatchSampler
from shapegen.core.seeding import seeded
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig
from shapegen.fields.radiance import RadianceFields, Views
from shapegen.fields.rendering import Sampling
from tests.fields.plain_field import plain_field

SIZES: dict[str, Any] = {}
"""Of the networks; the tests make them small."""
SAMPLES, SIDE = 64, 32
PLAIN_CHUNK = 65536
"""Points that the original asks its network for at once."""


def carla_model(size: int, device: torch.device, **changes: Any) -> GRAF:
    """The authors' setting for the cars of Carla, weights from seed 0."""
    sampling = Sampling(SAMPLES, jitter=True, white=True)
    setting = {"size": size, "sampling": sampling, "patch": PatchSampler(SIDE)}
    with seeded(0), torch.no_grad():
        model = GRAF(GRAFConfig.official(**(setting | SIZES | changes)))
        # Untrained, almost nothing is dense: so something is seen.
        model.generator.density.bias.add_(0.2)
    return model.to(device)


def render_workload(
    size: int, original_s: float, device: torch.device, dtype: torch.dtype | None = None
) -> Workload:
    """One image of one code, from the middle of the cameras.

    Args:
        size: Of the image.
        original_s: As for :class:`Workload`; the original is in float32.
        device: Where it is rendered.
        dtype: Of the products; None: float32.
    """
    model = carla_model(size, device).eval()
    fields = model.decode(model.sample_latent(1, rng=torch.Generator().manual_seed(0)))

    def ours() -> Views:
        return fields.render(dtype=dtype)

    def plain() -> Views:
        return as_drawn(fields).render()

    def check() -> dict[str, float]:
        return {"largest_difference": float((ours().pixels - plain().pixels).abs().max())}

    return Workload(
        run=ours,
        original_s=original_s,
        recursion=plain,
        check=check,
        facts={"size": size, "samples": SAMPLES, "dtype": str(dtype or torch.float32)},
    )


def as_drawn(fields: RadianceFields) -> RadianceFields:
    """The same fields by the plain network, in chunks as large as the original's."""
    return replace(
        fields,
        network=_Plain(fields.network),
        sampling=replace(fields.sampling, chunk=PLAIN_CHUNK),
    )


class _Plain:
    def __init__(self, network: Any) -> None:
        self._network = network
        self.densities = network.densities

    def field(self, codes: Tensor, dtype: torch.dtype | None = None) -> Any:
        return plain_field(self._network, codes)


def step_workload(device: torch.device, original_s: float) -> Workload:
    """A step of the discriminator and one of the generator, of one image, with RMSprop."""
    model = carla_model(64, device).train()
    batch = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def step() -> None:
        rng = torch.Generator().manual_seed(0)
        for objective in model.objectives(rng=rng):
            own = list(objective.module.parameters())
            for each in model.parameters():
                each.requires_grad_(False)
            for each in own:
                each.requires_grad_(True)
            optimizer = torch.optim.RMSprop(own, lr=1e-4)
            loss, _ = objective.loss(batch, 0)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        # Every run is the first step.
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.copy_(start[name])

    def plain() -> None:
        network = model.generator
        field = network.field
        network.field = lambda codes, dtype=None: plain_field(network, codes)  # type: ignore[method-assign]
        try:
            step()
        finally:
            network.field = field  # type: ignore[method-assign]

    facts = {"images": 1, "patch": SIDE, "samples": SAMPLES}
    # The counter of operations does not go with slopes of the discriminator.
    return Workload(
        run=step, original_s=original_s, recursion=plain, facts=facts, count_flops=False
    )
