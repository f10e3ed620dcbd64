"""GRASS on a GPU says what it says on the CPU."""

import numpy as np
import pytest
import torch

from shapegen.data.furniture import furniture
from shapegen.structures.grass import GRASS, GRASSConfig

pytestmark = pytest.mark.gpu


@pytest.fixture
def model() -> GRASS:
    torch.manual_seed(0)
    return GRASS(GRASSConfig(feature_dim=16, hidden_dim=32, components=2, refine_steps=3))


def test_codes_losses_and_gradients_agree(model: GRASS) -> None:
    shapes = furniture(12, category="chair", seed=0)
    results = []
    for device in ("cpu", "cuda"):
        model = model.to(device)
        batch = model.prepare(shapes)[torch.arange(12)].to(device)
        posterior = model.encoder(batch)
        losses = model.losses(batch, posterior.mean)
        total = torch.stack([term.sum() for term in losses.values()]).sum()
        model.zero_grad()
        total.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        results.append((posterior.mean.cpu(), total.cpu(), gradient.cpu()))
        model.calibrate(model.prepare(shapes), rng=torch.Generator().manual_seed(0))
        assert model.encode(shapes).device.type == device
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-3, atol=1e-4)


def test_one_stream_samples_the_same_shapes(model: GRASS) -> None:
    drawn = []
    for device in ("cpu", "cuda"):
        shapes = model.to(device).sample(6, rng=torch.Generator().manual_seed(1))
        drawn.append(shapes)
    for a, b in zip(*drawn, strict=True):
        np.testing.assert_allclose(a.boxes(), b.boxes(), atol=1e-3)
