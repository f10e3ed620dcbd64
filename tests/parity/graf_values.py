"""Our value of everything in a recording of GRAF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.config import TrainConfig
from shapegen.core.gradient_penalties import slopes
from shapegen.core.latent import slerp
from shapegen.core.patch import Patches, PatchSampler, extract, patches_at
from shapegen.fields import rendering
from shapegen.fields.cameras import Lens, Viewpoints, look_at, on_sphere, tilted, turned
from shapegen.fields.depth_colors import depth_colors, depth_share
from shapegen.fields.graf import GRAF, GRAFConfig
from shapegen.fields.graf_networks import ConditionalField, encoded
from shapegen.fields.radiance import RadianceFields
from shapegen.fields.rays import image_rays, patch_rays
from shapegen.fields.rendering import Rendered
from shapegen.interop.graf import names_of
from shapegen.train.descent import Descent
from shapegen.train.record import Means
from tests.fields.plain_field import plain_outputs
from tests.parity.graf_recording import (
    Json,
    Recording,
    Tensors,
    centred,
    planes,
    poses,
    replayed,
    rows,
)


def cameras(recording: Recording) -> Tensors:
    u, v, r = recording.given("camera/uvr").unbind(1)
    found = {"camera/pose": on_sphere(2 * math.pi * u, (1 - 2 * v).arccos(), r)}
    for kind, orbit in (("rotation", turned), ("elevation", tilted)):
        asked = recording.metadata["camera"][kind]
        low, high = map(math.radians, asked["angle_range"])
        theta = math.radians(asked["theta"])
        found[f"camera/render_poses_{kind}"] = orbit(
            asked["N"], (low, high), theta, asked["radius"], like=u
        )
    # The poses of everything else look at the middle.
    for name in ("patch/pose", "full/pose", "step/d/pose", "step/g/pose"):
        found[name] = look_at(recording.tensors[name][:, :, 3])
    return {name: value[:, :3] for name, value in found.items()}


def grids(recording: Recording) -> Tensors:
    found = {}
    for name in ("patch", "real"):
        drawn = recording.given(f"{name}/scale_hoff_woff")
        side = recording.tensors[f"{name}/grid"].shape[1]
        found[f"{name}/grid"] = patches_at(side, drawn[:, 0], drawn[:, 1:]).places
    for name in ("step/real_grid", "step/d/grid", "step/g/grid"):
        # Their scales and middles are not recorded, but seen: from the corners.
        places = recording.tensors[name]
        low, high = places[:, 0, 0], places[:, -1, -1]
        found[name] = patches_at(
            places.shape[1], ((high - low) / 2)[:, 0], (high + low) / 2
        ).places
    images = recording.given("real/img")
    found["real/patch"] = rows(extract(images, recording.tensors["real/grid"]))
    found["step/real_patch"] = rows(extract(images, recording.tensors["step/real_grid"]))
    return found


def networks(recording: Recording) -> Tensors:
    nerf = recording.config["nerf"]
    found = {"embed/out": encoded(recording.given("embed/x"), nerf["multires"])}
    for number, (sizes, state) in enumerate(
        zip(recording.metadata["mlp"], recording.perceptrons, strict=True)
    ):
        found[f"mlp{number}/out"] = perceptron(sizes, state, recording.tensors[f"mlp{number}/x"])
    return found


def perceptron(sizes: Json, state: Tensors, x: Tensor) -> Tensor:
    """The field's plain network, of which the recording gives the encoded input."""
    network = ConditionalField(
        depth=sizes["D"],
        width=sizes["W"],
        skips=sizes["skips"],
        frequencies=0,
        view_frequencies=None,
        shape_dim=sizes["input_ch"] - 3,
        appearance_dim=sizes["input_ch_views"],
    )
    whole = GRAF(GRAFConfig(depth=1, width=2))
    whole.generator = network
    ours = {
        name.removeprefix("generator."): (state[theirs] if part is None else state[theirs][part])
        for name, (_, theirs, part) in names_of(whole).items()
        if name.startswith("generator.")
    }
    network.load_state_dict(ours)
    with torch.no_grad():
        return network(*x.split([sizes["input_ch"], sizes["input_ch_views"]], 1))


@torch.no_grad()
def patch_rendering(recording: Recording, model: GRAF) -> Tensors:
    z, at = recording.given("patch/z"), poses(recording.tensors["patch/pose"])
    grid = recording.tensors["patch/grid"]
    lens = model.config.cameras.lens(model.config.size, corner=True)
    origins, directions = patch_rays(at, lens, grid)
    found = {"patch/rays_o": origins.flatten(0, 2), "patch/rays_d": directions.flatten(0, 2)}
    plain = model.render_patches(z, at, grid)
    found |= {f"patch/det/{name}": value for name, value in outputs(plain).items()}
    found["patch/det/raw"] = raw(model, z, origins.flatten(1, 2), directions.flatten(1, 2), plain)
    noise, jitter = (recording.given(f"patch/rnd/{name}") for name in ("noise_unit", "t_rand"))
    with replayed(jitter=[jitter], noise=[noise]):
        std = recording.metadata["patch_rnd_raw_noise_std"]
        shown = model.render_patches(z, at, grid, noise=std, jitter=True)
    return found | {f"patch/rnd/{name}": value for name, value in outputs(shown).items()}


def outputs(shown: Rendered) -> Tensors:
    return {
        "rgb": centred(shown.rgb).flatten(0, 1),
        "acc": centred(shown.opacity).flatten()[:, None],
        "disp": centred(shown.disparity).flatten()[:, None],
        "depth": shown.depth.flatten(),
        "weights": shown.weights.flatten(0, 1),
        "z_vals": shown.t.flatten(0, 1),
    }


def raw(model: GRAF, z: Tensor, origins: Tensor, directions: Tensor, at: Rendered) -> Tensor:
    """The network's outputs, point by point, as the paper draws it."""
    points = origins[..., None, :] + at.t[..., None] * directions[..., None, :]
    unit = directions / directions.norm(dim=-1, keepdim=True)
    return plain_outputs(model.generator, z, points, unit).flatten(0, 1)


@torch.no_grad()
def image_rendering(recording: Recording, model: GRAF) -> Tensors:
    at = poses(recording.tensors["full/pose"])
    camera = recording.metadata["camera"]
    lens = model.config.cameras.lens(camera["W"], corner=True)
    origins, directions = (each.flatten(1, 2) for each in image_rays(at, lens))
    fields = fields_of(model, recording.given("full/z"), at, lens)
    views = fields.render()
    found = {
        "full/rays_o_0": origins[0],
        "full/rays_d_0": directions[0],
        "full/rgb": views.pixels,
        "full/acc": centred(views.opacity),
        "full/depth_t": views.depth.flatten(),
    }
    # A pose in double precision, of those of the turn; which is not recorded.
    turn = poses(cameras(recording)["camera/render_poses_rotation"])
    wanted = recording.tensors["full64/rgb"]
    turned_views = fields[:1].render(turn).pixels
    errors = (turned_views - wanted).abs().flatten(1).mean(1)
    found["full64/rgb"] = turned_views[errors.argmin()]
    rays = model.config.cameras.image_rays(at, lens)
    field = model.generator.field(fields.codes)
    found["full/weights"] = rendering.render(field, rays, fields.sampling).weights.flatten(0, 1)
    setting = model.config.cameras
    pictures = [
        depth_colors(depth_share(depth[0], opacity[0], setting.near, setting.far))
        for depth, opacity in zip(views.depth, views.opacity, strict=True)
    ]
    colors = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return found | {"full/depth_colormap": colors / 127.5 - 1}


def fields_of(model: GRAF, z: Tensor, at: Tensor, lens: Lens) -> RadianceFields:
    return replace(model.decode(z), poses=at, size=lens.size)


def judgements(recording: Recording) -> Tensors:
    found: Tensors = {}
    for side, state in recording.judges.items():
        judge = recording.model(side).discriminator
        count = len(recording.tensors[f"disc{side}/out_train"])
        x = planes(recording.tensors[f"disc{side}/x"], count)
        prefix = f"disc{side}"
        with torch.no_grad():
            found[f"{prefix}/out_eval"] = judge.eval()(x)
        logits, gradient = slopes(judge.train(), x)
        squared = gradient.square().sum(1).flatten()
        found[f"{prefix}/out_train"] = logits
        found[f"{prefix}/grad2"] = squared
        # The recording's sum is of squares; its R1 is a mean over pixels, ours over patches.
        found[f"{prefix}/grad_x_sum"] = squared.sum()
        gamma = recording.model(side).config.game.r1
        found[f"{prefix}/reg"] = gamma / 2 * gradient.square().flatten(1).sum(1).mean()
        found |= {
            f"{prefix}/after_1_forward/{name}": value
            for name, value in theirs(judge.state_dict(), recording.model(side)).items()
            if name in state and name.endswith("_u")
        }
    return found


def theirs(tensors: Tensors, model: GRAF, part: str = "discriminator") -> Tensors:
    """Tensors named like the parameters of one of our networks, under the original's names."""
    found: dict[str, list[Tensor]] = {}
    for ours, (network, name, _) in names_of(model).items():
        key = ours.removeprefix(f"{part}.")
        if network == part and key in tensors:
            found.setdefault(name, []).append(tensors[key])
    # Colour and density may be one layer there, colour first.
    return {
        name: torch.cat(sorted(values, key=len, reverse=True)) for name, values in found.items()
    }


class Replay:
    """The draws of one training step, in the order in which a model of ours asks for them."""

    def __init__(self, recording: Recording) -> None:
        tensors = recording.tensors
        self.codes = iter([tensors["step/z_d"], tensors["step/z_g"]])
        self.poses = iter([poses(tensors[f"step/{each}/pose"]) for each in "dg"])
        places = [tensors[f"step/{each}"] for each in ("d/grid", "real_grid", "g/grid")]
        self.patches = iter([Patches(each, each[:, 0, 0, 0], each[:, 0, 0]) for each in places])
        self.jitter = [tensors[f"step/{each}/t_rand"] for each in "dg"]
        self.noise = [tensors[f"step/{each}/noise_unit"] for each in "dg"]

    @contextmanager
    def patched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, replayed(jitter=self.jitter, noise=self.noise):
            patch.setattr(GRAF, "sample_latent", lambda *_, **__: next(self.codes))
            patch.setattr(Viewpoints, "draw", lambda *_, **__: next(self.poses))
            patch.setattr(PatchSampler, "draw", lambda *_, **__: next(self.patches))
            yield


def training(recording: Recording) -> Tensors:
    """One step of the training loop's: discriminator, generator, average."""
    from lightning.fabric import Fabric

    asked, model = recording.metadata["step"], recording.model()
    config = TrainConfig(
        optimizer="rmsprop",
        betas=(0.0, asked["rmsprop"]["alpha"]),
        rates={"generator": asked["lr_g"], "discriminator": asked["lr_d"]},
        ema=asked["ema_beta"],
        ema_warmup=False,
    )
    model.train()
    descent = Descent(model, config, Fabric(accelerator="cpu", devices=1), rng=torch.Generator())
    assert descent.average is not None
    # The original's average begins with the first weights, ours with the first step's.
    descent.average.update()
    logits: list[Tensor] = []
    between: Tensors = {}

    def before(judge: torch.nn.Module, _: Any) -> None:
        if len(logits) == 2:
            between.update({name: each.clone() for name, each in judge.state_dict().items()})

    model.discriminator.register_forward_pre_hook(before)
    model.discriminator.register_forward_hook(lambda *each: logits.append(each[2].detach()))
    means = Means()
    with Replay(recording).patched():
        failed = descent.step([(recording.given("real/img"), 1.0)], asked["it"], 10**6, means)
    assert failed is None
    losses = {name: torch.tensor(value) for name, value in means.take().items()}
    softplus = torch.nn.functional.softplus
    found = {
        "step/d/d_real": logits[0],
        "step/d/d_fake": logits[1],
        "step/g/d_fake": logits[2],
        "step/d/loss_real": softplus(-logits[0]).mean(),
        "step/d/loss_fake": softplus(logits[1]).mean(),
        # Theirs is without the penalty.
        "step/d/dloss": losses["discriminator"] - losses["discriminator.penalty"],
        "step/d/reg": losses["discriminator.penalty"],
        "step/g/gloss": losses["generator"],
    }
    judge, maker = model.discriminator, model.generator
    averaged = descent.average.model.generator
    for prefix, part, tensors in (
        ("step/d/grad", "discriminator", gradients(judge)),
        ("step/d/after", "discriminator", between),
        ("step/g/grad", "generator", gradients(maker)),
        ("step/g/after", "generator", maker.state_dict()),
        ("step/ema", "generator", averaged.state_dict()),
    ):
        named = theirs(tensors, model, part)
        found |= {f"{prefix}/{name}": value for name, value in named.items()}
    return found


def gradients(network: torch.nn.Module) -> Tensors:
    return {name: each.grad for name, each in network.named_parameters() if each.grad is not None}


def walks(recording: Recording) -> Tensors:
    pairs = zip(recording.given("interp/z1"), recording.given("interp/z2"), strict=True)
    names = [name for name in recording.tensors if name.startswith("interp/t")]
    ends = list(pairs)
    found = {}
    for name in names:
        at = torch.tensor([float(name.removeprefix("interp/t"))])
        found[name] = torch.cat([slerp(a, b, at, keep_length=False) for a, b in ends])
    return found


def colors(recording: Recording) -> Tensors:
    depth = recording.given("metrics/depth_in").numpy()
    return {"metrics/depth_color": torch.from_numpy(depth_colors(depth))}


def everything(recording: Recording) -> Tensors:
    """Our value of every tensor that was recorded."""
    model = recording.model()
    return (
        cameras(recording)
        | grids(recording)
        | networks(recording)
        | patch_rendering(recording, model)
        | image_rendering(recording, model)
        | judgements(recording)
        | training(recording)
        | walks(recording)
        | colors(recording)
    )
