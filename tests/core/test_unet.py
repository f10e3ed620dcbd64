"""Networks from images to images: sizes, skips, noise, and what they are composed of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from shapegen.core.nets import halved
from shapegen.core.seeding import seeded
from shapegen.core.unet import ResidualTranslator, UNet, check_halvings, dropped


def build(*widths: int, **options: Any) -> UNet:
    with seeded(0):
        return UNet(2, 3, widths or (4, 6, 8), **options).double()


def images(n: int = 2, size: tuple[int, int] = (8, 8)) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(n, 2, *size, generator=rng, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (13, 6), (1, 9)])
@pytest.mark.parametrize("skips", [True, False])
def test_images_keep_their_size(size: tuple[int, int], skips: bool) -> None:
    found = build(skips=skips, norm="none")(images(size=size))
    assert found.shape == (2, 3, *size)
    assert found.abs().max() < 1
    with seeded(0):
        residual = ResidualTranslator(2, 3, (4, 6), blocks=1, norm="none").double()
    assert residual(images(size=size)).shape == (2, 3, *size)


def test_a_unet_written_out() -> None:
    """As nets in one another, the innermost first: the paper's figure 3."""
    model, x = build(4, 6, dropout=0.0), images(size=(7, 6))
    convs = [stage[-1] if number != 1 else stage[1] for number, stage in enumerate(model.down)]
    outer = convs[0](functional.pad(x, (0, 0, 0, 1), mode="replicate"))
    middle = functional.pad(functional.leaky_relu(outer, 0.2), (0, 1, 0, 0), mode="replicate")
    inner = model.up[0](convs[1](middle))[:, :, :4, :3]
    expected = model.up[1](torch.cat([inner, outer], 1))[:, :, :7].tanh()
    torch.testing.assert_close(model(x), expected)
    kinds = [[type(layer).__name__ for layer in stage] for stage in (*model.down, *model.up)]
    assert kinds == [
        ["Conv2d"],
        ["LeakyReLU", "Conv2d"],
        ["ReLU", "ConvTranspose2d", "BatchNorm2d"],
        ["ReLU", "ConvTranspose2d"],
    ]


def test_what_passes_the_middle_is_all_without_skips() -> None:
    for skips in (True, False):
        model = build(skips=skips, norm="instance")
        torch.nn.init.zeros_(model.down[-1][-1].weight)
        a, b = model(images()).unbind()
        assert torch.allclose(a, b) is not skips


def test_with_channels_at_the_whole_size_a_pixel_is_made_of_the_pixels_beside_it_too() -> None:
    plain, model = build(norm="none"), build(norm="none", whole=3)
    for network in (plain, model):
        # Nothing comes up from half the size: what is left has been at the whole one only.
        torch.nn.init.zeros_(network.up[-1][1].weight)
        torch.nn.init.zeros_(network.up[-1][1].bias)
    a = images(1)
    b = a.clone()
    b[:, :, 2, 2] += 1
    assert torch.equal(plain(a), plain(b))
    changed = (model(a) != model(b)).any(1)[0].nonzero()
    assert changed.min() == 1
    assert changed.max() == 3
    assert model(images(size=(9, 7))).shape == (2, 3, 9, 7)


def test_dropout_is_noise_of_its_stream_in_training_and_after() -> None:
    model = build(4, 6, 8, 8, dropout=0.5, norm="instance")
    x = images(size=(16, 16))
    for mode in (True, False):
        model.train(mode)
        a, b, c = (model(x, rng=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
        assert torch.equal(a, b)
        assert not torch.allclose(a, c)
    plain = build(4, 6, 8, 8, norm="instance")
    rng = torch.Generator().manual_seed(0)
    before = rng.get_state()
    plain(x, rng=rng)
    assert torch.equal(rng.get_state(), before)


def test_the_stages_at_the_smallest_sizes_drop_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of eight as in the paper, and half of a shallow network's."""
    seen: list[int] = []

    def noted(x: torch.Tensor, share: float, *, rng: Any) -> torch.Tensor:
        seen.append(x.shape[2])
        return x

    monkeypatch.setattr("shapegen.core.unet.dropped", noted)
    build(*[4] * 7, dropout=0.5, norm="none")(images(size=(128, 128)))
    build(*[4] * 4, dropout=0.5, norm="none")(images(size=(16, 16)))
    build(4, dropout=0.5, norm="none")(images())
    assert seen == [2, 4, 8, 2, 4]


def test_what_is_dropped_is_a_share_and_keeps_the_mean() -> None:
    x = torch.full((200, 50), 3.0)
    found = dropped(x, 0.25, rng=torch.Generator().manual_seed(0))
    assert set(found.unique().tolist()) == {0.0, 4.0}
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("skips", [True, False])
def test_gradients_reach_every_parameter(skips: bool) -> None:
    with seeded(0):
        residual = ResidualTranslator(2, 3, (4, 6, 8), blocks=2).double()
    for model in (build(skips=skips), residual):
        weights = torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(0)).double()
        (model(images(4, (9, 9))) * weights).sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_norms_of_single_images_leave_others_alone() -> None:
    with seeded(0):
        residual = ResidualTranslator(2, 3, (4, 6), blocks=1).double()
    for model in (build(norm="instance"), residual):
        torch.testing.assert_close(model(images(3))[:1], model(images(3)[:1]))


def test_a_residual_network_has_blocks_at_its_smallest_size() -> None:
    with seeded(0):
        model = ResidualTranslator(2, 3, (4, 6, 8), blocks=2).double()
    seen: list[tuple[int, ...]] = []
    for block in model.blocks:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[1:])))
    model(images(size=(13, 10)))
    assert seen == [(8, *halved((13, 10), 2)[-1])] * 2
    for parameter in model.blocks.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 4, 3, dtype=torch.float64)
    assert torch.equal(model.blocks(x), x)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="dropout must be from 0 to below 1; got 1"):
        build(dropout=1.0)
    check_halvings((8, 8), 2, "widths")
    check_halvings((8, 9), 3, "widths")
    with pytest.raises(
        ValueError, match=r"3 halvings \(widths\) are too many for images of 8 x 8"
    ):
        check_halvings((8, 8), 3, "widths")
