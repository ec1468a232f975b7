"""The heat map of classes: all of them where there is room, else what lost most."""

from __future__ import annotations

import dataclasses

import pytest
from reports import FP32, INT8, regressed, result, scored

from harness.core.measurement import Measurement
from harness.report.html.heatmap import CELLS, CLASSES, heat


def test_the_heat_map_has_all_classes_in_their_order_where_there_is_room():
    shown = heat(regressed())
    assert shown.classes == [("cat", 40), ("dog", 7)]
    assert [index for index, _ in shown.rows] == [1, 2]
    assert shown.rows[1][1] == pytest.approx([-0.02, -0.02])
    assert (shown.classes_left, shown.cells_left) == (0, 0)


def test_a_large_heat_map_keeps_what_lost_most():
    names = [f"class {n}" for n in range(60)]
    before = result(FP32, measured=scored(FP32, per_class=dict.fromkeys(names, 0.5)))
    cells = [before]
    for number in range(50):
        cell = dataclasses.replace(INT8, precision=f"int8:{number}")
        ap = {name: 0.5 - 0.001 * number - 0.0001 * n for n, name in enumerate(names)}
        cells.append(result(cell, measured=scored(cell, per_class=ap)))
    shown = heat(cells)
    assert (len(shown.classes), len(shown.rows)) == (CLASSES, CELLS)
    assert (shown.classes_left, shown.cells_left) == (60 - CLASSES, 50 - CELLS)
    assert shown.classes[0][0] == "class 59"
    assert shown.rows[0][0] == 50


def test_a_cell_that_was_not_scored_is_no_loss():
    absent = result(INT8, "unavailable", measured=Measurement(INT8, failure=("unavailable", "no runtime")))
    assert heat([result(FP32), absent]) is None
    assert heat([result(FP32)]) is None
