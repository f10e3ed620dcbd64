"""Every tensor recorded from GRAF's original code, against ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen.config import TrainConfig
from shapegen.core.patch import PatchSampler
from shapegen.metrics.frechet import frechet_distance
from shapegen.metrics.kernel_distance import squared_mmd
from shapegen.train.schedule import rate_factor
from tests.parity.graf_recording import Recording
from tests.parity.graf_values import everything

FOLDER = Path(os.environ.get("SHAPEGEN_PARITY", Path(__file__).parents[3] / "shared" / "parity"))
# Whatever recordings there are; this one is always asked for.
RECORDINGS = {path.parent.name for path in FOLDER.glob("graf*/metadata.json")} | {"graf"}
KEYS = {
    "camera/pose": "camera/pose",
    "camera/render_poses": "camera/pose",
    "embed": "embed",
    "mlp": "mlp*",
    "full/depth_t": "full/depth_t",
    "real/patch": "real/patch",
    "step/real_patch": "real/patch",
}
"""Beginnings of names, and the entries of ``tolerances`` that they are compared at."""
LAST = {
    "pose": "camera/pose",
    "grid": "flexgrid/grid",
    "real_grid": "flexgrid/grid",
    "rays_o": "rays_o",
    "rays_o_0": "rays_o",
    "rays_d": "rays_d",
    "rays_d_0": "rays_d",
    "z_vals": "z_vals",
    "raw": "raw",
    "weights": "weights",
    "rgb": "rgb",
    "acc": "acc",
    "depth": "depth",
    "out_train": "disc/out_train",
    "grad2": "disc/grad2",
    "d_real": "step/d/d_real,d_fake",
    "d_fake": "step/d/d_real,d_fake",
    "dloss": "step losses (dloss, gloss)",
    "gloss": "step losses (dloss, gloss)",
    "loss_real": "step losses (dloss, gloss)",
    "loss_fake": "step losses (dloss, gloss)",
}
"""Ends of names, likewise."""
RELATIVE = {"out_eval": 1e-5, "reg": 1e-4, "grad_x_sum": 1e-4}


@pytest.fixture(scope="module", params=sorted(RECORDINGS))
def recording(request: pytest.FixtureRequest, parity_path: Path) -> Recording:
    return Recording(parity_path / request.param)


@pytest.fixture(scope="module")
def found(recording: Recording) -> dict[str, Tensor]:
    return everything(recording)


def test_no_recorded_tensor_is_left_out(recording: Recording, found: dict[str, Tensor]) -> None:
    assert set(recording.expected) - set(found) == set()
    assert len(recording.expected) > 100


def test_every_recorded_tensor(recording: Recording, found: dict[str, Tensor]) -> None:
    wrong = {}
    for name, value in recording.expected.items():
        said = difference(name, found[name].detach(), value, recording)
        if said:
            wrong[name] = said
    assert wrong == {}


def difference(name: str, ours: Tensor, value: Tensor, recording: Recording) -> str:
    """What is wrong with a value of ours; nothing, if it is near enough."""
    ours, value = ours.double().reshape(value.shape), value.double()
    last = name.rsplit("/", 1)[1]
    if name.startswith("step/") and "/grad/" in name:
        # In the trunk, rectifiers that are near 0 turn with the order of sums.
        limit = 5e-3 if last.startswith("pts_linears") else 1e-4
        error = float((ours - value).norm() / value.norm())
        return "" if error <= limit else f"{error:.2e} of its norm"
    if last == "disp":
        seen = (recording.tensors[name.replace("disp", "acc")].double() + 1) / 2 > 1e-3
        limits = torch.where(seen, 2e-6, 1e-3 * value.abs())
    elif last in ("depth_colormap", "depth_color"):
        # At the border between two colours, and in a byte's last bit, rounding decides.
        unit = 2 / 255 if last == "depth_colormap" else 1.0
        off = (ours - value).abs() > 2.001 * unit
        return "" if off.double().mean() <= 0.005 else f"{int(off.sum())} colours"
    elif last in RELATIVE:
        limits = RELATIVE[last] * value.abs()
    elif "/after/" in name or name.startswith("step/ema"):
        return after(name, ours, value, recording)
    elif "after_1_forward" in name:
        limits = torch.full_like(value, 1e-6)
    else:
        limits = torch.full_like(value, tolerance(name, recording.metadata["tolerances"]))
    over = float(((ours - value).abs() - limits).max())
    return "" if over <= 0 else f"{over:.2e} more than {float(limits.max()):.1e}"


def tolerance(name: str, table: dict[str, Any]) -> float:
    for start, key in KEYS.items():
        if name.startswith(start):
            return float(table[key])
    if name.startswith("interp/"):
        return float(table["interp/*"])
    return float(table[LAST[name.rsplit("/", 1)[1]]])


def after(name: str, ours: Tensor, value: Tensor, recording: Recording) -> str:
    """The first step of RMSprop is ten rates by the sign of a gradient, which must be certain."""
    generator = name.startswith(("step/g", "step/ema"))
    parameter = name.rsplit("/", 1)[1]
    gradient = recording.tensors.get(f"step/{'g' if generator else 'd'}/grad/{parameter}")
    if gradient is None:
        limit, certain = 1e-5, torch.ones_like(value, dtype=torch.bool)
    else:
        limit = 1e-4 if generator else 1e-5
        certain = gradient.abs() > 1e-6 * gradient.abs().max()
        if name.startswith("step/ema"):
            limit = 1e-6
    if generator and parameter.startswith("pts_linears"):
        # Gradients of the trunk agree to a share of their norm; smaller ones may turn.
        certain &= gradient.abs() > 1e-2 * gradient.abs().max()
    error = float(((ours - value).abs() * certain).max())
    return "" if error <= limit else f"{error:.2e} more than {limit:.0e}"


def test_the_average_is_that_of_the_weights(
    recording: Recording, found: dict[str, Tensor]
) -> None:
    beta = recording.metadata["step"]["ema_beta"]
    names = [name for name in recording.expected if name.startswith("step/ema/")]
    assert names
    for name in names:
        parameter = name.removeprefix("step/ema/")
        first, then = (recording.generator[parameter], found[f"step/g/after/{parameter}"])
        wanted = beta * first + (1 - beta) * then
        torch.testing.assert_close(found[name].detach(), wanted, rtol=0, atol=1e-6)


def test_losses_of_the_step(recording: Recording, found: dict[str, Tensor]) -> None:
    step = recording.metadata["step"]
    for name, ours in (("dloss", "step/d/dloss"), ("gloss", "step/g/gloss")):
        assert float(found[ours]) == pytest.approx(step[name], abs=2e-5)
    assert float(found["step/d/reg"]) == pytest.approx(step["reg"], rel=1e-4)
    assert step["reg_param"] == recording.config["training"]["reg_param"]


def test_schedules(recording: Recording) -> None:
    schedules = recording.metadata["schedules"]
    scale = schedules["min_scale"]
    sampler = PatchSampler(
        8, scale["min_scale"], recording.config["ray_sampler"]["max_scale"], scale["scale_anneal"]
    )
    for step, value in zip(scale["it"], scale["value"], strict=True):
        assert sampler.low(step) == pytest.approx(value, rel=1e-12)
    model = recording.model()
    for step, value in schedules["raw_noise_std"]["it_value"]:
        std = schedules["raw_noise_std"]["initial"] / model.config.noise
        assert std * model.config.noise_at(step) == pytest.approx(value, abs=1e-12)
        # It is set between the two players' steps.
        assert std * model.config.judge_noise_at(step + 1) == pytest.approx(value, abs=1e-12)
    step = recording.metadata["step"]
    assert model.config.noise_at(step["it"]) == pytest.approx(step["raw_noise_std_g"])
    assert model.config.judge_noise_at(step["it"]) == pytest.approx(step["raw_noise_std_d"])
    training = recording.config["training"]
    config = TrainConfig(
        learning_rate=training["lr_g"],
        schedule="step",
        step_every=tuple(int(each) for each in str(training["lr_anneal_every"]).split(",")),
        step_factor=training["lr_anneal"],
    )
    for step, value in schedules["lr_g_at_iteration"]:
        rate = config.learning_rate * rate_factor(config, step, 10**6)
        assert rate == pytest.approx(value, rel=1e-12)


def test_the_focal_length(recording: Recording) -> None:
    camera, cameras = recording.metadata["camera"], recording.cameras()
    lens = cameras.lens(camera["W"], corner=True)
    assert lens.focal == pytest.approx(camera["focal"], rel=1e-12)
    assert lens.centre == camera["W"] / 2


def test_distances_of_distributions(recording: Recording) -> None:
    real, fake = (recording.given(f"metrics/feat_{each}").numpy() for each in ("real", "fake"))
    metrics = recording.metadata["metrics"]
    assert frechet_distance(real, fake) == pytest.approx(metrics["fid"], rel=1e-6)
    assert squared_mmd(real, fake) == pytest.approx(metrics["kid_mmd2_unbiased"], rel=1e-9)


def test_sizes_and_settings_are_the_recordings(recording: Recording) -> None:
    config, nerf = recording.model().config, recording.config["nerf"]
    assert (config.depth, config.width) == (nerf["netdepth"], nerf["netwidth"])
    assert config.view_directions == nerf["use_viewdirs"]
    assert config.frequencies == (nerf["multires"] if nerf["i_embed"] >= 0 else 0)
    if config.view_directions:
        assert config.view_frequencies == (nerf["multires_views"] if nerf["i_embed"] >= 0 else 0)
    for side in recording.judges:
        model = recording.model(side)
        assert model.config.patch.side == side
        assert model.config.judge_width == recording.metadata["disc"][str(side)]["ndf"]
