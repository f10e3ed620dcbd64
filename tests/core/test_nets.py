"""Encoders and decoders of images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen.core.nets import Residual, image_decoder, image_encoder


def test_black_pixels_leave_the_first_layer_of_a_perceptron_alone() -> None:
    torch.manual_seed(0)
    encoder = image_encoder("mlp", 1, (4, 4), (5,), 3, activation="tanh")
    linear = next(each for each in encoder.modules() if isinstance(each, torch.nn.Linear))
    images = torch.full((2, 1, 4, 4), -1.0)
    images[1, 0, 1, 2] = 1.0
    seen: list[Tensor] = []
    linear.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    encoder(images)
    torch.testing.assert_close(seen[0][0], linear.bias)
    # A white one adds its column of the weights, once.
    torch.testing.assert_close(seen[0][1], linear.bias + linear.weight[:, 4 + 2])


@pytest.mark.parametrize(("network", "hidden"), [("mlp", (9, 7)), ("conv", (4, 8))])
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_a_decoder_gives_what_an_encoder_takes(network: Any, hidden: Any, size: Any) -> None:
    torch.manual_seed(0)
    encoder = image_encoder(network, 3, size, hidden, 6, activation="silu")
    decoder = image_decoder(network, 6, size, hidden, 3, activation="silu")
    images = torch.rand(2, 3, *size) * 2 - 1
    codes = encoder(images)
    assert codes.shape == (2, 6)
    assert decoder(codes).shape == images.shape
    # Every pixel is seen, and every number of a code.
    for start, run in ((images, encoder), (codes.detach(), decoder)):
        start.requires_grad_()
        assert (
            torch.autograd.grad(run(start).square().sum(), start)[0].abs().flatten(1).gt(0).all()
        )


def test_residual_blocks_begin_as_the_identity() -> None:
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(Residual(8)(x), x)
