"""Pictures of depth and of normals."""

from __future__ import annotations

import math

import numpy as np
import torch

from shapegen.data.furniture import furniture
from shapegen.fields.cameras import on_sphere
from shapegen.formats.views import Stage
from shapegen.view.maps import depth_picture, normal_picture


def test_near_is_bright_and_nothing_is_black() -> None:
    found = depth_picture([[1.0, 2.0], [3.0, np.inf]])[..., 0]
    assert found.tolist() == [[255, 153], [51, 0]]
    assert not depth_picture(np.full((2, 2), np.inf)).any()
    assert depth_picture(np.full((2, 2), 4.0)).tolist() == [[[255]] * 2] * 2


def test_normals_are_colours_and_nothing_is_white() -> None:
    found = normal_picture([[[1, 0, 0], [0, -1, 0]], [[0, 0, 1], [0, 0, 0]]])
    assert found.tolist() == [
        [[255, 128, 128], [128, 0, 128]],
        [[128, 128, 255], [255, 255, 255]],
    ]


def test_views_of_shapes_are_drawn() -> None:
    angles = [torch.tensor([each], dtype=torch.float64) for each in (0.5, 1.1, 4.0)]
    view = Stage(furniture(1)[0].to_scene()).view(on_sphere(*angles)[0], 24, math.radians(30))
    for picture in (depth_picture(view.depth), normal_picture(view.normals)):
        background = picture[0, 0]
        assert (np.abs(picture.astype(int) - background).sum(-1) > 0).sum() == (
            view.parts >= 0
        ).sum()
