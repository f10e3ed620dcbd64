"""Affine maps: fused or not, the same; and fused only where there is a kernel for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.harness import count_flops
from shapegen.fields import affine
from shapegen.fields.affine import Affine, fused


@pytest.fixture
def layer(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    whole = torch.randn(24, 30, generator=rng)
    bias = torch.randn(24, generator=rng)
    return torch.randn(5, 7, 19, generator=rng), whole[:, 4:23], bias


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [None, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("gradients", [False, True])
def test_maps_are_products(
    relu: bool,
    dtype: torch.dtype | None,
    gradients: bool,
    layer: tuple[Tensor, Tensor, Tensor],
) -> None:
    x, weight, bias = layer
    wanted = x @ weight.T + bias
    wanted = wanted.relu() if relu else wanted
    with torch.set_grad_enabled(gradients):
        found = Affine(weight, bias, dtype, relu=relu)(x)
    assert found.dtype == (dtype or torch.float32)
    tolerance = 0.1 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("relu", [False, True])
def test_shapes_have_their_own_bias(
    relu: bool, layer: tuple[Tensor, Tensor, Tensor], rng: torch.Generator
) -> None:
    x, weight, _ = layer
    bias = torch.randn(5, 24, generator=rng)
    alone = torch.stack(
        [Affine(weight, own, relu=relu)(each) for each, own in zip(x, bias, strict=True)]
    )
    torch.testing.assert_close(Affine(weight, bias, relu=relu)(x), alone, rtol=0, atol=1e-5)


def test_only_what_has_a_kernel_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(2, 3)
    assert not fused(x)  # gradients may be asked for
    with torch.no_grad():
        assert fused(x)
        assert not fused(x.double())
        assert not fused(x.to("meta"))
        assert not fused(x[:, :0])
        for known in (True, False):
            monkeypatch.setattr(affine, "has_bfloat16", lambda _, known=known: known)
            assert fused(x.bfloat16()) is known
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        assert not fused(x)


def test_nothing_is_asked_of_a_missing_kernel(
    monkeypatch: pytest.MonkeyPatch, layer: tuple[Tensor, Tensor, Tensor]
) -> None:
    x, weight, bias = layer
    with torch.no_grad():
        found = Affine(weight, bias, relu=True)(x)
        monkeypatch.setattr(affine, "fused", lambda _: False)
        plain = Affine(weight, bias, relu=True)(x)
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
def test_training_in_mixed_precision_may_leave_gradients_out(
    relu: bool, layer: tuple[Tensor, Tensor, Tensor]
) -> None:
    x, weight, bias = layer
    own = Affine(weight, bias, relu=relu)
    with torch.no_grad():
        wanted = own(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = own(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0.1)


def test_operations_of_the_kernel_are_counted(layer: tuple[Tensor, Tensor, Tensor]) -> None:
    x, weight, bias = layer
    own = Affine(weight, bias, relu=True)
    plain = count_flops(lambda: own(x))
    with torch.no_grad():
        assert count_flops(lambda: own(x)) == plain == 2 * 35 * 19 * 24
