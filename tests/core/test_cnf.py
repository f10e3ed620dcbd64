"""Continuous flows: traces, gradients, solvers and what they report."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shapegen.core import concatsquash
from shapegen.core.cnf import CNF, integrating
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.core.divergence import Divergence, Exact, Hutchinson, Recorded, products
from shapegen.core.ode import FALLBACK_STEPS, TIGHT, Solver
from shapegen.core.vector_field import NetworkField

TIGHTER = Solver(atol=1e-9, rtol=1e-9)


def wild(field: nn.Module, std: float = 0.6) -> None:
    torch.manual_seed(0)
    for parameter in field.parameters():
        nn.init.normal_(parameter, std=std)


@pytest.fixture
def field() -> ConcatSquashField:
    found = ConcatSquashField(3, (16, 17), context_dim=5).double()
    wild(found)
    return found


@pytest.fixture
def flow(field: ConcatSquashField) -> CNF:
    return CNF(field, end_time=0.7, solver=TIGHTER).double()


def points(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng).double().requires_grad_()


# Divergence --------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", list(concatsquash.ACTIVATIONS))
def test_products_are_those_of_the_jacobian(
    activation: concatsquash.Activation, rng: torch.Generator
) -> None:
    field = ConcatSquashField(3, (6, 7), context_dim=2, activation=activation).double()
    wild(field, 0.3)
    x, context = points(rng, 2, 4, 3), points(rng, 2, 2)
    t = torch.tensor(0.3).double()
    probes = Hutchinson(count=2, rng=rng).probes(x)
    velocity, images = field.velocity_and_products(t, x, field.condition(context), probes)
    torch.testing.assert_close(velocity, field(t, x, context))
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda at, i=i: field(t, at[None], context[i : i + 1])[0].sum(0), x[i]
        )
        wanted = torch.einsum("inj,knj->kni", jacobian, probes[:, i])
        torch.testing.assert_close(images[:, i], wanted)


@pytest.mark.parametrize("times", ["one", "one a row"])
@pytest.mark.parametrize("saved", [2**23, 500, 1])
@pytest.mark.parametrize("divergence", [Exact(), Hutchinson()])
def test_the_fused_layers_have_autograds_gradients(
    field: ConcatSquashField,
    divergence: Divergence,
    saved: int,
    times: str,
    rng: torch.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concatsquash, "SAVED_NUMBERS", saved)
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    t = points(rng, 2) if times == "one a row" else points(rng)
    probes = divergence.probes(x)

    def gradients(velocity: Tensor, images: Tensor) -> tuple[Tensor, ...]:
        loss = velocity.sin().sum() + (probes * images).sum((0, -1)).cos().sum()
        loss = loss + images.square().sum()
        return torch.autograd.grad(loss, [x, context, t, *field.parameters()])

    ours = gradients(*field.velocity_and_products(t, x, field.condition(context), probes))
    condition = field.condition(context)
    plain = gradients(*products(lambda at: field.velocity(t, at, condition), x, probes))
    torch.testing.assert_close(ours, plain)


def test_latents_share_one_gate_whatever_their_number(rng: torch.Generator) -> None:
    field = ConcatSquashField(4, (8,)).double()
    x = points(rng, 5, 4)
    t = torch.tensor(0.2).double()
    velocity, images = field.velocity_and_products(t, x, field.condition(None), Exact().probes(x))
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda at: field(t, at[None])[0], x[i])
        torch.testing.assert_close(images[:, i], jacobian.mT)
    torch.testing.assert_close(velocity, field(t, x))


@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
def test_the_exact_trace_is_the_mean_of_estimates(
    kind: Any, field: ConcatSquashField, rng: torch.Generator
) -> None:
    x, context = points(rng, 1, 3, 3), points(rng, 1, 5)
    condition = field.condition(context)
    t = torch.tensor(0.1).double()

    def divergence(probes: Tensor) -> Tensor:
        with torch.no_grad():
            _, images = field.velocity_and_products(t, x, condition, probes)
        return (probes * images).sum(-1)

    exact = divergence(Exact().probes(x)).sum(0)
    jacobian = torch.autograd.functional.jacobian(lambda at: field(t, at, context).sum(1), x)
    torch.testing.assert_close(exact, torch.einsum("bibni->bn", jacobian))
    estimates = divergence(Hutchinson(kind, rng=rng, count=20_000).probes(x)) * 20_000
    error = estimates.mean(0) - exact
    assert (error.abs() < 5 * estimates.std(0) / 20_000**0.5).all()
    averaged = divergence(Hutchinson(kind, rng=rng, count=20_000).probes(x)).sum(0)
    assert ((averaged - exact).abs() < 5 * estimates.std(0) / 20_000**0.5).all()


def test_signs_vary_less_than_gaussian_noise(
    field: ConcatSquashField, rng: torch.Generator
) -> None:
    x, context = points(rng, 1, 50, 3), points(rng, 1, 5)
    spread = {}
    for kind in ("gaussian", "rademacher"):
        probes = Hutchinson(kind, rng=rng, count=500).probes(x) * 500**0.5
        with torch.no_grad():
            _, images = field.velocity_and_products(
                torch.zeros(()).double(), x, field.condition(context), probes
            )
        spread[kind] = (probes * images).sum(-1).var(0).mean()
    assert spread["rademacher"] < 0.8 * spread["gaussian"]


def test_noise_is_drawn_once_a_solve_recorded_and_replayed(
    flow: CNF, rng: torch.Generator
) -> None:
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    noise = Hutchinson("rademacher", rng=rng)
    with torch.no_grad():
        with integrating(flow, divergence=noise):
            z, log_det = flow(x, context)
            flow(x, context)
        assert len(noise.drawn) == 2
        assert not torch.equal(*noise.drawn)
        with integrating(flow, divergence=Recorded(noise.drawn[0])):
            torch.testing.assert_close(flow(x, context), (z, log_det))
            torch.testing.assert_close(flow.inverse(z, context)[1], -log_det)
        other = Recorded(torch.zeros(2, 6, 3))
        message = r"for points \(2, 6, 3\); got \(2, 7, 3\)"
        with integrating(flow, divergence=other), pytest.raises(ValueError, match=message):
            flow(x, context)


def test_sampling_takes_no_divergence(
    flow: CNF, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    z, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    wanted = flow.inverse(z, context)[0]

    def forbidden(*_: object) -> None:
        raise AssertionError("a divergence was taken")

    monkeypatch.setattr(flow.field, "velocity_and_products", forbidden)
    torch.testing.assert_close(flow.generate(z, context), wanted)


# Gradients ---------------------------------------------------------------------------------


def gradients(
    flow: CNF, x: Tensor, context: Tensor, solver: Solver, *, divergence: Divergence
) -> list[Tensor]:
    with integrating(flow, divergence=divergence, solver=solver, penalise=True) as solves:
        z, log_det = flow(x, context)
        kinetic, jacobian = solves[0].kinetic, solves[0].jacobian
        assert kinetic is not None
        assert jacobian is not None
        loss = z.square().sum() + log_det.sum() + kinetic.sum() + jacobian.sum()
        return list(torch.autograd.grad(loss, [x, context, *flow.parameters()]))


@pytest.mark.parametrize("gradient", ["adjoint", "seminorm"])
def test_gradients_through_the_steps_are_those_of_the_adjoint(
    flow: CNF, gradient: Any, rng: torch.Generator
) -> None:
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    noise = Recorded(torch.randn(2, 7, 3, generator=rng))
    direct = gradients(flow, x, context, TIGHTER, divergence=noise)
    around = replace(TIGHTER, gradient=gradient)
    adjoint = gradients(flow, x, context, around, divergence=noise)
    assert len(direct) == 2 + len(list(flow.parameters()))
    for ours, other in zip(direct, adjoint, strict=True):
        torch.testing.assert_close(ours, other, rtol=0, atol=1e-6 * float(other.abs().max()))


def test_the_default_tolerance_gives_gradients_to_a_thousandth(
    flow: CNF, rng: torch.Generator
) -> None:
    # The first step is as long as the way: were its length differentiated, as torchdiffeq's own
    # first step is, some gradients would be wrong by percents.
    x, context = points(rng, 2, 200, 3), points(rng, 2, 5)
    tight = gradients(flow, x, context, TIGHTER, divergence=Exact())
    loose = gradients(flow, x, context, Solver(), divergence=Exact())
    for ours, other in zip(loose, tight, strict=True):
        assert (ours - other).norm() < 1e-3 * other.norm()


def test_the_end_times_gradient_is_a_finite_difference(flow: CNF, rng: torch.Generator) -> None:
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)

    def loss() -> Tensor:
        z, log_det = flow(x, context)
        return z.square().sum() - log_det.sum()

    (gradient,) = torch.autograd.grad(loss(), flow.root_end_time)
    with torch.no_grad():
        flow.root_end_time += 1e-4
        above = loss()
        flow.root_end_time -= 2e-4
        difference = (above - loss()) / 2e-4
    torch.testing.assert_close(gradient, difference, rtol=1e-5, atol=0)


# Solvers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [Solver("bosh3"), Solver("rk4"), Solver("midpoint", steps=99)])
def test_every_method_comes_to_the_same(flow: CNF, solver: Solver, rng: torch.Generator) -> None:
    x, context = points(rng, 2, 100, 3), points(rng, 2, 5)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            wanted = flow(x, context)
            with integrating(flow, solver=solver) as solves:
                found = flow(x, context)
        torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
        assert solves[0].evaluations > 0


def test_steps_chosen_on_some_points_serve_all(flow: CNF, rng: torch.Generator) -> None:
    x, context = points(rng, 2, 1000, 3), points(rng, 2, 5)
    with torch.no_grad():
        wanted = flow(x, context)
        with integrating(flow, solver=Solver(pilot=16)):
            found = flow(x, context)
        with integrating(flow, solver=Solver(pilot=None)):
            controlled = flow(x, context)
    for ours, other, right in zip(found, controlled, wanted, strict=True):
        error, usual = (ours - right).square().mean(), (other - right).square().mean()
        assert error.sqrt() < 1e-4
        assert error.sqrt() < 10 * usual.sqrt() + 1e-6


def test_evaluations_are_counted(
    flow: CNF, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    calls = 0
    right = flow.field.velocity_and_products

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return right(*args)

    monkeypatch.setattr(flow.field, "velocity_and_products", counted)
    for solver in (Solver(), TIGHT, Solver("rk4", steps=3)):
        with integrating(flow, solver=solver) as solves:
            flow(x, context)
        assert (solves[0].evaluations, calls) == (calls, solves[0].evaluations)
        calls = 0
    assert flow.solver == TIGHTER
    assert flow.solves is None


def test_a_smooth_field_takes_a_single_step(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    flow = CNF(ConcatSquashField(3, (16, 16)))
    with integrating(flow) as solves:
        flow(torch.randn(2, 100, 3, generator=rng))
    # Seven evaluations to see that one step is enough, and six to take it.
    assert solves[0].evaluations == 13


def test_penalties_are_the_integrals_of_what_they_say(flow: CNF, rng: torch.Generator) -> None:
    x, context = points(rng, 1, 1, 3), points(rng, 1, 5)
    with torch.no_grad(), integrating(flow, penalise=True) as solves:
        flow(x, context)
        steps = 400
        u, kinetic, jacobian = x, 0.0, 0.0
        length = float(flow.end_time) / steps
        condition = flow.field.condition(context)
        for step in range(steps):
            time = flow.end_time * (step + 0.5) / steps
            middle = u + length / 2 * flow.field.velocity(time, u, condition)
            velocity, images = flow.field.velocity_and_products(
                time, middle, condition, Exact().probes(middle)
            )
            u = u + length * velocity
            kinetic += length * float(velocity.square().sum())
            jacobian += length * float(images.square().sum())
    found = solves[0].kinetic, solves[0].jacobian
    assert found[0] is not None
    assert found[1] is not None
    assert [float(each) for each in found] == pytest.approx([kinetic, jacobian], rel=1e-4)


class Cliff(nn.Module):
    """A velocity without a value past a plane."""

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None) -> Tensor:
        return torch.where(x > 1.5, torch.nan, torch.ones_like(x) + 0 * t)


def test_a_stuck_solver_warns_and_falls_back() -> None:
    flow = CNF(NetworkField(Cliff()), end_time=1.0, learn_end_time=False)
    start = torch.zeros(1, 20, 3)
    with warnings.catch_warnings(record=True) as caught, integrating(flow) as solves:
        warnings.simplefilter("default")
        # Of torch itself, when the solver is imported here for the first time.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(3):
            flow(start + 1)
    assert len(caught) == 1
    assert "underflow in dt" in str(caught[0].message)
    assert solves[0].evaluations == 4 * FALLBACK_STEPS
    # Where nothing is in the way it does not fall back.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(flow(start)[0], start + 1)


@pytest.mark.parametrize("gradient", ["direct", "adjoint"])
def test_a_solve_that_never_ends_is_given_up(
    flow: CNF, rng: torch.Generator, gradient: Any
) -> None:
    x, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    solver = Solver(atol=1e-12, rtol=1e-12, max_num_steps=3, gradient=gradient)
    message = "dopri5 needs more than 3 steps at atol 1e-12"
    with integrating(flow, solver=solver), pytest.raises(ArithmeticError, match=message):
        flow(x, context)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"atol": 0.0}, "atol must be above 0; got 0.0"),
        ({"steps": 0}, "steps must be above 0; got 0"),
        ({"pilot": 0}, "pilot must be at least 1, or null for all; got 0"),
        ({"method": "rk4", "gradient": "adjoint"}, "gradient adjoint needs one of dopri5, bosh3"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Solver(**fields)
    with pytest.raises(ValueError, match="end_time must be above 0"):
        CNF(ConcatSquashField(3, (4,)), end_time=0.0)


def test_a_path_passes_through_what_it_plays(flow: CNF, rng: torch.Generator) -> None:
    z, context = points(rng, 2, 7, 3), points(rng, 2, 5)
    with torch.no_grad():
        positions = flow.path(z, context, [0.0, 0.25, 0.5, 1.0])
        torch.testing.assert_close(positions[0], z)
        torch.testing.assert_close(positions[-1], flow.generate(z, context))
        # Half of the way back is where half of the way forth from the end comes to.
        rest = flow.path(positions[-1], context, [0.0])
        with integrating(flow, solver=Solver("rk4", steps=64)):
            fine = flow.path(z, context, [0.0, 0.25, 0.5, 1.0])
            quarter = flow.path(z, context, [16 / 64])
    assert len(positions) == 4
    for position, right in zip(positions, fine, strict=True):
        torch.testing.assert_close(position, right, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(quarter[0], fine[1], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(rest[0], positions[-1])
    assert (positions[1] - positions[2]).abs().max() > 1e-3
