"""The price of what fills the ball that cameras see."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.rendering import Field
from tests.fields.test_graf import graf, losses, stream


@pytest.mark.parametrize("backbone", ["mlp", "triplane"])
def test_what_fills_the_ball_has_a_price(backbone: str) -> None:
    found, cameras = {}, CameraSetting(radius=(4.0, 4.0), sphere=1.5)
    for weight in (0.7, 0.0):
        model = graf(backbone=backbone, density="softplus", volume=weight, cameras=cameras)
        loss, terms = losses(model, torch.zeros(64, 3, 16, 16))["generator"]
        (slope,) = torch.autograd.grad(loss, model.generator.density.bias)
        found[weight] = (loss.detach(), slope, terms)
    loss, slope, terms = found[0.7]
    torch.testing.assert_close(loss, found[0.0][0] + 0.7 * terms["volume"])
    assert slope > found[0.0][1]
    # The same by a grid over the ball, of the fields of the same codes.
    codes = model.sample_latent(64, rng=stream("generator"))
    line = 1.5 * ((torch.arange(24) + 0.5) / 12 - 1)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3)
    grid = grid[grid.norm(dim=-1) <= 1.5]
    part = 3.0 / model.config.sampling.samples
    with torch.no_grad():
        held = [1 - (-part * model.generator.densities(code)(grid)).exp() for code in codes]
    exact = torch.stack(held).mean()
    assert 0.1 < exact < 0.95
    torch.testing.assert_close(terms["volume"], exact, rtol=0, atol=0.01)


def test_places_of_the_price_are_even_in_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    model = graf(volume=0.7, cameras=CameraSetting(radius=(4.0, 4.0), sphere=1.5))

    def full(codes: Tensor) -> Field:
        """Up to .9 of the radius, which is .9^3 of the ball."""
        return lambda x, d: (1e6 * (x.norm(dim=-1) < 1.35).to(x), torch.ones_like(x))

    monkeypatch.setattr(model.generator, "field", full)
    _, terms = losses(model, torch.zeros(64, 3, 16, 16))["generator"]
    assert float(terms["volume"]) == pytest.approx(0.9**3, abs=0.01)
