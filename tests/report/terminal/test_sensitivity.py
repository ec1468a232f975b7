"""The table of a sensitivity sweep, and the sentence below it."""

from __future__ import annotations

import dataclasses

from builders import dataset
from shown import FP32, rendered

from harness.measure.explain.sensitivity import Sensitivity, Split
from harness.report.terminal.sensitivity import explanation, table


def lines(*rows: Sensitivity) -> list[list[str]]:
    return [line.split() for line in rendered([table(rows)], 100).splitlines()[2:]]


def test_the_group_with_the_largest_error_comes_first_whatever_map_says():
    worst, best = Sensitivity("4", 0.2, -0.004, 0.05), Sensitivity("23 cv3.1", 0.1, 0.01, 0.02)
    assert lines(best, worst) == [
        ["4", "20.0%", "0.0500", "−0.0040"],
        ["23", "cv3.1", "10.0%", "0.0200", "+0.0100"],
    ]


def test_a_drop_that_rounds_to_nothing_has_no_sign():
    assert lines(Sensitivity("0", 0.1, -0.00001, 0.02))[0][-1] == "0.0000"


def test_without_groups_the_table_has_its_head_alone():
    assert lines() == []


def test_the_sentence_names_the_cell_and_how_many_images_calibrated_and_judged():
    cell = dataclasses.replace(FP32, imgsz=320)
    said = explanation(cell, Split(dataset(3), dataset(2)))
    assert said.startswith("yolo26n on onnxruntime at 320 px, one group of layers in int8")
    assert "calibrated on 3 images, judged on 2 others" in said
