"""Numbers as cells."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen.view.heat import heat_map


def test_more_is_darker() -> None:
    picture = heat_map([[0.0, 1.0], [0.5, 0.25]], ["a", "b"], ["x", "y"]).astype(int)
    assert picture.shape[2] == 3
    # Corners of the four cells, where no number is written.
    left = 7 + 16
    cells = [[picture[8 + 18 * row + 1, left + 56 * column + 1].sum() for column in (0, 1)]
             for row in (1, 2)]  # fmt: skip
    assert cells[0][0] > cells[1][1] > cells[1][0] > cells[0][1]
    assert cells[0][0] == 3 * 255


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.1]], r"2 rows and 1 columns is needed; got \(1, 1\)"),
        ([[0.1], [1.1]], "from 0 to 1; got 0.1 to 1.1"),
        ([[0.1], [np.nan]], "from 0 to 1; got nan to nan"),
    ],
)
def test_no_table(values: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        heat_map(values, ["a", "b"], ["x"])
