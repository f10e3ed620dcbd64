"""Recordings of GRAF's original code, and our value of everything in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shapegen.core.game import GameOptions
from shapegen.core.patch import PatchSampler
from shapegen.fields import rendering
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import patch_gamma
from shapegen.fields.rendering import Sampling
from shapegen.interop import load_official

Json = dict[str, Any]
Tensors = dict[str, Tensor]

GIVEN = {
    "camera/uvr",
    "embed/x",
    "patch/z",
    "patch/scale_hoff_woff",
    "patch/rnd/noise_unit",
    "patch/rnd/t_rand",
    "full/z",
    "real/img",
    "real/scale_hoff_woff",
    "step/z_d",
    "step/z_g",
    "interp/z1",
    "interp/z2",
    "metrics/depth_in",
    "metrics/feat_real",
    "metrics/feat_fake",
    *(f"step/{each}/{kind}" for each in "dg" for kind in ("noise_unit", "t_rand")),
}
"""What the original was given; everything else is compared. A name like ``mlp0/x`` ends in x."""


class Recording:
    def __init__(self, folder: Path) -> None:
        self.metadata: Json = json.loads((folder / "metadata.json").read_text())
        self.config: Json = self.metadata["config"]
        self.tensors = load_file(folder / "fixtures.safetensors")
        files = {path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors"))}
        self.generator = files["generator"]
        self.judges = {
            int(name.removeprefix("discriminator")): state
            for name, state in files.items()
            if name.startswith("discriminator")
        }
        self.perceptrons = [files[f"mlp{number}"] for number in range(len(self.metadata["mlp"]))]

    def given(self, name: str) -> Tensor:
        return self.tensors[name]

    @property
    def expected(self) -> Tensors:
        """All tensors that are not given."""
        return {
            name: value
            for name, value in self.tensors.items()
            if name not in GIVEN and not name.endswith("/x")
        }

    def model(self, side: int | None = None) -> GRAF:
        """The recording's generator with one of its discriminators."""
        data, nerf, z = (self.config[key] for key in ("data", "nerf", "z_dist"))
        side = self.metadata["step"]["patch"] if side is None else side
        sampler = self.config["ray_sampler"]
        found = load_official(
            "graf",
            {"generator": self.generator, "discriminator": self.judges[side]},
            size=data["imsize"],
            cameras=self.cameras(),
            patch=PatchSampler(
                side, sampler["min_scale"], sampler["max_scale"], sampler["scale_anneal"]
            ),
            latent_dim=z["dim"],
            appearance_dim=z["dim_appearance"],
            prior="gaussian" if z["type"] == "gauss" else z["type"],
            sampling=Sampling(nerf["N_samples"], jitter=True, white=data["white_bkgd"]),
            noise=nerf["raw_noise_std"],
            game=GameOptions(r1=patch_gamma(self.config["training"]["reg_param"], side)),
            flip="all" if self.config["discriminator"]["hflip"] else "nothing",
        )
        assert isinstance(found, GRAF)
        return found

    def cameras(self) -> CameraSetting:
        data = self.config["data"]
        radius = data["radius"]
        ends = [float(each) for each in radius.split(",")] if isinstance(radius, str) else radius
        low, high = (ends, ends) if isinstance(ends, float | int) else ends
        return CameraSetting(
            fov=data["fov"],
            radius=(low, high),
            azimuth=(360 * data["umin"], 360 * data["umax"]),
            polar=(polar_degrees(data["vmin"]), polar_degrees(data["vmax"])),
            near=data["near"],
            far=data["far"],
            parallel=data["orthographic"],
        )


def polar_degrees(v: float) -> float:
    return math.degrees(math.acos(1 - 2 * v))


def poses(rows: Tensor) -> Tensor:
    """Poses (n, 4, 4) from the original's (n, 3, 4)."""
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=rows.dtype).expand(len(rows), 1, 4)
    return torch.cat([rows, last], 1)


def centred(values: Tensor) -> Tensor:
    """The original's outputs are colours, disparities and opacities alike times 2 less 1."""
    return 2 * values - 1


def planes(pixels: Tensor, count: int) -> Tensor:
    """Images (n, 3, side, side) from the original's rows of pixels."""
    side = math.isqrt(len(pixels) // count)
    return pixels.view(count, side, side, 3).permute(0, 3, 1, 2)


def rows(images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


@contextmanager
def replayed(**queues: list[Tensor]) -> Iterator[None]:
    """Let a renderer draw what was recorded: of ``jitter`` and of ``noise``, in turn."""
    names = {"jitter": "uniform", "noise": "standard_normal"}
    with pytest.MonkeyPatch.context() as patch:
        for kind, queue in queues.items():
            left = iter(queue)

            def drawn(shape: Any, *, like: Tensor, rng: Any, left: Any = left) -> Tensor:
                return next(left).view(*shape)

            patch.setattr(rendering, names[kind], drawn)
        yield
