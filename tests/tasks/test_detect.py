"""Boxes need nothing that other tasks add, and the area of an object without one is the area of its box."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections

from harness.core.metrics import METRICS
from harness.tasks.base import Candidates, Content, OutputLayout
from harness.tasks.detect import COCO_STATS, Detect, box_area, sized
from harness.tasks.preprocess import fit

DETECT = Detect()
CAT, DOG = (20, 10, 60, 40, 0.9, 0), (5, 5, 9, 9, 0.5, 1)


def test_any_file_and_any_data_set_will_do():
    DETECT.check(Content(None))
    DETECT.expect(dataset(1), Content(80))
    assert DETECT.finds(Content(80)) == ""


def test_an_output_has_nothing_behind_its_classes():
    assert DETECT.extra(Content(80), [(1, 84, 8400), (1, 32, 160, 160)]) == (0, None)


def test_a_detection_has_nothing_besides_its_box():
    boxes, none = np.zeros((1, 4), np.float32), np.zeros((1, 0), np.float32)
    chosen = Candidates(boxes, np.ones(1, np.float32), np.zeros(1, np.int64), none)
    read = OutputLayout("raw", 0, 2)
    assert DETECT.shape(chosen, boxes, [], 0, read, fit(64, 64, (64, 64)), (64, 64), (64, 64)) == {}


def test_a_box_is_scored_by_its_own_area():
    assert DETECT.annotation(dataset(1).images[0], detections(CAT), 0, [20, 10, 40, 30]) == {
        "bbox": [20, 10, 40, 30], "area": 1200
    }  # fmt: skip


def test_an_area_that_the_source_gave_stays_and_another_is_computed_anew():
    rows = [{"bbox": [1, 2, 10, 20], "area": 123.5}, {"bbox": [1, 2, 10, 20], "area": 7.0, "area_of_box": True}]
    assert [box_area(row) for row in rows] == [200, 200]
    assert [sized(row, lambda _: 200)["area"] for row in rows] == [123.5, 200]
    assert sized(rows[0], pytest.fail) is rows[0], "what was given is not computed"
    assert rows[1]["area"] == 7.0  # the annotation itself is left alone
    made = dataclasses.replace(dataset(1), annotations=rows)
    assert [row["area"] for row in DETECT.ground_truth(made)] == [123.5, 200]


def test_key_points_have_no_sigmas_and_coco_nothing_to_ignore():
    posed = dataclasses.replace(dataset(1), sigmas=(0.1,))
    assert DETECT.declared_sigmas(posed) == ()
    assert DETECT.oks_sigmas(posed) is None
    rows = [{"bbox": [1, 2, 3, 4]}]
    DETECT.counted(rows)
    assert rows == [{"bbox": [1, 2, 3, 4]}]


def test_nothing_is_stored_besides_boxes_scores_and_classes():
    found = [detections(CAT, DOG), detections()]
    assert DETECT.pack(found) == {}
    assert DETECT.unpack({}, found) == found


@pytest.mark.parametrize("name", COCO_STATS)
def test_every_number_of_coco_is_a_metric(name):
    assert METRICS[name].phase == "accuracy"
