"""Every tensor of the model recorded from the authors' code, against ours.

The recorded metrics are compared in ``test_pointflow_metrics.py``.
"""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shapegen.core import gaussian
from shapegen.core.cnf import continuous, integrating
from shapegen.core.divergence import Exact, Recorded
from shapegen.core.flows import Chain, FlowDistribution, standard_normal_log_prob
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.ode import Solver
from shapegen.interop import load_official
from shapegen.interop.pointflow import split_official
from shapegen.points.pointflow import LikelihoodWeights, PointFlow
from shapegen.points.pointflow_losses import bound_loss, terms, weighted

Json = dict[str, Any]
Tensors = dict[str, Tensor]

FOLDER = Path(os.environ.get("SHAPEGEN_PARITY", Path(__file__).parents[3] / "shared" / "parity"))
# Whatever recordings there are; this one is always asked for.
RECORDINGS = {path.parent.name for path in FOLDER.glob("pointflow*/metadata.json")} | {"pointflow"}


def options(argv: str) -> argparse.Namespace:
    """What the recording's command line says, with the original's defaults."""
    parser = argparse.ArgumentParser()
    for name, value in {
        "zdim": 128,
        "num_blocks": 1,
        "latent_num_blocks": 1,
        "time_length": 0.5,
        "bn_lag": 0.0,
        "recon_weight": 1.0,
        "prior_weight": 1.0,
        "entropy_weight": 1.0,
    }.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--dims", default="256")
    parser.add_argument("--latent_dims", default="256")
    parser.add_argument("--nonlinearity", default="tanh")
    for name in ("train_T", "batch_norm"):
        parser.add_argument(f"--{name}", type=lambda text: text == "True", default=True)
    for name in ("use_latent_flow", "use_deterministic_encoder"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_known_args(argv.split())[0]


@dataclass
class Recording:
    options: argparse.Namespace
    metadata: Json
    inputs: Tensors
    state: Tensors
    outputs: dict[str, Tensors]

    @classmethod
    def read(cls, folder: Path) -> "Recording":
        metadata = json.loads((folder / "metadata.json").read_text())
        return cls(
            options(metadata["argv"]),
            metadata,
            load_file(folder / "inputs.safetensors"),
            load_file(folder / "state_dict_fp16exact.safetensors"),
            {
                precision: load_file(folder / f"outputs_{precision}.safetensors")
                for precision in ("f64", "f32")
            },
        )

    def model(self) -> PointFlow:
        weights = self.metadata["weights"]
        found = load_official(
            "pointflow",
            self.state,
            end_time=self.options.time_length,
            bn_lag=self.options.bn_lag,
            activation=self.options.nonlinearity,
            weights=LikelihoodWeights(weights["recon"], weights["prior"], weights["entropy"]),
        )
        assert isinstance(found, PointFlow)
        return found


@pytest.fixture(scope="module", params=sorted(RECORDINGS))
def recording(request: pytest.FixtureRequest, parity_path: Path) -> Recording:
    return Recording.read(parity_path / request.param)


@contextmanager
def replaying(flow: Chain | None, inputs: Tensors, name: str, solver: Solver) -> Iterator[None]:
    """Let every continuous flow use the noise that was recorded for it."""
    with ExitStack() as stack:
        for number, each in enumerate([] if flow is None else continuous(flow)):
            noise = Recorded(inputs[f"{name}.block{number}"])
            stack.enter_context(integrating(each, divergence=noise, solver=solver))
        yield


@contextmanager
def replayed(model: PointFlow, inputs: Tensors, solver: Solver) -> Iterator[None]:
    with (
        replaying(model.point_flow, inputs, "e_point", solver),
        replaying(model.latent_flow, inputs, "e_latent", solver),
    ):
        yield


def evaluated(recording: Recording, model: PointFlow, solver: Solver) -> Tensors:
    """Our value of everything that was recorded in evaluation mode."""
    like = model.encoder.mean[0].weight
    inputs = {name: value.to(like) for name, value in recording.inputs.items()}
    x = inputs["x"]
    model.eval()
    with torch.no_grad(), replayed(model, inputs, solver):
        posterior = model.encoder(x)
        latent = drawn(model, posterior, inputs)
        found = terms(model, x, posterior, latent)
        out = {"enc.mean": posterior.mean, "enc.logvar": posterior.logvar, "z": latent}
        out["entropy"] = found.entropy
        y, log_det = model.point_flow(x, latent)
        out |= {"point.fwd.y": y, "point.fwd.delta_logp": -log_det[..., None]}
        back, back_log_det = model.point_flow.inverse(y, latent)
        out |= {"point.rev.x": back, "point.rev.delta_logp": -back_log_det[..., None]}
        direct, direct_log_det = model.point_flow(x, inputs["z_direct"])
        out["point.fwd_zdirect.y"] = direct
        out["point.fwd_zdirect.delta_logp"] = -direct_log_det[..., None]
        out["point.logp_per_point.peer_const"] = found.points[..., None]
        true = FlowDistribution(model.point_flow, (3,), context=latent).log_prob(x)
        out["point.logp_per_point.true_const"] = true[..., None]
        out["reconstruct.x"] = model.point_flow.generate(inputs["y_sample"], latent)
        code = inputs.get("w_sample")
        if model.latent_flow is not None:
            assert code is not None
            out |= latent_values(model.latent_flow, latent, inputs)
            out["latent.logp.peer_const"] = found.latent[:, None]
            code = model.latent_flow.generate(code)
            out["sample.z"] = code
        if code is not None:
            out["sample.x"] = model.point_flow.generate(inputs["y_sample"], code)
        out |= velocities(model, x, inputs)
    weights = model.config.weights
    out |= {
        "eval.log_px": found.points.sum(1, keepdim=True),
        "eval.log_pz": found.latent[:, None],
        "eval.entropy_loss": -weights.entropy * found.entropy.mean(),
        "eval.recon_loss": -weights.reconstruction * found.points.sum(1).mean(),
        "eval.prior_loss": -weights.prior * found.latent.mean(),
        "eval.loss": weighted(model, found),
    }
    return out


def drawn(model: PointFlow, posterior: DiagGaussian, inputs: Tensors) -> Tensor:
    if model.config.deterministic:
        return posterior.mean
    return posterior.mean + torch.exp(0.5 * posterior.logvar) * inputs["eps_z"]


def latent_values(flow: Chain, latent: Tensor, inputs: Tensors) -> Tensors:
    w, log_det = flow(latent)
    back, back_log_det = flow.inverse(w)
    direct, direct_log_det = flow(inputs["z_direct"])
    return {
        "latent.fwd.w": w,
        "latent.fwd.delta_logp": -log_det[:, None],
        "latent.rev.z": back,
        "latent.rev.delta_logp": -back_log_det[:, None],
        "latent.fwd_zdirect.w": direct,
        "latent.fwd_zdirect.delta_logp": -direct_log_det[:, None],
        "latent.logp.true_const": (standard_normal_log_prob(w) + log_det)[:, None],
    }


def velocities(model: PointFlow, x: Tensor, inputs: Tensors) -> Tensors:
    """The vector fields of the first blocks at one time, without a solver."""
    code = inputs["z_direct"]
    out = {}
    cases = {"point": (model.point_flow, x, code), "latent": (model.latent_flow, code, None)}
    for name, (chain, at, context) in cases.items():
        if chain is None:
            continue
        field = continuous(chain)[0].field
        time = torch.tensor(0.3, dtype=at.dtype)
        noise = Recorded(inputs[f"e_{name}.block0"])
        for kind, divergence in (("exact", Exact()), ("hutch", noise)):
            probes = divergence.probes(at)
            velocity, images = field.velocity_and_products(
                time, at, field.condition(context), probes
            )
            trace = (probes * images).sum((0, -1))
            out[f"vf.{name}.dy_t0.3"] = velocity
            if kind == "exact":
                out[f"vf.{name}.exact_trace_t0.3"] = trace
            else:
                out[f"vf.{name}.neg_hutch_t0.3"] = -trace[..., None]
    return out


def trained(recording: Recording, model: PointFlow, solver: Solver) -> Tensors:
    """Our value of everything that was recorded of one training step."""
    like = model.encoder.mean[0].weight
    inputs = {name: value.to(like) for name, value in recording.inputs.items()}
    model.train()
    model.zero_grad()
    with pytest.MonkeyPatch.context() as patch, replayed(model, inputs, solver):
        # The recorded draws in place of ours: of the code, and of every solve.
        patch.setattr(
            gaussian, "standard_normal", lambda shape, *, like, rng: inputs["eps_z"].view(shape)
        )
        patch.setattr("shapegen.points.pointflow_losses.integrating", _unchanged)
        loss, logged = bound_loss(model, inputs["x"])
    loss.backward()
    weights = model.config.weights
    points = inputs["x"].shape[1]
    out = {
        "train.loss": loss,
        "train.recon_nats": logged["points"] / 3,
        "train.prior_nats": logged["latent"] / model.latent_dim,
        "train.entropy_mean": logged["entropy"],
        "train.recon_loss": weights.reconstruction * points * logged["points"],
        "train.prior_loss": weights.prior * logged["latent"],
        "train.entropy_loss": -weights.entropy * logged["entropy"],
    }
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for name, value in split_official(gradients, model).items():
        out[f"grad.{name}"] = value
        out[f"gradnorm.{name}"] = value.norm()
    buffers = split_official(dict(model.named_buffers()), model)
    out |= {f"train.buffer_after.{name}": value for name, value in buffers.items()}
    return out


@contextmanager
def _unchanged(flow: Any, **_: Any) -> Iterator[list[Any]]:
    yield []


def compare(found: Tensors, expected: Tensors, tolerance: Any, skip: tuple[str, ...]) -> None:
    kept = {name: value for name, value in expected.items() if not name.startswith(skip)}
    assert set(kept) <= set(found), "recorded, but not compared"
    for name, value in kept.items():
        rtol, atol = tolerance(name, value)
        ours = found[name].detach().to(value.dtype).reshape(value.shape)
        torch.testing.assert_close(
            ours, value, rtol=rtol, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


def double_tolerance(name: str, value: Tensor) -> tuple[float, float]:
    if name.startswith("grad"):
        return 0.0, 1e-5 * float(value.abs().max())
    return 1e-6, 1e-6


def single_tolerance(name: str, value: Tensor) -> tuple[float, float]:
    if name.startswith("gradnorm."):
        return 2e-3, 0.0
    if name.startswith("enc.") or name.startswith("vf."):
        return 2e-6, 2e-6
    if "loss" in name:
        return 1e-5, 0.0
    return 5e-4, 5e-4


@pytest.fixture(scope="module")
def precise(recording: Recording) -> Tensors:
    """Everything, in double precision and solved as tightly as the recording asks for."""
    solver = Solver(atol=1e-9, rtol=1e-9)
    model = recording.model().double()
    return evaluated(recording, model, solver) | trained(recording, model, solver)


def test_every_recorded_tensor(recording: Recording, precise: Tensors) -> None:
    skip = tuple(name.removesuffix("*") for name in recording.metadata["not_compared"])
    compare(precise, recording.outputs["f64"], double_tolerance, skip)


def test_gradients_of_every_parameter_are_recorded(recording: Recording, precise: Tensors) -> None:
    expected = recording.outputs["f64"]
    used = {name for name in precise if name.startswith("gradnorm.") and precise[name] > 1e-7}
    assert len(used) > 30
    assert used <= set(expected)


def test_single_precision_comes_as_near_as_the_authors(recording: Recording) -> None:
    solver = Solver(atol=1e-6, rtol=1e-6)
    model = recording.model()
    found = evaluated(recording, model, solver) | trained(recording, model, solver)
    expected = recording.outputs["f64"]
    skip = ("gradsum.", "grad.", *(n for n in expected if "nats" in n))
    compare(found, expected, single_tolerance, skip)
    compare(found, recording.outputs["f32"], single_tolerance, ())


def test_the_default_tolerance_is_close(recording: Recording) -> None:
    found = evaluated(recording, recording.model(), Solver())
    expected = {name: value for name, value in recording.outputs["f64"].items() if name in found}
    compare(found, expected, lambda *_: (0.0, 2e-3), ("eval.", "vf.", "enc."))
    torch.testing.assert_close(
        found["eval.loss"].double(), expected["eval.loss"], rtol=1e-5, atol=0
    )


def test_sizes_and_settings_are_the_recordings(recording: Recording) -> None:
    config, wanted = recording.model().config, recording.options
    assert config.latent_dim == wanted.zdim == recording.metadata["zdim"]
    assert config.hidden == tuple(map(int, wanted.dims.split("-")))
    assert config.blocks == wanted.num_blocks
    assert config.batch_norm == wanted.batch_norm
    assert config.learn_end_time == wanted.train_T
    assert config.deterministic == wanted.use_deterministic_encoder
    assert config.latent_flow == wanted.use_latent_flow
    if config.latent_flow:
        assert config.latent_hidden == tuple(map(int, wanted.latent_dims.split("-")))
        assert config.latent_blocks == wanted.latent_num_blocks
    weights = recording.metadata["weights"]
    assert (config.weights.prior, config.weights.entropy) == (weights["prior"], weights["entropy"])
    parameters = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in (
            ("encoder", recording.model().encoder),
            ("point_cnf", recording.model().point_flow),
            ("latent_cnf", recording.model().latent_part),
        )
    }
    counts = recording.metadata["num_params"]
    assert {name: parameters[name] for name in counts} == counts
