"""Initial value problems: torchdiffeq chooses the steps, gradients go through or around them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Rates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""``rates(s, u)`` at a time ``s`` ``()`` from 0 to 1: the velocity of ``u``, and the integrands
``(..., k)`` of what is summed up along the way (a divergence)."""

Method = Literal["dopri5", "bosh3", "rk4", "midpoint", "euler"]
ADAPTIVE = ("dopri5", "bosh3")
FALLBACK_STEPS = 32
"""Fixed RK4 steps where the adaptive solver gets stuck."""


@dataclass(frozen=True)
class Solver:
    """How a problem is solved."""

    method: Method = "dopri5"
    """``dopri5`` and ``bosh3`` choose their steps, the others take ``steps`` equal ones."""
    atol: float = 1e-5
    """Absolute tolerance of a step's error (root mean square)."""
    rtol: float = 1e-5
    """Relative tolerance."""
    max_num_steps: int = 1000
    """Tried steps after which an adaptive solve is given up."""
    steps: int = 16
    """Of the methods with fixed steps."""
    gradient: Literal["direct", "adjoint", "seminorm"] = "direct"
    """``direct``: through the steps. ``adjoint``: by a solve backwards in time, which needs no
    memory; ``seminorm``: the same, but the integrals of the parameters' gradients, which nothing
    depends on, do not hold its steps down (Kidger et al., *"Hey, that's not an ODE"*, 2021)."""
    pilot: int | None = 64
    """Points of a set on which the steps are chosen, without gradients; the whole set then takes
    these steps. None: every point takes part in the choice, and torchdiffeq solves."""

    def __post_init__(self) -> None:
        for name in ("atol", "rtol", "max_num_steps", "steps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}")
        if self.pilot is not None and self.pilot < 1:
            raise ValueError(f"pilot must be at least 1, or null for all; got {self.pilot}")
        if self.gradient != "direct" and not self.adaptive:
            raise ValueError(
                f"gradient {self.gradient} needs one of {', '.join(ADAPTIVE)}; got {self.method}"
            )

    @property
    def adaptive(self) -> bool:
        """Whether the method controls its error."""
        return self.method in ADAPTIVE


TIGHT = Solver(atol=1e-7, rtol=1e-7, pilot=None)
"""For likelihoods that are reported."""


@dataclass(frozen=True)
class Problem:
    """``u`` from time 0 to 1, with ``integrals`` running sums beside it."""

    rates: Rates
    start: Tensor
    integrals: int
    parameters: tuple[Tensor, ...]
    """All that the rates depend on and that gradients are due for."""


@dataclass(frozen=True)
class Solution:
    """Where a solve came out."""

    end: Tensor
    integrals: Tensor
    """``(*u.shape[:-1], k)``."""
    evaluations: int
    """Of the rates, on whatever number of points."""


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge-Kutta method."""

    nodes: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


TABLEAUS: dict[str, Tableau] = {
    "euler": Tableau((0.0,), ((),), (1.0,)),
    "midpoint": Tableau((0.0, 0.5), ((), (0.5,)), (0.0, 1.0)),
    "rk4": Tableau(
        (0.0, 0.5, 0.5, 1.0),
        ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    # The last stage of the pairs below serves the error alone, and is left out.
    "bosh3": Tableau((0.0, 0.5, 0.75), ((), (0.5,), (0.0, 0.75)), (2 / 9, 1 / 3, 4 / 9)),
    "dopri5": Tableau(
        (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
        (
            (),
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        ),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
}


def solve(problem: Problem, solver: Solver, *, pilot: Problem | None = None) -> Solution:
    """Solve a problem with gradients to its start and parameters.

    Args:
        problem: What to solve.
        solver: How.
        pilot: The same problem on some of the points: the steps are chosen on it.

    Raises:
        ArithmeticError: The adaptive solver gave up after ``max_num_steps``.
    """
    if not solver.adaptive:
        return march(problem, _equal(solver.steps), solver.method)
    try:
        if torch.is_grad_enabled() and solver.gradient != "direct":
            return _adjoint(problem, solver)
        if pilot is None and not torch.is_grad_enabled():
            return _torchdiffeq(problem, solver)[0]
        tried, grid = _choose_steps(pilot or problem, solver)
    except AssertionError as error:  # torchdiffeq's only kind of complaint
        return _fall_back(problem, solver, str(error))
    found = march(problem, grid, solver.method)
    return Solution(found.end, found.integrals, found.evaluations + tried)


@torch.no_grad()
def _choose_steps(problem: Problem, solver: Solver) -> tuple[int, list[float]]:
    """How many evaluations it took to find it, and a grid of times on which errors are small."""
    try:
        # The longest step first: a rejected one is cheap here, a timid one costs a step later.
        found, grid = _torchdiffeq(problem, solver, first_step=1.0)
    except AssertionError:
        found, grid = _torchdiffeq(problem, solver)
    return found.evaluations, grid


def march(problem: Problem, grid: Sequence[float], method: str) -> Solution:
    """Take given steps of a Runge-Kutta method, through which gradients go."""
    tableau = TABLEAUS[method]
    u = problem.start
    sums = u.new_zeros(*u.shape[:-1], problem.integrals)
    evaluations = 0
    for start, end in itertools.pairwise(grid):
        step = end - start
        velocities: list[Tensor] = []
        integrands: list[Tensor] = []
        for node, row in zip(tableau.nodes, tableau.rows, strict=True):
            # The steps are constants: the time that gradients go to is inside the rates.
            time = u.new_tensor(start + node * step)
            velocity, integrand = problem.rates(time, _moved(u, velocities, row, step))
            velocities.append(velocity)
            integrands.append(integrand)
        evaluations += len(tableau.nodes)
        u = _moved(u, velocities, tableau.weights, step)
        if problem.integrals:
            sums = _moved(sums, integrands, tableau.weights, step)
    return Solution(u, sums, evaluations)


@torch.no_grad()
def trace(
    problem: Problem, solver: Solver, times: Sequence[float], *, pilot: Problem | None = None
) -> list[Tensor]:
    """Where ``u`` is at some times: the steps of :func:`solve`, and cubics between their ends.

    It costs one evaluation more than a solve, however many times are asked for; that of the end is
    where :func:`solve` comes out with the same steps.

    Args:
        problem: What to solve.
        solver: How.
        times: From 0 to 1, ascending.
        pilot: As for :func:`solve`.
    """
    grid, method = _equal(solver.steps), solver.method
    if solver.adaptive:
        try:
            grid = _choose_steps(pilot or problem, solver)[1]
        except AssertionError as error:
            _complain(solver, str(error))
            grid, method = _equal(FALLBACK_STEPS), "rk4"
    u = problem.start
    velocity = problem.rates(u.new_tensor(grid[0]), u)[0]
    found: list[Tensor] = []
    for start, end in itertools.pairwise(grid):
        step = end - start
        part = march(replace(problem, start=u), (start, end), method)
        after = problem.rates(u.new_tensor(end), part.end)[0]
        while len(found) < len(times) and (times[len(found)] < end or end == grid[-1]):
            share = (times[len(found)] - start) / step
            found.append(_cubic(share, u, part.end, step * velocity, step * after))
        u, velocity = part.end, after
    return found


def _cubic(share: float, a: Tensor, b: Tensor, slope_a: Tensor, slope_b: Tensor) -> Tensor:
    """Hermite's cubic between two places; slopes for a whole step."""
    if share in (0.0, 1.0):
        return b if share else a
    back = 1.0 - share
    bend = share * back * (back * (slope_a + a - b) - share * (slope_b + a - b))
    return back * a + share * b + bend


def _moved(u: Tensor, rates: Sequence[Tensor], row: Sequence[float], step: float) -> Tensor:
    for weight, rate in zip(row, rates, strict=True):
        if weight:
            u = torch.add(u, rate, alpha=weight * step)
    return u


def _equal(steps: int) -> list[float]:
    return [number / steps for number in range(steps + 1)]


class _System:
    """A problem in torchdiffeq's form: a state of one or two tensors, and notes of the steps."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0
        self.grid = [0.0]

    @property
    def start(self) -> tuple[Tensor, ...]:
        u = self.problem.start
        sums = u.new_zeros(*u.shape[:-1], self.problem.integrals)
        return (u, sums) if self.problem.integrals else (u,)

    def __call__(self, time: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self.evaluations += 1
        velocity, integrands = self.problem.rates(time, state[0])
        return (velocity, integrands) if self.problem.integrals else (velocity,)

    def callback_accept_step(self, time: Tensor, state: object, step: Tensor) -> None:
        self.grid.append(float(time + step))

    def solution(self, states: Sequence[Tensor]) -> Solution:
        u = states[0][-1]
        sums = states[1][-1] if self.problem.integrals else u.new_zeros(*u.shape[:-1], 0)
        return Solution(u, sums, self.evaluations)


def _torchdiffeq(
    problem: Problem, solver: Solver, first_step: float | None = None
) -> tuple[Solution, list[float]]:
    """Solve by torchdiffeq; also the times between which it stepped."""
    from torchdiffeq import odeint

    system = _System(problem)
    states = odeint(
        system,
        system.start,
        _ends(problem),
        atol=solver.atol,
        rtol=solver.rtol,
        method=solver.method,
        options=_options(problem, solver) | {"first_step": first_step},
    )
    return system.solution(states), [*system.grid[:-1], 1.0]


def _adjoint(problem: Problem, solver: Solver) -> Solution:
    from torchdiffeq import odeint_adjoint

    system = _System(problem)
    backward: dict[str, object] = {"max_num_steps": solver.max_num_steps}
    if solver.gradient == "seminorm":
        backward["norm"] = "seminorm"
    states = odeint_adjoint(
        system,
        system.start,
        _ends(problem),
        atol=solver.atol,
        rtol=solver.rtol,
        method=solver.method,
        options=_options(problem, solver),
        adjoint_options=backward,
        adjoint_params=problem.parameters,
    )
    return system.solution(states)


def _ends(problem: Problem) -> Tensor:
    return torch.tensor([0.0, 1.0], device=problem.start.device)


def _options(problem: Problem, solver: Solver) -> dict[str, object]:
    # Steps end at the end: past it the network was never asked for anything.
    return {"step_t": _ends(problem)[1:], "max_num_steps": solver.max_num_steps}


def _fall_back(problem: Problem, solver: Solver, reason: str) -> Solution:
    """Fixed steps where the adaptive solver got stuck."""
    _complain(solver, reason)
    return march(problem, _equal(FALLBACK_STEPS), "rk4")


def _complain(solver: Solver, reason: str) -> None:
    """Say why fixed steps take the place of adaptive ones, or that none can."""
    if "max_num_steps" in reason:
        raise ArithmeticError(
            f"{solver.method} needs more than {solver.max_num_steps} steps at atol "
            f"{solver.atol:g}, rtol {solver.rtol:g}: the vector field is too stiff"
        )
    warnings.warn(
        f"the adaptive solver stopped ({reason.split(':')[0]}); {FALLBACK_STEPS} fixed steps of "
        "rk4 took its place, whose error nobody controls",
        stacklevel=4,
    )
