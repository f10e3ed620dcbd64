"""PointFlow's two objectives, and how one goes on from the other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapegen
from shapegen.core import cnf
from shapegen.core.cnf import CNF
from shapegen.core.flows import Chain
from shapegen.core.moving_norm import MovingBatchNorm
from shapegen.core.ode import Solver
from shapegen.core.vector_field import NetworkField
from shapegen.points.pointflow import LikelihoodWeights, Matching, PointFlow
from shapegen.points.pointflow_losses import bound_loss
from shapegen.points.pointflow_matching import chain_matching_error
from tests.monte_carlo import kl_by_draws
from tests.points.pointflow_cases import build, clouds


def loss_of(model: PointFlow, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    return objective.loss(model.train().prepare(clouds(6))[torch.arange(4)], step)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "likelihood"},
        {"objective": "likelihood", "divergence": "exact", "latent_divergence": "rademacher"},
        {"objective": "likelihood", "weights": LikelihoodWeights(kinetic=0.1, jacobian=0.1)},
        {"objective": "likelihood", "solver": Solver(gradient="seminorm")},
        {"objective": "likelihood", "blocks": 2, "bn_lag": 0.1},
        {"objective": "likelihood", "deterministic": True, "latent_flow": False},
        {"compat": "official", "objective": "likelihood"},
        {},
        {"blocks": 2, "latent_blocks": 2, "batch_norm": False},
        {"deterministic": True},
        {"deterministic": True, "latent_flow": False},
    ],
    ids=str,
)
def test_gradients_reach_every_weight(changes: dict[str, Any]) -> None:
    model = build(**changes)
    loss, logged = loss_of(model)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(value.ndim == 0 and torch.isfinite(value) for value in logged.values())
    dead = [
        name
        for name, each in model.named_parameters()
        if each.requires_grad and (each.grad is None or not each.grad.abs().sum() > 0)
    ]
    # A bias before a batch norm is taken away again.
    assert [name for name in dead if not name.endswith("bias")] == []
    assert all("encoder" in name for name in dead)


def test_matching_solves_nothing_and_leaves_the_flows_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build()

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("an equation was solved")

    monkeypatch.setattr(cnf, "solve", forbidden)
    loss, logged = loss_of(model)
    assert float(loss) == pytest.approx(
        float(logged["points"] + logged["latent"] + 3e-4 * logged["kl"])
    )
    fixed = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert {name.rpartition(".")[2] for name in fixed} == {"log_scale", "bias", "root_end_time"}
    first, last = (model.point_flow.layers[i] for i in (0, 2))
    assert isinstance(first, MovingBatchNorm)
    assert isinstance(last, MovingBatchNorm)
    assert float(first.batches) == 1
    assert float(last.batches) == 0


def test_the_likelihood_loss_is_minus_the_bound() -> None:
    model = build(
        objective="likelihood", divergence="exact", weights=LikelihoodWeights(entropy=1.0)
    )
    prepared = model.prepare(clouds(6)).double()
    model.double().eval()
    with torch.no_grad():
        loss, logged = bound_loss(model, prepared, rng=torch.Generator().manual_seed(3))
    bound = model.elbo(clouds(6), rng=torch.Generator().manual_seed(3))
    # log q at the draw instead of its mean, the entropy: compare through the parts.
    posterior = model.posteriors(clouds(6))
    code = posterior.rsample(rng=torch.Generator().manual_seed(3))
    volume = 48 * 3 * math.log(float(model.scale))
    exact = bound + posterior.log_prob(code) + posterior.entropy() + volume
    assert float(loss) == pytest.approx(-float(exact.mean()), rel=1e-4)
    nats = model.nats_given(clouds(6), code).mean()
    assert float(logged["points"]) == pytest.approx(float(nats), rel=1e-4)


def test_the_authors_constant_is_logged_in_their_setting_alone() -> None:
    values = {}
    points = torch.randn(4, 24, 3, generator=torch.Generator().manual_seed(1))
    for compat in ("none", "official"):
        model = build(objective="likelihood", compat=compat).eval()
        with torch.no_grad():
            rng = torch.Generator().manual_seed(0)
            values[compat] = bound_loss(model, points, rng=rng)[1]
    for name, dim in (("points", 3), ("latent", 4)):
        surplus = 0.5 * (dim**2 - dim) * math.log(2 * math.pi)
        assert float(values["official"][name] - values["none"][name]) == pytest.approx(surplus)


def test_what_matching_charges_for_codes_is_the_divergence_of_their_draws() -> None:
    # All points are seen, so that the posteriors are those of the loss.
    model = build(num_points=48, matching=Matching(kl=0.5, targets=8, times=2, group=4))
    points = model.eval().prepare(clouds(6))[torch.arange(6)]
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    loss, logged = objective.loss(points, 0)
    expected, error = kl_by_draws(model.posteriors(clouds(6)))
    assert expected > 50 * error
    charged = loss.item() - logged["points"].item() - logged["latent"].item()
    assert charged == pytest.approx(0.5 * expected, abs=2.5 * error)


def test_penalties_add_what_they_weigh() -> None:
    losses = []
    for kinetic in (0.0, 1e-9, 1.0):
        weights = LikelihoodWeights(kinetic=kinetic)
        losses.append(float(loss_of(build(objective="likelihood", weights=weights))[0]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] > losses[0] + 1e-3


def test_codes_stand_still_in_the_end() -> None:
    model = build(matching=Matching(targets=32, times=2, group=8, frozen_from=5))
    loss_of(model, step=4)[0].backward()
    assert model.encoder.mean[0].weight.grad is not None
    model.zero_grad()
    loss_of(model, step=5)[0].backward()
    changed = {
        name.split(".")[0] for name, each in model.named_parameters() if each.grad is not None
    }
    assert changed == {"latent_flow"}
    assert model.encoder.training


class Constant(nn.Module):
    """One velocity everywhere."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None) -> Tensor:
        return torch.full_like(x, self.speed)


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_chain_that_flows_straight_has_no_matching_error(blocks: int) -> None:
    layers: list[Any] = [MovingBatchNorm(3)]
    scale = 1.0
    for _ in range(blocks):
        # Each block goes on by 1 in the space of the first: by more after a norm that widens.
        field = NetworkField(Constant(2 * scale))
        norm = MovingBatchNorm(3)
        norm.running_mean.fill_(0.7)
        norm.running_var.fill_(0.25 - norm.eps)
        scale *= 2
        layers += [CNF(field), norm]
    layers[0].running_mean.fill_(-3)
    chain = Chain(layers).eval()
    data = torch.randn(6, 5, 3)
    noise = chain(data)[0].detach()
    times = torch.linspace(0, 1, 6)
    error = chain_matching_error(chain, data, noise, times)
    torch.testing.assert_close(error, torch.zeros(30), atol=1e-8, rtol=0)
    assert chain_matching_error(chain, data, noise + 1, times).mean() > 1e-2


def test_matching_learns_a_likelihood() -> None:
    matching = Matching(targets=256, times=4, group=32)
    model = build(num_points=48, matching=matching, hidden=(64, 64), end_time=1.0)
    prepared = model.train().prepare(clouds(8, 512))
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-2)
    held_out = clouds(8, 512).points[:, ::16]

    def nats() -> float:
        model.eval()
        found = model.nats_given(held_out, model.encode(held_out), solver=Solver())
        model.train()
        return float(found.mean())

    before = nats()
    for step in range(250):
        optimizer.zero_grad()
        objective.loss(prepared, step)[0].backward()
        optimizer.step()
    # N(0, I) has 4.25 nats; twice the training comes to 2.9.
    assert nats() < before - 0.3
    found = model.eval().figures(held_out)
    assert abs(found["nll"] - found["nll-rk4-16"]) < 0.01


def test_the_likelihood_goes_on_from_matching(tmp_path: Path) -> None:
    first = build()
    first.prepare(clouds(6))
    shapegen.save(first, tmp_path / "first.safetensors")
    path = str(tmp_path / "first.safetensors")
    second = build(objective="likelihood", start_from=path, latent_dim=4)
    norm = second.point_flow.layers[0]
    assert isinstance(norm, MovingBatchNorm)
    norm.running_mean.fill_(9)
    second.initialise(resumed=False)
    assert second.config.start_from == ""
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
    assert all(each.requires_grad for each in second.parameters())
    other = build(start_from=path, latent_dim=5)
    with pytest.raises(ValueError, match="has other networks than the config says"):
        other.initialise(resumed=False)
