"""A field on planes: against a plain loop over points, its borders, what may depend on what."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, softplus

import shapegen
from shapegen import registry
from shapegen.core.game import GameOptions
from shapegen.core.patch import PatchSampler
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig
from shapegen.fields.graf_networks import encoded
from shapegen.fields.rendering import Sampling
from shapegen.fields.triplane import TriplaneField, TriplaneSizes, read
from tests.images.image_cases import play

SIZES = TriplaneSizes(channels=3, coarse=3, fine=5, mapping=16, decoder=12)
REACH = 1.5
SMALL: dict[str, Any] = {
    "size": 16,
    "cameras": CameraSetting(radius=(4.0, 4.0), polar=(50.0, 80.0), sphere=1.0),
    "patch": PatchSampler(8),
    "latent_dim": 6,
    "appearance_dim": 2,
    "backbone": "triplane",
    "triplane": SIZES,
    "view_directions": False,
    "density": "softplus",
    "judge": "plain",
    "judge_width": 4,
    "sampling": Sampling(8, jitter=True, white=True),
}


def network(**changes: Any) -> TriplaneField:
    options: dict[str, Any] = {
        "reach": REACH,
        "view_frequencies": 2,
        "shape_dim": 4,
        "appearance_dim": 2,
        "white_cap": 0.9,
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        found = TriplaneField(SIZES, **(options | changes))
        # Planes that differ from place to place by more than rounding.
        for layer in (found.coarse, found.fine):
            torch.nn.init.normal_(layer.weight)
    return found


def graf(**changes: Any) -> GRAF:
    model = registry.build_seeded("graf", GRAFConfig(**(SMALL | changes)), 0)
    assert isinstance(model, GRAF)
    return model


def places(rng: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Points in the cube and a little outside of it, and directions."""
    points = (torch.rand(*shape, 7, 3, generator=rng) * 2.4 - 1.2) * REACH
    directions = torch.randn(*shape, 3, generator=rng)
    return points, directions / directions.norm(dim=-1, keepdim=True)


def between(grid: Tensor, across: float, down: float) -> Tensor:
    """``(c)`` of a grid ``(c, size, size)`` at a column and a row that are no whole numbers."""
    last = grid.shape[1] - 1
    across, down = min(max(across, 0.0), last), min(max(down, 0.0), last)
    left, top = min(int(across), last - 1), min(int(down), last - 1)
    x, y = across - left, down - top
    upper = (1 - x) * grid[:, top, left] + x * grid[:, top, left + 1]
    lower = (1 - x) * grid[:, top + 1, left] + x * grid[:, top + 1, left + 1]
    return (1 - y) * upper + y * lower


def plain_planes(network: TriplaneField, shape: Tensor) -> Tensor:
    """Planes ``(3, c, fine, fine)`` of one code, node by node."""
    w = shape / math.sqrt(float(shape.square().mean()))
    for layer in (network.mapping[0], network.mapping[2]):
        w = leaky_relu(layer.weight @ w + layer.bias, 0.2)
    c, few, many = SIZES.channels, SIZES.coarse, SIZES.fine
    coarse = (network.coarse.weight @ w + network.coarse.bias).view(3, c, few, few)
    fine = (network.fine.weight @ w + network.fine.bias).view(3, c, many, many)
    step = (few - 1) / (many - 1)
    rows = [
        torch.stack([between(coarse.flatten(0, 1), j * step, i * step) for j in range(many)], -1)
        for i in range(many)
    ]
    return torch.stack(rows, 1).view(3, c, many, many) + 0.5 * fine


def plain_point(
    network: TriplaneField, planes: Tensor, appearance: Tensor, point: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    x, y, z = ((point / REACH + 1) / 2 * (SIZES.fine - 1)).tolist()
    read_here = [
        between(plane, *at) for plane, at in zip(planes, [(x, y), (x, z), (y, z)], strict=True)
    ]
    hidden = (network.hidden.weight @ torch.cat(read_here) + network.hidden.bias).relu()
    density = network.density.weight @ hidden + network.density.bias
    rgb = network.color.weight @ hidden + network.color.bias
    if network.view_dim:
        told = [] if network.view_frequencies is None else [encoded(direction, 2)]
        change = (network.view.weight @ torch.cat([*told, appearance])).view(3, -1)
        rgb = rgb + change @ torch.cat([hidden, torch.ones(1)]) / len(hidden)
    red, green, blue = rgb.sigmoid()
    return 12 * softplus(density[0] - 2), rgb.sigmoid() * (1 - 0.1 * red * green * blue)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no views": {"view_frequencies": None},
    "no appearance": {"appearance_dim": 0},
    "neither": {"view_frequencies": None, "appearance_dim": 0},
}


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_field_is_a_loop_over_points(kind: str, rng: torch.Generator) -> None:
    found = network(**KINDS[kind])
    codes = torch.randn(2, sum(found.code_dims), generator=rng)
    points, directions = places(rng, 2, 3)
    density, rgb = found.field(codes)(points, directions)
    for number, code in enumerate(codes):
        shape, appearance = code.split(found.code_dims)
        planes = plain_planes(found, shape)
        torch.testing.assert_close(found.planes(shape[None])[0], planes, rtol=0, atol=1e-5)
        for ray in range(3):
            for sample in range(7):
                wanted, color = plain_point(
                    found, planes, appearance, points[number, ray, sample], directions[number, ray]
                )
                at = (number, ray, sample)
                torch.testing.assert_close(density[at], wanted, rtol=1e-4, atol=1e-4)
                torch.testing.assert_close(rgb[at], color, rtol=0, atol=1e-5)
        alone, same = found.field(code)(points[number], directions[number])
        torch.testing.assert_close(alone, density[number], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(same, rgb[number], rtol=0, atol=1e-5)
        only = found.densities(code)(points[number])
        torch.testing.assert_close(only, density[number], rtol=1e-5, atol=1e-5)


def test_planes_are_read_at_their_nodes_and_go_on_as_their_borders() -> None:
    grid = torch.arange(9.0).view(1, 1, 1, 3, 3).expand(1, 3, 1, 3, 3)
    corners = torch.tensor([[-1.0, -1.0, -1.0], [1.0, -1.0, 0.0], [0.5, 0.0, 1.0]])
    # Columns and rows of (x, y), (x, z), (y, z): nodes are numbered row by row.
    wanted = torch.tensor([[0.0, 2.0, 4.5], [0.0, 5.0, 7.5], [0.0, 3.0, 7.0]])
    torch.testing.assert_close(read(grid, corners[None])[0], wanted)
    outside = torch.tensor([[-3.0, -1.2, -1.0], [7.0, -1.0, 0.0], [0.5, 0.0, 1.01]])
    torch.testing.assert_close(read(grid, outside[None])[0], wanted)


def test_density_knows_the_shape_alone(rng: torch.Generator) -> None:
    found = network()
    points, directions = places(rng, 9)
    codes = torch.randn(2, 6, generator=rng)
    painted = torch.cat([codes[0, :4], codes[1, 4:]])
    shaped = torch.cat([codes[1, :4], codes[0, 4:]])
    first, other, another = (
        found.field(each)(points, directions) for each in (codes[0], painted, shaped)
    )
    assert torch.equal(first[0], other[0])
    assert (first[1] - other[1]).abs().max() > 1e-3
    assert (first[0] - another[0]).abs().max() > 1e-2
    turned = found.field(codes[0])(points, -directions)
    assert torch.equal(first[0], turned[0])
    assert (first[1] - turned[1]).abs().max() > 1e-3


def test_the_length_of_a_shapes_code_says_nothing(rng: torch.Generator) -> None:
    found, code = network(), torch.randn(1, 4, generator=rng)
    torch.testing.assert_close(found.planes(3 * code), found.planes(code), rtol=1e-4, atol=1e-5)
    assert found.planes(torch.zeros(1, 4)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter(kind: str, rng: torch.Generator) -> None:
    found = network(**KINDS[kind])
    points, directions = places(rng, 2, 40)
    codes = torch.randn(2, sum(found.code_dims), generator=rng)
    density, rgb = found.field(codes)(points, directions)
    (density.mean() + rgb.square().mean()).backward()
    for name, parameter in found.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_products_in_half_precision_are_near(rng: torch.Generator) -> None:
    found = network()
    points, directions = places(rng, 30)
    code = torch.randn(6, generator=rng)
    with torch.no_grad():
        density, rgb = found.field(code)(points, directions)
        half, color = found.field(code, torch.bfloat16)(points, directions)
    assert half.dtype == color.dtype == torch.float32
    assert 0 < (rgb - color).abs().max() < 0.05
    # Planes are wide here, so densities are of tens; bfloat16 has three digits.
    assert 0 < (density - half).abs().max() < 0.05 * density.max()


def test_a_model_on_planes_is_rendered_meshed_and_kept(tmp_path: Path) -> None:
    model = graf().eval()
    fields = model.sample(2, rng=torch.Generator().manual_seed(0))
    exact, quick = fields.render(), fields.render(tolerance=0.02)
    assert (exact.pixels - quick.pixels).abs().max() <= 2 * 0.02
    assert (exact.opacity - quick.opacity).abs().max() <= 0.02
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    level = float(fields[0].densities()(points).median())
    assert len(fields[:1].mesh(resolution=16, level=level)[0].faces)
    shapegen.save(model, tmp_path / "model.safetensors")
    again = shapegen.load(tmp_path / "model.safetensors")
    codes = model.sample_latent(1, rng=torch.Generator().manual_seed(2))
    assert torch.equal(again.decode(codes).render().pixels, model.decode(codes).render().pixels)


def test_planes_span_all_that_is_seen() -> None:
    assert graf().generator.reach == 1.0
    cameras = CameraSetting()
    assert graf(cameras=cameras).generator.reach == cameras.reach


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TriplaneSizes(channels=0), "channels must be at least 1; got 0"),
        (
            lambda: TriplaneSizes(coarse=9, fine=8),
            "nodes must be 2 <= coarse <= fine; got coarse 9, fine 8",
        ),
        (
            lambda: GRAFConfig.official(backbone="triplane"),
            "compat official has backbone mlp and judge paper alone; got triplane and paper",
        ),
        (
            lambda: GRAFConfig.official(judge="plain"),
            "compat official has backbone mlp and judge paper alone; got mlp and plain",
        ),
    ],
)
def test_wrong_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_a_silhouette_is_learnt() -> None:
    """Images of a grey square on white: the model comes to hold back light where the square is."""
    model = graf(game=GameOptions(r1=0.1), noise=0.0, white_cap=0.8, patch=PatchSampler(8, 0.9))
    pixels = torch.ones(8, 3, 16, 16)
    pixels[:, :, 5:11, 5:11] = -0.5
    rng = torch.Generator().manual_seed(0)

    def contrast() -> float:
        fields = model.eval().sample(4, rng=torch.Generator().manual_seed(1))
        opacity = fields.render().opacity
        # Left and right of the square, where rays are in the sphere too.
        return float((opacity[..., 6:10, 6:10] - opacity[..., 6:10, [2, 3, 12, 13]]).mean())

    first = contrast()
    play(model, pixels, 80, rng=rng, rate=4e-3)
    assert first < 0.3
    assert contrast() > 0.7
