"""Continuous normalising flows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shapegen.core.divergence import Divergence, Exact
from shapegen.core.flows import Bijection
from shapegen.core.ode import Problem, Solver, solve, trace
from shapegen.core.vector_field import VectorField


@dataclass(frozen=True)
class Solve:
    """What one solve of a flow cost and measured."""

    evaluations: int
    """Of the vector field, those on a pilot's points among them."""
    kinetic: Tensor | None
    """Integral of the squared velocity, one value an event; None where it was not asked for."""
    jacobian: Tensor | None
    """Integral of the Jacobian's squared Frobenius norm, as the divergence's probes see it."""


class CNF(Bijection):
    r"""The flow of a vector field from time 0 (data) to T (base).

    .. math:: \frac{du}{dt} = f(t, u; c), \qquad
              \log|\det| = \int_0^T \mathrm{div} f(t, u(t); c)\, dt

    Solves run over :math:`s = t / T` from 0 to 1, so that T is a factor of the velocity and
    gradients reach it as they do any weight. What a solve does is set for a while by
    :func:`integrating`; left alone it is exact in the divergence.

    Args:
        field: Velocity.
        end_time: T, or its first value.
        learn_end_time: Train T, as the square of a parameter.
        solver: Method and tolerances.

    Reference: Grathwohl et al., *FFJORD: Free-form Continuous Dynamics for Scalable Reversible
    Generative Models*, 2019, https://arxiv.org/abs/1810.01367.
    """

    root_end_time: Tensor

    def __init__(
        self,
        field: VectorField,
        *,
        end_time: float = 0.5,
        learn_end_time: bool = True,
        solver: Solver | None = None,
    ) -> None:
        super().__init__()
        if not end_time > 0:
            raise ValueError(f"end_time must be above 0; got {end_time}")
        self.field = field
        root = torch.tensor(math.sqrt(end_time))
        if learn_end_time:
            self.root_end_time = nn.Parameter(root)
        else:
            self.register_buffer("root_end_time", root, persistent=False)
        self.solver = Solver() if solver is None else solver
        self.divergence: Divergence = Exact()
        self.penalise = False
        self.solves: list[Solve] | None = None

    @property
    def end_time(self) -> Tensor:
        """T, a scalar."""
        return self.root_end_time.square()

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Flow from data to the base space."""
        return self._flow(x, context, reverse=False)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Flow from the base space to data, backwards in time."""
        return self._flow(z, context, reverse=True)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Flow to data with the velocity alone: about half the work."""
        problem, pilot = self._problems(z, context, reverse=True, probes=None)
        found = solve(problem, self.solver, pilot=pilot)
        self._report(Solve(found.evaluations, None, None))
        return found.end

    def path(self, z: Tensor, context: Tensor | None, times: Sequence[float]) -> list[Tensor]:
        """Positions on the way to data at ``times``, shares of the way from 0 to 1, ascending.

        Without gradients; that of 1 is what :meth:`generate` gives.
        """
        problem, pilot = self._problems(z, context, reverse=True, probes=None)
        return trace(problem, self.solver, times, pilot=pilot)

    def _flow(self, x: Tensor, context: Tensor | None, *, reverse: bool) -> tuple[Tensor, Tensor]:
        probes = self.divergence.probes(x)
        problem, pilot = self._problems(x, context, reverse=reverse, probes=probes)
        found = solve(problem, self.solver, pilot=pilot)
        log_det, *penalties = found.integrals.unbind(-1)
        kinetic, jacobian = penalties or (None, None)
        self._report(Solve(found.evaluations, kinetic, jacobian))
        return found.end, log_det

    def _report(self, solved: Solve) -> None:
        if self.solves is not None:
            self.solves.append(solved)

    def _problems(
        self, x: Tensor, context: Tensor | None, *, reverse: bool, probes: Tensor | None
    ) -> tuple[Problem, Problem | None]:
        """The problem for all of ``x``, and for the points of a set that choose the steps."""
        # Around the solve (adjoint), gradients stop at what the rates are given: with a condition
        # they would reach the field's weights twice.
        given = self.field.condition(context) if self.solver.gradient == "direct" else context
        whole = self._problem(x, given, reverse=reverse, probes=probes)
        count = self.solver.pilot
        if count is None or x.ndim < 3 or x.shape[1] <= count:
            return whole, None
        # Every so many-th point: clouds may lie in some order in their file.
        some = slice(None, None, x.shape[1] // count)
        fewer = None if probes is None else probes[:, :, some]
        return whole, self._problem(x[:, some], given, reverse=reverse, probes=fewer)

    def _problem(
        self, x: Tensor, given: Tensor | None, *, reverse: bool, probes: Tensor | None
    ) -> Problem:
        end_time, direct = self.end_time, self.solver.gradient == "direct"
        span = -end_time if reverse else end_time

        def rates(s: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
            time = end_time * (1 - s if reverse else s)
            condition = given if direct else self.field.condition(given)
            if probes is None:
                velocity = self.field.velocity(time, u, condition)
                return span * velocity, velocity[..., :0]
            velocity, images = self.field.velocity_and_products(time, u, condition, probes)
            divergence = (probes * images).sum((0, -1))
            if not self.penalise:
                return span * velocity, span * divergence[..., None]
            kinetic, jacobian = velocity.square().sum(-1), images.square().sum((0, -1))
            integrands = (span * divergence, end_time * kinetic, end_time * jacobian)
            return span * velocity, torch.stack(integrands, -1)

        integrals = 0 if probes is None else 3 if self.penalise else 1
        depends = [end_time, *([] if given is None else [given])]
        parameters = [each for each in (*depends, *self.field.parameters()) if each.requires_grad]
        return Problem(rates, x, integrals, tuple(parameters))


def continuous(flow: nn.Module) -> list[CNF]:
    """The continuous flows in a module, in their order."""
    return [each for each in flow.modules() if isinstance(each, CNF)]


@contextmanager
def integrating(
    flow: nn.Module,
    *,
    divergence: Divergence | None = None,
    solver: Solver | None = None,
    penalise: bool = False,
) -> Iterator[list[Solve]]:
    """Let all continuous flows in ``flow`` solve in some way for a while.

    Args:
        flow: Any module.
        divergence: How the divergence is taken; None leaves it.
        solver: Method and tolerances; None leaves them.
        penalise: Also integrate the squared velocity and Jacobian.

    Yields:
        A list that every solve is added to.
    """
    flows = continuous(flow)
    before = [(each.divergence, each.solver, each.penalise, each.solves) for each in flows]
    solves: list[Solve] = []
    for each in flows:
        each.divergence = each.divergence if divergence is None else divergence
        each.solver = each.solver if solver is None else solver
        each.penalise, each.solves = penalise, solves
    try:
        yield solves
    finally:
        for each, old in zip(flows, before, strict=True):
            each.divergence, each.solver, each.penalise, each.solves = old
