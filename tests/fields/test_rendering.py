"""Volume rendering against closed forms, and its chunks and samples against each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.rays import Rays
from shapegen.fields.rendering import Field, Rendered, Sampling, composite, render, render_at
from shapegen.fields.sampling import even, jittered, refined

SETTING = CameraSetting(fov=30.0, polar=(30.0, 85.0))
BALL, BOX = 1.6, (0.8, 1.1, 0.6)


def field_of(inside: Callable[[Tensor], Tensor], density: float = 200.0) -> Field:
    """A body of one density, as red as its height and otherwise green."""

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        red = (points[..., 2] / 6 + 0.5).clamp(0, 1)
        return density * inside(points).to(points), torch.stack([red, 1 - red, 0 * red], -1)

    return field


def ball(points: Tensor) -> Tensor:
    return points.norm(dim=-1) < BALL


def box(points: Tensor) -> Tensor:
    return (points.abs() < torch.tensor(BOX).to(points)).all(-1)


def filled(shape: tuple[int, ...], value: float) -> Tensor:
    return torch.full(shape, value, dtype=torch.float64)


def slab_rays(count: int, far: float = 3.0) -> Rays:
    origins = torch.zeros(count, 3, dtype=torch.float64)
    directions = torch.tensor([[0.0, 0.0, 2.0]], dtype=torch.float64).expand(count, 3)
    ends = torch.ones(count, dtype=torch.float64)
    return Rays(origins, directions, ends, far * ends)


@pytest.mark.parametrize("density", [0.0, 0.1, 1.5])
def test_a_slab_holds_back_what_the_law_of_beer_and_lambert_says(density: float) -> None:
    rays = slab_rays(3)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        torch.testing.assert_close(directions.norm(dim=-1), torch.ones(3).double())
        return torch.full_like(points[..., 0], density), torch.full_like(points, 0.25)

    shown = render(field, rays, Sampling(samples=7))
    # From t = 1 to 3 in steps of length 2: 4 units.
    held = 1 - math.exp(-density * 4)
    torch.testing.assert_close(shown.opacity, filled((3,), held), atol=1e-8, rtol=0)
    torch.testing.assert_close(shown.rgb, filled((3, 3), held / 4), atol=1e-8, rtol=0)
    white = render(field, rays, Sampling(samples=7, white=True))
    torch.testing.assert_close(white.rgb, shown.rgb + 1 - held, atol=1e-8, rtol=0)
    # Without an end, any density at the last sample is opaque.
    opened = render(field, rays, Sampling(samples=7, open_end=True))
    torch.testing.assert_close(opened.opacity, filled((3,), float(density > 0)))


def test_a_compositing_is_the_loop_over_samples(rng: torch.Generator) -> None:
    density, t = torch.rand(2, 5, 6, generator=rng, dtype=torch.float64)
    rgb = torch.rand(5, 6, 3, generator=rng, dtype=torch.float64)
    t, lengths = t.sort(-1).values, torch.rand(5, generator=rng, dtype=torch.float64) + 1
    far = t[:, -1] + 0.5
    shown = composite(3 * density, rgb, t, lengths=lengths, far=far)
    for ray in range(5):
        light, color, depth = 1.0, torch.zeros(3).double(), 0.0
        for i in range(6):
            end = float(t[ray, i + 1] if i < 5 else far[ray])
            step = (end - float(t[ray, i])) * float(lengths[ray])
            held = light * (1 - math.exp(-3 * float(density[ray, i]) * step))
            color += held * rgb[ray, i]
            depth += held * float(t[ray, i])
            light -= held
            assert float(shown.weights[ray, i]) == pytest.approx(held, abs=1e-8)
        torch.testing.assert_close(shown.rgb[ray], color, atol=1e-8, rtol=0)
        assert float(shown.depth[ray]) == pytest.approx(depth, abs=1e-8)
        assert float(shown.opacity[ray]) == pytest.approx(1 - light, abs=1e-8)
        assert float(shown.disparity[ray]) == pytest.approx((1 - light) / depth, rel=1e-6)


@pytest.mark.parametrize("inside", [ball, box])
def test_silhouettes_and_depths_are_those_of_geometry(inside: Callable[[Tensor], Tensor]) -> None:
    size = 32
    poses = SETTING.viewpoints.turned(2, like=torch.zeros(()).double())
    rays = SETTING.image_rays(poses, SETTING.lens(size))
    shown = render(field_of(inside), rays, Sampling(samples=192))
    enter = entered(rays, inside)
    hit = enter.isfinite()
    seen = shown.opacity > 0.5
    # At the outline the samples may miss a body thinner than their distance.
    wrong = (seen != hit).view(2, size, size)
    assert 100 < hit.sum() < 2 * size * size - 100
    edge = outline(hit.view(2, size, size))
    assert not (wrong & ~edge).any()
    both = hit & seen & ~edge.view(2, -1)
    step = (SETTING.far - SETTING.near) / 191
    error = (shown.depth / shown.opacity - enter)[both]
    # A pixel covers this length of the world at the object.
    pixel = 2 * 10 * math.tan(math.radians(15)) / size
    assert error.abs().max() < step * 1.5 < pixel


def entered(rays: Rays, inside: Callable[[Tensor], Tensor]) -> Tensor:
    """The t at which rays enter the body; infinite where they miss it."""
    o, d = rays.origins, rays.directions
    if inside is ball:
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - BALL**2
        root = b * b - a * c
        return torch.where(root > 0, (-b - root.clamp_min(0).sqrt()) / a, math.inf)
    half = torch.tensor(BOX, dtype=o.dtype)
    first, second = (-half - o) / d, (half - o) / d
    near = torch.minimum(first, second).amax(-1)
    far = torch.maximum(first, second).amin(-1)
    return torch.where(near < far, near, math.inf)


def outline(hit: Tensor) -> Tensor:
    """Pixels with another kind of neighbour."""
    padded = torch.nn.functional.max_pool2d
    grown = padded(hit.double(), 3, 1, 1) > 0.5
    shrunk = padded((~hit).double(), 3, 1, 1) > 0.5
    return grown & shrunk


@pytest.mark.parametrize("importance", [0, 5])
def test_the_result_does_not_depend_on_the_chunks(importance: int) -> None:
    poses = SETTING.viewpoints.turned(3, like=torch.zeros(()))
    rays = SETTING.image_rays(poses, SETTING.lens(5))
    found: list[Rendered] = []
    asked: list[int] = []
    inner = field_of(ball, 2.0)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(points[..., 0].numel())
        return inner(points, directions)

    for chunk in (None, 10**9, 200, 1):
        sampling = Sampling(samples=8, importance=importance, jitter=True, chunk=chunk)
        stream = torch.Generator().manual_seed(1)
        found.append(render(field, rays, sampling, noise=0.1, rng=stream))
        if chunk == 200:
            assert max(asked) <= 200
        asked.clear()
    for other in found[1:]:
        torch.testing.assert_close(other.rgb, found[0].rgb, rtol=0, atol=1e-6)
        assert torch.equal(other.t, found[0].t)
        assert other.weights.shape == (3, 25, 8 + importance)


def test_recomputing_chunks_gives_the_same_gradients() -> None:
    rays = slab_rays(6)
    results = []
    for recompute in (False, True):
        strength = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

        def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            return strength * points.square().sum(-1), points.sigmoid() * strength  # noqa: B023

        sampling = Sampling(samples=5, chunk=10, recompute=recompute)
        shown = render(field, rays, sampling)
        (gradient,) = torch.autograd.grad(shown.rgb.square().sum(), strength)
        results.append((shown.rgb, gradient))
    torch.testing.assert_close(results[0], results[1])


def test_jitter_keeps_samples_in_their_parts(rng: torch.Generator) -> None:
    rays = slab_rays(500)
    t = even(rays.near, rays.far, 5)
    assert t[0].tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    moved = jittered(t, torch.rand(500, 5, dtype=torch.float64, generator=rng))
    borders = torch.tensor([1.0, 1.25, 1.75, 2.25, 2.75, 3.0]).double()
    assert (moved >= borders[:-1]).all()
    assert (moved <= borders[1:]).all()
    # Each part is filled evenly: its mean is its middle, to five standard errors.
    wanted = (borders[1:] + borders[:-1]) / 2
    spread = (borders[1:] - borders[:-1]) / math.sqrt(12 * 500)
    assert ((moved.mean(0) - wanted).abs() < 5 * spread).all()


def test_further_samples_follow_the_weights(rng: torch.Generator) -> None:
    t = torch.tensor([[1.0, 1.5, 2.0, 2.5, 3.0]]).double().expand(4, 5)
    weights = torch.tensor([[0.0, 0.0, 0.6, 0.2, 0.0]]).double().expand(4, 5)
    share = torch.rand(4, 4000, dtype=torch.float64, generator=rng)
    all_of_them = refined(t, weights, share)
    assert all_of_them.shape == (4, 4005)
    assert (all_of_them.diff() >= 0).all()
    inside = ((all_of_them > 1.75) & (all_of_them < 2.25)).double().sum(1) - 1
    # Blurred, the weights are 0, .3, .6, .4, .1.
    assert inside.mean().item() / 4000 == pytest.approx(0.6 / 1.4, abs=0.02)


def test_further_samples_come_nearer_to_the_integral() -> None:
    """A thin layer, whose opacity has a closed form."""
    rays = slab_rays(64, far=5.0)
    rays = replace(rays, near=torch.linspace(0.5, 0.9, 64).double())
    middle, width = 5.0, 0.15

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        z = points[..., 2]
        density = 2 * ((z - middle).abs() < width).to(z)
        return density, torch.ones_like(points)

    held = 1 - math.exp(-2 * 2 * width)

    def error(samples: int, importance: int) -> float:
        sampling = Sampling(samples=samples, importance=importance)
        shown = render(field, rays, sampling)
        return float((shown.opacity - held).abs().mean())

    errors = [error(32, more) for more in (0, 16, 64, 256)]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 0.02 * held
    # As many equally spaced ones are worse.
    assert errors[2] < 0.5 * error(96, 0)


def test_noise_is_added_before_what_is_below_0_is_cut(rng: torch.Generator) -> None:
    rays = slab_rays(2000)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(points[..., 0], -1.0), torch.ones_like(points)

    assert render(field, rays, Sampling(samples=2)).opacity.max() == 0
    shown = render(field, rays, Sampling(samples=2), noise=2.0, rng=rng)
    # A normal number of mean -1 and deviation 2 is above 0 with probability .3085.
    share = (shown.opacity > 0).double().mean().item()
    assert share == pytest.approx(0.3085, abs=5 * math.sqrt(0.3085 * 0.69 / 2000))
    again = render_at(field, rays, shown.t, added=torch.full_like(shown.t, 1.5))
    torch.testing.assert_close(
        again.opacity, filled((2000,), 1 - math.exp(-0.5 * 4)), rtol=0, atol=1e-8
    )
