"""The tasks by name, and a data set as each of them sees it: its ground truth, and the area of its objects."""

from __future__ import annotations

import dataclasses

import pytest
from builders import coco, dataset

from harness import ConfigError
from harness.inputs.datasets.loading import load_scored
from harness.tasks.registry import TASKS, of_task, task

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


def test_a_task_is_known_by_the_name_that_ultralytics_gives_it():
    assert list(TASKS) == ["detect", "segment", "pose"]
    assert [task(name).name for name in TASKS] == list(TASKS)


def test_an_unknown_task_is_one_line_with_the_known_ones():
    with pytest.raises(ConfigError) as raised:
        task("obb")
    assert str(raised.value) == "the model is for the task 'obb'; quantgate scores detect, segment, pose"
    with pytest.raises(ConfigError, match="'obb'"):
        of_task(dataset(1), "obb")


def test_a_data_set_of_the_task_is_returned_as_it_is():
    made = dataset(1)
    assert of_task(made, "detect") is made


@pytest.mark.parametrize(
    ("name", "truth", "sigmas"),
    [("segment", "segmentation", ()), ("pose", "keypoints", (0.1,)), ("detect", "bbox", ())],
)
def test_a_data_set_is_scored_by_the_entry_and_the_sigmas_of_the_task(name, truth, sigmas):
    made = with_rows({"segmentation": TRIANGLE, "keypoints": [1, 1, 2]})
    made = dataclasses.replace(made, task="another", truth="another", sigmas=(0.1,))
    seen = of_task(made, name)
    assert (seen.task, seen.truth, seen.sigmas, seen.images) == (name, truth, sigmas, made.images)
