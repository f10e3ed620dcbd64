"""The sheet of fields and their meshes."""

from __future__ import annotations

import pytest
import torch

from benchmarks import field_sheet
from tests.fields.test_graf import graf


def test_pictures_are_above_their_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", 2), ("SIDE", 24), ("CELLS", 12)):
        monkeypatch.setattr(field_sheet, name, value)
    model = graf(density="softplus")
    found = field_sheet.sheet(model, 3, 0)
    assert found.shape == (4 * 24, 2 * 24, 3)
    fields = model.sample(3, rng=torch.Generator().manual_seed(0))
    for number, picture in enumerate(fields.render(size=24).bytes):
        row, column = divmod(number, 2)
        shown = found[48 * row : 48 * row + 24, 24 * column : 24 * column + 24]
        assert (shown == picture).all()
    # There are three of four.
    assert (found[48:, 24:] == 255).all()
