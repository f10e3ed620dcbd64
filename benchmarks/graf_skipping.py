"""GRAF of the paper's size with empty space in it: what rendering up to an error saves.

What can be left out depends on what a field has learnt, and weights of this size take days on a
CPU. So the paper's network learns one field of a shipped model, point by point, in minutes.
"""

from __future__ import annotations

import math
import statistics

import torch
from torch import Tensor

import shapegen
from benchmarks.graf import SAMPLES, carla_model
from benchmarks.harness import Workload, measure
from shapegen.core.noise import standard_normal, uniform
from shapegen.fields.graf import GRAF
from shapegen.fields.radiance import RadianceFields, Views
from shapegen.fields.skipping import Occupancy
from shapegen.metrics.field_figures import cube_points

TEACHER = "graf-furniture"
TOLERANCE = 0.1
"""Largest error of a colour in 0 to 1 that is asked for."""
STEPS, POINTS, RATE = 250, 3072, 1e-3
"""Of what is learnt: steps, points of each, and Adam's rate, which falls to nothing."""
CELLS = 48
"""Along a side of the cube where dense places are looked for."""
AROUND = 0.1
"""Standard deviation of half of the points about places that are dense, in the teacher's units."""


def skipping_workload(size: int, original_s: float, device: torch.device) -> Workload:
    """One image of a chair, up to :data:`TOLERANCE`; its grid is made before, once a shape."""
    model = carla_model(size, device)
    teacher = shapegen.load(TEACHER, device).sample(1, rng=torch.Generator().manual_seed(0))
    assert isinstance(teacher, RadianceFields)
    codes = model.sample_latent(1, rng=torch.Generator().manual_seed(0))
    learn(model, codes, teacher)
    fields = model.eval().decode(codes)

    def skipping() -> Views:
        return fields.render(tolerance=TOLERANCE)

    def grid() -> None:
        densities = model.generator.densities(codes[0])
        chunk = fields.sampling.points(device)
        Occupancy.of(densities, fields.cameras.reach, like=codes, chunk=chunk)

    def check() -> dict[str, float]:
        error = (skipping().pixels - fields.render().pixels) / 2
        square = max(float(error.square().mean()), 1e-12)  # 120 dB where nothing differs
        _, cpu = measure(grid, device, seconds=1.0, warm_up=1, least=2)
        return {
            "largest_error": float(error.abs().max()),
            "psnr_db": -10 * math.log10(square),
            "grid_s": statistics.median(cpu),
        }

    return Workload(
        run=skipping,
        original_s=original_s,
        recursion=fields.render,
        check=check,
        facts={"size": size, "samples": SAMPLES, "tolerance": TOLERANCE, "weights": TEACHER},
        count_flops=False,
    )


def learn(model: GRAF, codes: Tensor, teacher: RadianceFields) -> list[float]:
    """Fit the field of one code to a teacher's; the losses of all steps.

    Densities count by what a part of a ray between two samples holds back, and colours by how
    much of it is seen. The object is made as large as it looks to the teacher's cameras.
    """
    scale = _radius(model) / _radius(teacher)
    reach, rng = model.config.cameras.reach, torch.Generator().manual_seed(0)
    part = model.config.cameras.depth_of_view / SAMPLES
    densities, field = teacher.densities(), teacher.network.field(teacher.codes[0])
    places = cube_points(CELLS, teacher.cameras.reach).view(-1, 3).to(codes)
    dense = places[densities(places) > 1]
    optimizer = torch.optim.Adam(model.generator.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses = []
    for _ in range(STEPS):
        anywhere = reach * (2 * uniform((POINTS // 2, 3), like=codes, rng=rng) - 1)
        chosen = torch.randint(len(dense), (POINTS // 2,), generator=rng)
        near = dense[chosen.to(dense.device)]
        near = scale * (near + AROUND * standard_normal(near.shape, like=codes, rng=rng))
        points = torch.cat([anywhere, near])[:, None]
        down = torch.zeros_like(points[:, 0])
        down[:, 2] = -1
        with torch.no_grad():
            wanted = 1 - (-part * densities(points / scale) / scale).exp()
            color = field(points / scale, down)[1]
        found, rgb = model.generator.field(codes[0])(points, down)
        loss = (1 - (-part * found.relu()).exp() - wanted).square().mean()
        loss = loss + (wanted[..., None] * (rgb - color).square()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def _radius(seen: GRAF | RadianceFields) -> float:
    """Half of what an image shows at the origin's depth."""
    cameras = seen.config.cameras if isinstance(seen, GRAF) else seen.cameras
    return cameras.radius[1] * math.tan(math.radians(cameras.fov) / 2)
