"""Rows of images and scatters of points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from shapegen.images.images import Images
from shapegen.view import curves, image_rows, scatter
from shapegen.view.plots import COLOURS


def test_rows_show_every_pixel_as_a_square() -> None:
    images = Images(torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).expand(3, 1, 2, 2))
    picture = image_rows([images, images[:1]], scale=2, gap=1)
    assert picture.shape == (11, 16, 3)
    expected = np.kron([[0, 255], [255, 0]], np.ones((2, 2)))
    np.testing.assert_array_equal(picture[1:5, 1:5, 0], expected)
    np.testing.assert_array_equal(picture[6:10, 1:5, 2], expected)
    assert (picture[6:10, 6:] == 255).all()
    with pytest.raises(ValueError, match="rows need images of one size"):
        image_rows([images, images[:0]])


def test_points_are_where_they_belong() -> None:
    picture = scatter([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]], [0, 1, 12])
    for colour, rows, columns in (
        (COLOURS[0], slice(320, None), slice(0, 320)),
        (COLOURS[1], slice(0, 320), slice(320, None)),
        (COLOURS[2], slice(320, None), slice(320, None)),
    ):
        found = (picture == np.array(colour)).all(-1)
        assert found[rows, columns].any()
        assert found.sum() == found[rows, columns].sum()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 3)), r"must be \(n, 2\); got \(3, 3\)"),
        (np.zeros((0, 2)), r"must be \(n, 2\); got \(0, 2\)"),
        ([[np.nan, 0.0]], "must be finite"),
    ],
)
def test_what_is_no_plane_is_refused(points: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scatter(points)


def test_a_line_is_high_where_its_values_are() -> None:
    picture = curves(np.linspace(0, 1, 101), {"rising": np.linspace(0, 1, 101)})
    assert picture.shape == (320, 640, 3)
    found = picture[..., 0] < 128
    rows = [np.flatnonzero(found[:, column]).mean() for column in (300, 450, 600)]
    assert rows[0] > rows[1] > rows[2]
    assert rows[0] - rows[1] == pytest.approx(rows[1] - rows[2], abs=2)


@pytest.mark.parametrize(
    ("x", "lines"),
    [([0.0], {"a": [1.0]}), ([0.0, 1.0], {}), ([0.0, 1.0], {"a": [1.0, np.nan]})],
)
def test_what_is_no_curve_is_refused(x: Any, lines: Any) -> None:
    with pytest.raises(ValueError, match=r"curves need two places|a line must be"):
        curves(x, lines)
