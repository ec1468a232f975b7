"""Detections on disk: found again as they were, and told apart by what was found and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections
from coco import random_task

from harness.measure.accuracy.detections_file import (
    detections_digest,
    load_detections,
    save_detections,
    stored_class_names,
)

CAT = (20, 10, 60, 40, 0.9, 0)
DOG = (0, 0, 9, 9, 0.5, 1)


def test_what_was_saved_is_loaded_by_image(tmp_path):
    found = [detections(CAT), detections(), detections(CAT, DOG)]
    save_detections(tmp_path / "d.npz", dataset(3), found, ["cat", "dog"])
    loaded = load_detections(tmp_path / "d.npz")
    assert [len(one.scores) for one in loaded] == [1, 0, 2]
    assert np.array_equal(loaded[2].boxes, found[2].boxes)
    assert loaded[2].classes.tolist() == [0, 1]
    assert detections_digest(loaded) == detections_digest(found)
    assert stored_class_names(tmp_path / "d.npz") == ["cat", "dog"]
    with np.load(tmp_path / "d.npz") as stored:
        assert stored["image_ids"].tolist() == [1, 2, 3]


def test_a_torn_file_is_no_such_file(tmp_path):
    file = tmp_path / "d.npz"
    save_detections(file, dataset(3), [detections(CAT), detections(), detections(DOG)], ["cat", "dog"])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"d\.npz"):
        load_detections(file)


def test_nothing_at_all_can_be_saved(tmp_path):
    save_detections(tmp_path / "d.npz", dataset(1), [detections()], ["cat"])
    assert [len(one.scores) for one in load_detections(tmp_path / "d.npz")] == [0]


def test_the_order_within_an_image_does_not_matter_and_the_image_does():
    assert detections_digest([detections(CAT, DOG)]) == detections_digest([detections(DOG, CAT)])
    assert detections_digest([detections(CAT), detections()]) != detections_digest([detections(), detections(CAT)])


def test_the_last_bit_of_a_score_matters():
    nudged = (*CAT[:4], float(np.nextafter(np.float32(0.9), np.float32(1))), 0)
    assert detections_digest([detections(CAT)]) != detections_digest([detections(nudged)])


@pytest.mark.parametrize("task", ["segment", "pose"])
def test_masks_and_key_points_are_kept_and_told_apart(tmp_path, task):
    made, found = random_task(task, 1)
    found[2] = dataclasses.replace(
        detections(), **({"masks": ()} if task == "segment" else {"points": np.zeros((0, 3, 3), np.float32)})
    )
    save_detections(tmp_path / "d.npz", made, found, ["thing"])
    loaded = load_detections(tmp_path / "d.npz")
    assert detections_digest(loaded) == detections_digest(found)
    assert detections_digest(loaded) != detections_digest(
        [dataclasses.replace(one, masks=None, points=None) for one in found]
    )
    moved = {"masks": tuple(reversed(found[0].masks or ()))} if task == "segment" else {"points": found[0].points + 1}
    assert detections_digest([dataclasses.replace(found[0], **moved)]) != detections_digest(found[:1])
