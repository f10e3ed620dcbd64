"""In the tests the annotated shapes of tensors are checked at every call."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from shapegen.structures.grass import corner_error


def test_a_wrong_shape_is_caught() -> None:
    assert corner_error(torch.ones(3, 12), torch.ones(3, 12)).shape == (3,)
    with pytest.raises(TypeCheckError):
        corner_error(torch.ones(3, 11), torch.ones(3, 11))
    with pytest.raises(TypeCheckError):
        corner_error(torch.ones(3, 12), torch.ones(2, 12))
