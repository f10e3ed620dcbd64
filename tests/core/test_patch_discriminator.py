"""Patch discriminators: what a logit sees, by the support of its gradient."""

from __future__ import annotations

import pytest
import torch

from shapegen.core.patch_discriminator import RECEPTIVE_FIELDS, PatchDiscriminator
from shapegen.core.seeding import seeded


def build(receptive_field: int, norm: str = "none", channels: int = 1) -> PatchDiscriminator:
    with seeded(0):
        return PatchDiscriminator(
            channels, receptive_field=receptive_field, width=4, norm=norm
        ).double()


@pytest.mark.parametrize("field", list(RECEPTIVE_FIELDS))
def test_a_logit_sees_a_square_of_the_stated_side(field: int) -> None:
    judge = build(field)
    image = torch.randn(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    logits = judge(image)
    assert judge.places((128, 128)) == tuple(logits.shape[2:])
    middle = logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle, image)
    seen = gradient[0, 0] != 0
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    assert len(rows) == len(columns) == field
    assert int(rows[-1] - rows[0]) == field - 1
    assert seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].double().mean() > 0.99


@pytest.mark.parametrize("norm", ["none", "instance"])
def test_a_logit_is_of_its_own_image_alone(norm: str) -> None:
    judge = build(34, norm)
    images = torch.randn(3, 1, 40, 40, dtype=torch.float64)
    torch.testing.assert_close(judge(images)[:1], judge(images[:1]))
    assert judge(images).std() > 0


def test_what_is_given_is_seen() -> None:
    judge = build(16, channels=3)
    image, given = torch.randn(2, 1, 20, 20).double(), torch.randn(2, 2, 20, 20).double()
    assert not torch.allclose(judge(image, given), judge(image, given.flip(0)))
    torch.testing.assert_close(judge(image, given), judge(torch.cat([image, given], 1)))


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="one of 1, 16, 34, 70; got 20"):
        PatchDiscriminator(1, receptive_field=20)
    with pytest.raises(ValueError, match=r"field 70\) is too large for images of 16 x 40"):
        build(70).places((16, 40))
    with pytest.raises(ValueError, match="at least 1; got 0 and 64"):
        PatchDiscriminator(0)
