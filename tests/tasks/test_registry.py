"""What a task is scored by: masks and key points that are some, and the area of an object."""

from __future__ import annotations

import dataclasses

import pytest
from builders import coco, dataset

from harness import ConfigError
from harness.inputs.datasets.loading import load_scored
from harness.tasks.registry import of_task

TRIANGLE = [[0, 0, 20, 0, 0, 20]]
RUNS = {"size": [100, 200], "counts": [100, 50, 19850]}


def with_rows(*changes):
    made = dataset(1, [(1, 10, (0, 0, 20, 20)) for _ in changes])
    rows = [{**row, **change} for row, change in zip(made.annotations, changes, strict=True)]
    return dataclasses.replace(made, annotations=rows)


def test_an_area_that_the_source_gave_stays():
    made = with_rows({"segmentation": TRIANGLE, "keypoints": [1, 1, 2], "area": 7.5})
    assert [of_task(made, task).annotations[0]["area"] for task in ("detect", "segment", "pose")] == [7.5] * 3


def test_an_area_that_it_did_not_give_is_that_of_what_is_scored():
    both = {"area_of_box": True, "keypoints": [1, 1, 2]}
    made = with_rows({**both, "segmentation": TRIANGLE}, {**both, "segmentation": RUNS})
    assert [row["area"] for row in of_task(made, "detect").annotations] == [400, 400]
    assert [row["area"] for row in of_task(made, "segment").annotations] == [pytest.approx(200, abs=20), 50]
    assert [row["area"] for row in of_task(made, "pose").annotations] == pytest.approx([212, 212])
    back = of_task(of_task(made, "segment"), "detect")
    assert back.digest == made.digest
    assert back.annotations[0]["area"] == 400


def test_a_coco_file_need_not_give_areas(tmp_path):
    rows = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, 11, 2, 1, 22]]}]
    made = load_scored(coco(tmp_path, annotations=rows))
    assert made.annotations[0]["area"] == 200
    assert of_task(made, "segment").annotations[0]["area"] == pytest.approx(100, abs=12)


@pytest.mark.parametrize("shape", [[], None, [[]], [[1, 2]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], {"counts": "a"}])
def test_what_is_no_mask_is_told(shape):
    made = with_rows({"segmentation": TRIANGLE}, {"segmentation": shape})
    with pytest.raises(ConfigError, match=r"1 of 2 objects have no masks .*\(first: image 1\)"):
        of_task(made, "segment")


@pytest.mark.parametrize("unknown", [{}, {"keypoints": None}, {"keypoints": []}])
def test_objects_without_key_points_stay_to_be_ignored(unknown):
    made = with_rows({"keypoints": [1, 1, 2, 3, 3, 1]}, unknown)
    assert of_task(made, "pose").annotations[1]["keypoints"] == [0] * 6


def test_a_data_set_without_any_key_points_scores_no_pose():
    with pytest.raises(ConfigError, match="none of its 2 objects has key points"):
        of_task(with_rows({}, {}), "pose")


def test_objects_of_another_number_of_key_points_are_told():
    with pytest.raises(ConfigError, match=r"have \[1, 2\] key points, not all as many"):
        of_task(with_rows({"keypoints": [1, 1, 2]}, {"keypoints": [1, 1, 2, 1, 1, 2]}), "pose")
