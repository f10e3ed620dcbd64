"""Rules for bad boxes: each one is found, mended, counted, and changes nothing twice."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core.boxes import axes
from shapegen.structures.repair import (
    MAX_SIZE,
    RepairReport,
    RepairWarning,
    repair_boxes,
    repair_shapes,
)

GOOD = np.array([0.1, 0.2, 0.3, 1.0, 2.0, 0.5, 0.6, 0.8, 0, -0.8, 0.6, 0])


def changed(**entries: float) -> NDArray[np.float64]:
    row = GOOD.copy()
    for key, value in entries.items():
        row[int(key[1:])] = value
    return row


BAD = {
    "negative side": changed(_4=-2.0),
    "zero side": changed(_5=0.0),
    "no direction": changed(_9=0.0, _10=0.0),
    "not unit": changed(_6=0.54, _7=0.72),
    "not orthogonal": changed(_9=0.0, _10=1.0),
    "out of range": changed(_0=1.5),
}


@pytest.mark.parametrize("rule", BAD)
def test_every_rule_counts_its_own_box_and_no_other(rule: str) -> None:
    report = RepairReport()
    rows = np.stack([GOOD, BAD[rule], GOOD])
    before = rows.copy()
    mended = repair_boxes(rows, report=report)
    assert report.counts == {rule: 1}
    assert report.boxes == 3
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(mended[[0, 2]], before[[0, 2]])
    again = RepairReport()
    np.testing.assert_array_equal(repair_boxes(mended, report=again), mended)
    assert again.mended == 0


def test_what_is_mended_is_a_box() -> None:
    mended = repair_boxes(np.stack(list(BAD.values())))
    assert (mended[:, 3:6] > 0).all()
    x, y = mended[:, 6:9], mended[:, 9:12]
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose((x * y).sum(1), 0, atol=1e-12)


def test_the_values_are_those_of_the_stated_rules() -> None:
    mended = repair_boxes(np.stack(list(BAD.values())))
    assert mended[0, 4] == 2.0
    assert mended[1, 5] == pytest.approx(1e-4 * 2.0)
    np.testing.assert_allclose(mended[2:5, 6:9], axes(np.stack(list(BAD.values())))[2:5, 0])
    np.testing.assert_allclose(mended[3, 6:9], [0.6, 0.8, 0])
    np.testing.assert_array_equal(mended[5], BAD["out of range"])


def test_parallel_directions_are_no_direction() -> None:
    report = RepairReport()
    repair_boxes(changed(_9=-1.2, _10=-1.6)[None], report=report)
    assert report.counts["no direction"] == 1


def test_rounded_directions_are_left_alone() -> None:
    rows = np.round(np.stack([GOOD, changed(_6=0.6003, _9=-0.8001)]), 4)
    report = RepairReport()
    np.testing.assert_array_equal(repair_boxes(rows, report=report), rows)
    assert report.mended == 0


def test_the_longest_side_is_taken_by_shape() -> None:
    thin = changed(_3=1e-5, _4=1e-5, _5=1e-5)
    report = RepairReport()
    repair_boxes(np.stack([changed(_3=100.0), thin]), starts=[0, 1], report=report)
    assert report.mended == 0
    repair_boxes(np.stack([changed(_3=100.0), thin]), report=report)
    assert report.counts["zero side"] == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (changed(_2=np.nan), "box 1: a box must be finite"),
        (changed(_8=-np.inf), "box 1: a box must be finite"),
        (changed(_0=2 * MAX_SIZE), "box 1: numbers of a box must be at most 1e"),
    ],
)
@pytest.mark.parametrize("mode", ["fix", "refuse", "keep"])
def test_some_boxes_are_refused_in_every_mode(
    row: NDArray[np.float64], message: str, mode: str
) -> None:
    with pytest.raises(ValueError, match=message):
        repair_boxes(np.stack([GOOD, row]), mode=mode)  # type: ignore[arg-type]


def test_a_shape_without_any_side_is_refused() -> None:
    flat = changed(_3=0, _4=0, _5=0)
    with pytest.raises(ValueError, match="box 1: no box of the shape has a side"):
        repair_boxes(np.stack([GOOD, flat]), starts=[0, 1])
    assert repair_boxes(np.stack([GOOD, flat]))[1, 3] == pytest.approx(2e-4)


@pytest.mark.parametrize("rule", BAD)
def test_refusing_and_keeping(rule: str) -> None:
    rows = np.stack([GOOD, BAD[rule]])
    report = RepairReport()
    np.testing.assert_array_equal(repair_boxes(rows, mode="keep", report=report), rows)
    assert report.counts == {rule: 1}
    if rule == "out of range":
        repair_boxes(rows, mode="refuse")
    else:
        with pytest.raises(ValueError, match=f"here 1: {rule}; got the box"):
            repair_boxes(rows, mode="refuse", place="here {}".format)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        repair_boxes(GOOD[None], mode="mend")  # type: ignore[arg-type]


def test_shapes_are_mended_together_as_they_are_one_by_one() -> None:
    groups = [np.stack([GOOD, row]) for row in BAD.values()]
    report, single = RepairReport(), RepairReport()
    mended, refused = repair_shapes(
        groups, mode="fix", report=report, place="shape {}, box {}".format
    )
    assert not refused
    for number, rows in enumerate(groups):
        np.testing.assert_array_equal(mended[number], repair_boxes(rows, report=single))
    assert (report.counts, report.boxes) == (single.counts, single.boxes)
    groups.insert(2, np.stack([GOOD, changed(_0=np.nan)]))
    mended, refused = repair_shapes(
        groups, mode="fix", report=RepairReport(), place="shape {}, box {}".format
    )
    assert list(mended) == [0, 1, 3, 4, 5, 6]
    assert len(refused) == 1
    assert refused[0].startswith("shape 2, box 1: a box must be finite")


def test_the_warning_is_one_line_and_only_when_something_was_mended() -> None:
    report = RepairReport()
    repair_boxes(BAD["out of range"][None], report=report)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.warn("file")
    repair_boxes(BAD["not unit"][None], report=report)
    with pytest.warns(
        RepairWarning, match=r"^file: 1 not unit \(mended\), 1 out of range \(kept\); 2 boxes$"
    ):
        report.warn("file")
