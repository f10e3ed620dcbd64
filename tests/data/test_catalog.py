from __future__ import annotations

import numpy as np
import pytest

from shapegen.data.catalog import catalog, make
from shapegen.data.furniture import furniture


def test_every_set_of_the_catalog_can_be_made() -> None:
    for name, line in catalog().items():
        shapes = make(name, count=3, seed=4)
        assert len(shapes) == 3
        assert line
        assert "\n" not in line


def test_a_set_is_the_furniture_of_its_category() -> None:
    for made, expected in zip(
        make("furniture-tables", count=4, seed=2, start=5),
        furniture(4, category="table", seed=2, start=5),
        strict=True,
    ):
        assert made.label == expected.label
        np.testing.assert_array_equal(made.box, expected.box)


def test_an_unknown_set_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"'furniture-chair'; nearest: furniture-chairs"):
        make("furniture-chair", count=1)
    with pytest.raises(ValueError, match="nearest: furniture"):
        make("zzz", count=1)


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1; got 0"):
        make("furniture", count=0)
