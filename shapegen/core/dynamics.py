r"""Games as vector fields: where gradient steps of two players lead, and how fast.

A game's field gives both players' descent directions at their parameters. Near a point where it is
zero, a step of :math:`x \mapsto x + h\, v(x)` is linear; its eigenvalues say what happens: all
inside the unit circle, and training converges.

Reference: Mescheder, Nowozin and Geiger, *The Numerics of GANs*, 2017; Mescheder, Geiger and
Nowozin, *Which Training Methods for GANs do actually Converge?*, 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor

Field = Callable[[Float[Tensor, "*places 2"]], Float[Tensor, "*places 2"]]
"""From (generator's, discriminator's parameter) to the direction in which each steps; at many
places at once."""
Losses = Callable[[Float[Tensor, "places 2"]], tuple[Tensor, Tensor]]
"""From the same to the losses of the generator and of the discriminator, means over places."""
Order = Literal["simultaneous", "alternating"]


def field_of(losses: Losses) -> Field:
    """The field in which every player descends on its own loss.

    It is differentiable where the place is.
    """

    def field(at: Tensor) -> Tensor:
        differentiable = at.requires_grad
        if not differentiable:
            at = at.detach().requires_grad_()
        with torch.enable_grad():
            places = at.reshape(-1, 2)
            slopes = [
                torch.autograd.grad(
                    loss,
                    at,
                    retain_graph=True,
                    create_graph=differentiable,
                    materialize_grads=True,
                )[0][..., player]
                for player, loss in enumerate(losses(places))
            ]
            # Of means over places, whose losses do not know each other.
            return -len(places) * torch.stack(slopes, -1)

    return field


def with_consensus(field: Field, weight: float) -> Field:
    r"""Consensus optimisation: both players also descend on :math:`\frac{w}{2} |v|^2`."""

    def turned(at: Tensor) -> Tensor:
        at = at.detach().requires_grad_() if not at.requires_grad else at
        with torch.enable_grad():
            force = field(at)
            (gradient,) = torch.autograd.grad(force.square().sum() / 2, at, create_graph=True)
            return force - weight * gradient

    return turned


def step(field: Field, at: Float[Tensor, "2"], rate: float, order: Order) -> Float[Tensor, "2"]:
    """One step of both players: at once, or the generator first, which the other one then sees."""
    if order == "simultaneous":
        return at + rate * field(at)
    first = at[0] + rate * field(at)[0]
    moved = torch.stack([first, at[1]])
    return torch.stack([first, at[1] + rate * field(moved)[1]])


def trajectory(
    field: Field,
    start: Float[Tensor, "2"],
    *,
    rate: float,
    steps: int,
    order: Order = "simultaneous",
) -> Float[Tensor, "points 2"]:
    """The parameters from the start on, one point more than steps."""
    points = [start]
    for _ in range(steps):
        points.append(step(field, points[-1], rate, order).detach())
    return torch.stack(points)


def eigenvalues(
    field: Field, at: Float[Tensor, "2"], *, rate: float, order: Order = "simultaneous"
) -> Complex[Tensor, "2"]:
    """Of the derivative of one step by the parameters."""
    jacobian = torch.autograd.functional.jacobian(
        lambda point: step(field, point, rate, order), at.detach()
    )
    assert isinstance(jacobian, Tensor)
    return torch.linalg.eigvals(jacobian)
