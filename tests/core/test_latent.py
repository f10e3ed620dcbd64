"""Walks between latents: ends, norms, and the degenerate pairs."""

import pytest
import torch

from shapegen.core.latent import arithmetic, direction, interpolate, lerp, slerp


def test_ends_are_exact_and_the_norm_changes_linearly(rng: torch.Generator) -> None:
    a, b = torch.randn(2, 9, generator=rng)
    path = interpolate(a, 2 * b, 7)
    assert torch.equal(path[0], a)
    assert torch.equal(path[-1], 2 * b)
    wanted = torch.linspace(float(a.norm()), float((2 * b).norm()), 7)
    torch.testing.assert_close(path.norm(dim=1), wanted)


def test_slerp_turns_at_a_constant_rate() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    angle = torch.tensor([0.0, 0.3, 1.0]) * torch.pi / 2
    wanted = torch.stack([angle.cos(), angle.sin()], dim=1)
    torch.testing.assert_close(slerp(a, b, torch.tensor([0.0, 0.3, 1.0])), wanted)


def test_without_its_length_kept_the_arcs_weights_are_those_of_the_ends() -> None:
    a, b, t = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 6.0]), torch.tensor([0.3])
    angle = t * torch.pi / 2
    wanted = torch.stack([2 * angle.cos(), 6 * angle.sin()], dim=1)
    torch.testing.assert_close(slerp(a, b, t, keep_length=False), wanted)
    unit = b / 6
    ours = slerp(a / 2, unit, t, keep_length=False)
    torch.testing.assert_close(ours, slerp(a / 2, unit, t))


@pytest.mark.parametrize("b", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_without_an_arc_the_path_is_straight(b: list[float]) -> None:
    a, end, t = torch.tensor([1.0, 0.0]), torch.tensor(b), torch.tensor([0.25, 0.5])
    torch.testing.assert_close(slerp(a, end, t), lerp(a, end, t))


def test_bad_walks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 steps"):
        interpolate(torch.zeros(2), torch.ones(2), 1)
    with pytest.raises(ValueError, match="two vectors of one length"):
        interpolate(torch.zeros(2), torch.ones(3), 4)


def test_arithmetic_is_a_difference_added(rng: torch.Generator) -> None:
    a, b, c = torch.randn(3, 6, generator=rng)
    torch.testing.assert_close(arithmetic(a, b, c), c + (a - b))
    torch.testing.assert_close(arithmetic(a, a, c), c)
    with pytest.raises(ValueError, match=r"must be alike; got \(6,\), \(6,\), \(2,\)"):
        arithmetic(a, b, c[:2])


def test_a_direction_carries_an_attribute(rng: torch.Generator) -> None:
    attribute = torch.tensor([3.0, 0.0, -1.0])
    lacking = torch.randn(2000, 3, generator=rng)
    having = torch.randn(500, 3, generator=rng) + attribute
    # Standard errors of the two means: .02 and .045
    torch.testing.assert_close(direction(having, lacking), attribute, atol=0.2, rtol=0)
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 4\)"):
        direction(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="both sides need latents; got 0 and 2"):
        direction(torch.zeros(0, 3), torch.zeros(2, 3))
