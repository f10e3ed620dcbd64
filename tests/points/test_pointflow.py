"""PointFlow: its laws, its codes and shapes, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import shapegen
from shapegen import registry
from shapegen.core.cnf import CNF, continuous
from shapegen.core.flows import FlowDistribution, standard_normal_log_prob
from shapegen.core.ode import Solver
from shapegen.points.normalisation import Normalisation
from shapegen.points.point_clouds import PointClouds
from shapegen.points.pointflow import PointFlow, PointFlowConfig
from tests.points.pointflow_cases import build, clouds, stirred

# Data --------------------------------------------------------------------------------------


def test_the_first_data_give_the_scale_and_a_file_keeps_it(tmp_path: Path) -> None:
    model = build()
    prepared = model.prepare(clouds(6))
    torch.testing.assert_close(prepared.mean((0, 1)), torch.zeros(3), atol=1e-4, rtol=0)
    assert float(prepared.std()) == pytest.approx(1, rel=0.01)
    other = PointClouds(clouds(3).points + 1)
    moved = model.prepare(other) - model.prepare(clouds(3))
    torch.testing.assert_close(moved, (1 / model.scale).expand_as(moved), atol=1e-3, rtol=1e-3)
    shapegen.save(model, tmp_path / "a.safetensors")
    loaded = shapegen.load(tmp_path / "a.safetensors")
    assert isinstance(loaded, PointFlow)
    samples = loaded.sample(3, num_points=300, rng=torch.Generator().manual_seed(0)).points
    # Untrained it is noise, but at the data's place.
    assert (samples.mean((0, 1)) - torch.tensor([20.0, 0.0, -5.0])).abs().max() < 3
    again = model.eval().sample(3, num_points=300, rng=torch.Generator().manual_seed(0)).points
    assert torch.equal(samples, again)


@pytest.mark.parametrize("spread", ["scalar", "axis"])
def test_every_shape_by_itself(spread: Any) -> None:
    model = build(normalise="shape", spread=spread)
    prepared = model.prepare(clouds(3))
    torch.testing.assert_close(prepared.mean(1), torch.zeros(3, 3), atol=1e-4, rtol=0)
    if spread == "axis":
        torch.testing.assert_close(
            prepared.std(1, unbiased=False), torch.ones(3, 3), atol=1e-3, rtol=0
        )
    assert model.centre.abs().max() == 0
    torch.testing.assert_close(
        model.eval().encode(clouds(3)), model.encoder(prepared).mean, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (torch.zeros(2, 7, 3), "8 points is needed"),
        (torch.rand(2, 9, 3)[:0], "at least one shape of 8 points is needed"),
        (torch.ones(2, 9, 3), "a shape needs an extent; all points of shape 0"),
        (torch.full((1, 9, 3), torch.nan), "must be finite; cloud 0"),
        (np.full((1, 9, 3), 1e200), "must be finite; cloud 0"),
        (torch.zeros(2, 9, 2), r"must be \(batch, points, 3\); got \(2, 9, 2\)"),
        (torch.zeros(9, 3), r"must be \(batch, points, 3\); got \(9, 3\)"),
        ([torch.rand(9, 3), torch.rand(10, 3)], "equally many points; got 9, 10"),
        ([torch.rand(9, 3), torch.rand(9, 2)], r"points must be .*; got \(1, 9, 2\)"),
        ([], "at least one point cloud"),
        ("chairs.npz", "point clouds are needed; got str"),
        (np.array([["a"] * 3] * 9), "points must be numbers"),
    ],
)
def test_bad_clouds_are_refused(points: Any, message: str) -> None:
    model, code = build(), torch.zeros(1, 4)
    for use in (model.prepare, model.encode, lambda given: model.log_prob_given(given, code)):
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            use(points)
        assert "\n" not in str(caught.value)
    assert not model.measured


def test_codes_are_one_a_cloud() -> None:
    model = stirred()
    for codes, message in (
        (torch.zeros(3, 4), r"codes must be one a cloud \(2\); got 3"),
        (torch.zeros(2, 5), r"codes must be \(n, 4\); got \(2, 5\)"),
        (torch.full((2, 4), torch.nan), "codes must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            model.log_prob_given(clouds(2), codes)


# Codes and shapes --------------------------------------------------------------------------


def test_the_order_of_points_says_nothing() -> None:
    model = stirred()
    points = clouds(3).points
    order = torch.randperm(48, generator=torch.Generator().manual_seed(1))
    code = model.encode(points)
    torch.testing.assert_close(model.encode(points[:, order]), code, atol=1e-5, rtol=1e-5)
    shuffled = model.log_prob_given(points[:, order], code, solver=Solver(pilot=None))
    torch.testing.assert_close(
        shuffled, model.log_prob_given(points, code, solver=Solver(pilot=None))[:, order]
    )


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_density_in_the_units_of_the_data(blocks: int) -> None:
    model = stirred(blocks=blocks)
    points, code = clouds(2).points, torch.randn(2, 4)
    log_prob = model.log_prob_given(points, code)
    x = (points - model.centre) / model.scale
    with torch.no_grad():
        wanted = FlowDistribution(model.point_flow, (3,), context=code).log_prob(x)
    normalised = -model.nats_given(points, code)
    torch.testing.assert_close(normalised.float(), wanted, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(log_prob, normalised - 3 * model.scale.double().log().item())
    # Samples of a density have minus its entropy as mean log-density: of a Gaussian's, more.
    samples = model.decode(code, num_points=400, rng=torch.Generator().manual_seed(0)).points
    spread = samples.std(1).log().sum(1) + 1.5 * math.log(2 * math.pi * math.e)
    assert (-model.log_prob_given(samples, code).mean(1) < spread + 0.15).all()


def test_a_density_is_that_of_the_noise_by_the_jacobian_of_autograd() -> None:
    model = stirred()
    points, code = clouds(1, points=8).points, torch.randn(1, 4)
    model.double()

    def noise(point: Tensor) -> Tensor:
        x = (point - model.centre) / model.scale
        return model.point_flow(x.view(1, 1, 3), code.double())[0].view(3)

    expected = [
        standard_normal_log_prob(noise(point))
        + torch.linalg.slogdet(torch.autograd.functional.jacobian(noise, point))[1]
        for point in points[0].double()
    ]
    found = model.log_prob_given(points, code)[0]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("spread", ["scalar", "axis"])
@pytest.mark.parametrize("normalise", ["set", "shape"])
def test_data_in_other_units_have_the_volume_between_them(normalise: Any, spread: Any) -> None:
    model = stirred(normalise=normalise, spread=spread)
    points, code = clouds(2).points, torch.randn(2, 4)
    x = model.normalise(points)
    scale = ((points[:, :1] - points[:, 1:2]) / (x[:, :1] - x[:, 1:2])).double()
    fast = Solver(atol=1e-4, rtol=1e-4)
    found = model.log_prob_given(points, code, solver=fast)
    # p(x) = p((x - c) / s) / (s_1 s_2 s_3), where s is what is seen of the normalisation alone.
    normalised = -model.nats_given(points, code, solver=fast)
    wanted = normalised - scale.log().sum(2)
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)
    assert scale.log().sum(2).abs().min() > 0.1
    # The same clouds in units ten times as small: a thousandth of the density, and of the bound.
    other = stirred(normalise=normalise, spread=spread)
    other.set_normalisation(Normalisation(10 * model.centre, 10 * model.scale))
    moved = other.log_prob_given(10 * points, code, solver=fast)
    torch.testing.assert_close(moved, found - 3 * math.log(10), atol=1e-3, rtol=0)
    a, b = (
        each.elbo(data, rng=torch.Generator().manual_seed(0))
        for each, data in ((model, points[:1, :8]), (other, 10 * points[:1, :8]))
    )
    torch.testing.assert_close(b, a - 8 * 3 * math.log(10), atol=1e-2, rtol=0)


def test_bounds_tighten() -> None:
    model = stirred()
    rng = torch.Generator().manual_seed(0)
    one = torch.stack([model.elbo(clouds(2, 8), rng=rng) for _ in range(12)]).mean(0)
    many = model.importance_bound(clouds(2, 8), 12, rng=rng)
    assert (many > one).all()
    with pytest.raises(ValueError, match="at least one draw; got 0"):
        model.importance_bound(clouds(2, 8), 0)
    for lacking in ({"deterministic": True}, {"latent_flow": False}):
        with pytest.raises(ValueError, match="needs a posterior and a latent flow"):
            stirred(**lacking).elbo(clouds(2, 8))


def test_any_number_of_points_and_one_stream_one_sample() -> None:
    model = stirred()
    for count in (None, 1, 100):
        samples = model.sample(2, num_points=count, rng=torch.Generator().manual_seed(0))
        assert samples.points.shape == (2, count or 24, 3)
    again = model.sample(2, num_points=100, rng=torch.Generator().manual_seed(0))
    assert torch.equal(samples.points, again.points)
    with pytest.raises(ValueError, match="needs at least one point; got 0"):
        model.sample(1, num_points=0)
    with pytest.raises(ValueError, match="number of samples must be at least 1; got 0"):
        model.sample(0)
    with pytest.raises(ValueError, match=r"codes must be \(n, 4\); got \(2, 5\)"):
        model.decode(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="codes must be finite"):
        model.decode(torch.full((1, 4), torch.nan))


def test_reconstruction_is_the_decoded_code() -> None:
    model = stirred()
    shapes = clouds(2)
    a = model.reconstruct(shapes, rng=torch.Generator().manual_seed(0))
    b = model.decode(model.encode(shapes), rng=torch.Generator().manual_seed(0))
    assert torch.equal(a.points, b.points)


@pytest.mark.parametrize("latent_flow", [True, False])
def test_interpolation_moves_the_same_points(latent_flow: bool) -> None:
    model = stirred(latent_flow=latent_flow)
    shapes = clouds(2)
    walk = model.interpolate(shapes[0], shapes[1], 5, rng=torch.Generator().manual_seed(0))
    assert walk.points.shape == (5, 24, 3)
    ends = model.encode(shapes)
    noise = torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(0))
    wanted = model._flown(ends, noise.expand(2, -1, -1)).points
    torch.testing.assert_close(walk.points[[0, -1]], wanted, atol=1e-3, rtol=1e-4)
    steps = (walk.points[1:] - walk.points[:-1]).norm(dim=2)
    direct = (walk.points[-1] - walk.points[0]).norm(dim=1)
    assert (steps.sum(0) < 3 * direct + 0.1).all()


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_trajectory_ends_at_the_shape(blocks: int, batch_norm: bool) -> None:
    model = stirred(blocks=blocks, batch_norm=batch_norm)
    code = torch.randn(4)
    rng = torch.Generator().manual_seed(0)
    frames = model.trajectory(code, 7, num_points=30, rng=rng).points
    assert frames.shape == (7, 30, 3)
    shape = model.decode(code[None], num_points=30, rng=torch.Generator().manual_seed(0)).points
    torch.testing.assert_close(frames[-1], shape[0], atol=1e-3, rtol=1e-4)
    z = torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(0))
    for layer in reversed(list(model.point_flow)):
        if not isinstance(layer, CNF):
            z = layer.generate(z)
    start = (z * model.scale + model.centre)[0].detach()
    torch.testing.assert_close(frames[0], start, atol=1e-4, rtol=1e-4)
    moves = (frames[1:] - frames[:-1]).norm(dim=2).mean(1)
    assert moves.max() < 4 * moves.min() + 1e-3
    with pytest.raises(ValueError, match="at least 2 steps; got 1"):
        model.trajectory(code, 1)


def test_truncated_noise_stays_inside() -> None:
    for compat in ("none", "official"):
        model = stirred(truncation=0.5, latent_truncation=0.5, compat=compat)
        noise = model.base_noise((4000,), 0.5, rng=torch.Generator().manual_seed(0))
        outside = float((noise.abs() > 0.5).float().mean())
        # Of the authors' four candidates none is inside in .617 ** 4 of the cases.
        assert outside == pytest.approx(0.0 if compat == "none" else 0.617**4, abs=0.02)
        model.sample(2, rng=torch.Generator().manual_seed(0))


def test_an_autoencoder_samples_from_the_codes_it_was_trained_on() -> None:
    model = build(deterministic=True, latent_flow=False)
    prepared = model.prepare(clouds(40))
    model.eval().calibrate(prepared, rng=torch.Generator().manual_seed(0))
    codes = model.encode(clouds(40))
    drawn = model.sample_latent(2000, rng=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.1, rtol=0)
    assert model.sample(2).points.shape == (2, 24, 3)


def test_codes_of_averaged_weights_are_those_of_training(tmp_path: Path) -> None:
    model, shapes = build(), clouds(64)
    settings = {"epochs": 25, "batch_size": 16, "learning_rate": 1e-2, "ema": 0.99}
    shapegen.fit(model, shapes, settings, out=tmp_path, progress=False)
    codes, prepared = model.encode(shapes), model.prepare(shapes)
    with torch.no_grad():
        batch = model.encoder.train()(prepared).mean
    assert float((codes - batch).square().mean()) < 0.3 * float(batch.var())


def test_a_sample_has_as_many_points_as_are_asked_for() -> None:
    assert stirred().sample(2).points.shape == (2, 24, 3)
    model = stirred(sample_points=40)
    codes = torch.zeros(3, 4)
    assert model.sample(2).points.shape == (2, 40, 3)
    assert model.sample(2, num_points=7).points.shape == (2, 7, 3)
    assert model.decode(codes).points.shape == (3, 40, 3)
    assert model.interpolate(codes[0], codes[1], 5).points.shape == (5, 40, 3)
    assert model.trajectory(codes[0], 5).points.shape == (5, 40, 3)


@pytest.mark.parametrize("count", [1, 5])
def test_a_batch_of_one_cloud_can_be_trained_on(count: int, tmp_path: Path) -> None:
    model = build()
    settings = {"epochs": 2, "batch_size": 4}
    shapegen.fit(model, clouds(count), settings, out=tmp_path, progress=False)
    assert bool(torch.isfinite(model.sample(2).points).all())


# Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent_dim": 0}, "pointflow.latent_dim must be at least 1; got 0"),
        ({"hidden": []}, "pointflow.hidden must be widths of at least 1; got []"),
        ({"truncation": 0.0}, "pointflow.truncation must be above 0, or null for none"),
        ({"sample_points": 0}, "pointflow.sample_points must be at least 1; got 0"),
        ({"bn_lag": 1.0}, "pointflow.bn_lag must be from 0 to below 1; got 1.0"),
        ({"end_time": 0.0}, "pointflow.end_time must be above 0; got 0.0"),
        ({"matching": {"times": 3}}, "targets must be a multiple of times 3; got 512"),
        (
            {"objective": "likelihood", "solver": {"method": "rk4"}},
            "fixed steps teach the flow to exploit their error; got rk4",
        ),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        registry.build("pointflow", **fields)
    assert message in str(caught.value)


def test_the_defaults_are_the_papers_sizes() -> None:
    model = PointFlow(PointFlowConfig.official())
    counts = {
        name: sum(each.numel() for each in part.parameters())
        for name, part in model.named_children()
    }
    assert counts["encoder"] == 546_688
    # The authors' norms have 2 x 2 x 3 and 2 x 2 x 128 weights in these counts, too.
    assert counts["point_flow"] == 927_513
    assert counts["latent_flow"] == 134_145
    assert len(continuous(model)) == 2
    assert model.config.objective == "likelihood"
