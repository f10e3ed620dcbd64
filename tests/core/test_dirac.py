"""The Dirac GAN against its closed forms, and what its trajectories do."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from shapegen.core.adversarial import Kind
from shapegen.core.dirac import Cure, dirac_eigenvalues, dirac_field
from shapegen.core.dynamics import Order, eigenvalues, trajectory

ORIGIN = torch.zeros(2, dtype=torch.float64)
START = torch.tensor([1.0, -1.0], dtype=torch.float64)


def sorted_values(values: Tensor) -> list[complex]:
    return sorted((complex(value) for value in values), key=lambda z: (z.real, z.imag))


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("cure", get_args(Cure))
@pytest.mark.parametrize("order", get_args(Order))
@pytest.mark.parametrize("strength", [0.1, 0.7, 3.0])
def test_eigenvalues_are_those_of_the_closed_form(
    kind: Kind, cure: Cure, order: Order, strength: float
) -> None:
    if order == "alternating" and cure == "consensus":
        # The second player's direction has the first one's curvature in it: no simple form.
        return
    if kind == "hinge" and cure == "instance_noise" and strength >= 1:
        return  # noise beyond the hinges' corners
    field = dirac_field(kind, cure, strength)
    found = eigenvalues(field, ORIGIN, rate=0.1, order=order)
    wanted = dirac_eigenvalues(kind, cure, strength, rate=0.1, order=order)
    ours, theirs = sorted_values(found), sorted_values(torch.tensor(wanted, dtype=torch.cdouble))
    assert ours == pytest.approx(theirs, abs=1e-8)


def test_the_papers_figures() -> None:
    """Moduli at a rate of .1: 1.00125 without a penalty, .99624 and .95 with R1."""
    for cure, strength, modulus in (
        ("none", 0.0, 1.00125),
        ("r1", 0.1, 0.99624),
        ("r1", 1.0, 0.95),
    ):
        found = dirac_eigenvalues(cure=cure, strength=strength, rate=0.1)  # type: ignore[arg-type]
        assert max(map(abs, found)) == pytest.approx(modulus, abs=1e-5)


def test_where_five_hundred_steps_lead() -> None:
    """From a radius of 1.41: outwards in the plain game, to 0 under R1 and consensus."""

    def radius(cure: Cure, strength: float, order: Order = "simultaneous") -> float:
        field = dirac_field("saturating", cure, strength)
        points = trajectory(field, START, rate=0.1, steps=500, order=order)
        assert points.shape == (501, 2)
        return float(points[-1].norm())

    assert radius("none", 0.0) == pytest.approx(2.25, abs=0.01)
    assert radius("r1", 1.0) == pytest.approx(2.3e-10, rel=0.05)
    assert radius("consensus", 1.0) == pytest.approx(1.4e-5, rel=0.05)
    assert 1 < radius("none", 0.0, "alternating") < 2
    assert radius("roth", 1.0) < 1e-3
    assert radius("instance_noise", 1.0) < 1e-3


def test_the_field_is_the_players_descent() -> None:
    theta, psi = 0.4, -0.7
    at = torch.tensor([theta, psi], dtype=torch.float64)
    share = torch.sigmoid(at.prod())
    expected = share * torch.tensor([psi, -theta], dtype=torch.float64)
    torch.testing.assert_close(dirac_field()(at).detach(), expected)
    # The loss that does not saturate pulls the generator by the other share.
    other = dirac_field("non_saturating")(at).detach()
    torch.testing.assert_close(other[0], (1 - share) * psi)
    torch.testing.assert_close(other[1], expected[1])


@pytest.mark.parametrize("cure", get_args(Cure))
def test_many_places_at_once_are_as_one_by_one(cure: Cure, rng: torch.Generator) -> None:
    field = dirac_field("saturating", cure, 0.7)
    places = torch.randn(3, 2, 2, generator=rng, dtype=torch.float64)
    alone = [field(place).detach() for place in places.reshape(-1, 2)]
    torch.testing.assert_close(field(places).detach(), torch.stack(alone).reshape(3, 2, 2))
