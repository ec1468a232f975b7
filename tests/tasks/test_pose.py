"""Key points: where the image has them, what they are scored by, and how they are stored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections

from harness import ConfigError
from harness.tasks.base import Candidates, Content, Detections, OutputLayout
from harness.tasks.pose import Pose, points
from harness.tasks.preprocess import fit
from harness.tasks.registry import of_task

SIZE = 64
POSE = Pose()
SAID = Content(1, "pose", (2, 3))
ONE, TWO = [1, 1, 2], [1, 1, 2, 3, 3, 1]
CAT, DOG = (20, 10, 60, 40, 0.9, 0), (5, 5, 9, 9, 0.5, 1)


def labelled(*keypoints, **changes):
    """A data set with one object for each list of key points; without the entry for a list that is `...`."""
    made = dataset(1, [(1, 10, (0, 0, 20, 20)) for _ in keypoints])
    pairs = zip(made.annotations, keypoints, strict=True)
    rows = [row if own is ... else {**row, "keypoints": own} for row, own in pairs]
    return dataclasses.replace(made, annotations=rows, **changes)


def posed(*rows, seed=0):
    """Detections with two key points each."""
    made = detections(*rows)
    drawn = np.random.default_rng(seed).random((len(rows), 2, 3)).astype(np.float32)
    return dataclasses.replace(made, points=drawn)


# Outputs


def test_a_file_that_hides_its_key_points_is_told():
    with pytest.raises(ConfigError, match=r"does not say how many key points it has \(kpt_shape\)"):
        POSE.check(Content(1, "pose"))
    POSE.check(SAID)


def test_key_points_stand_behind_the_classes_and_need_no_other_output():
    assert POSE.extra(SAID, [(1, 11, 84)]) == (6, None)
    assert POSE.finds(SAID) == " and 2 key points"


def test_key_points_come_back_into_the_image_and_are_seen_where_the_model_does_not_say():
    place = fit(128, 64, (SIZE, SIZE))  # half as large, 16 rows of border
    found = points(np.array([[10, 26, 30, 16]], np.float32), (2, 2), place, (128, 64))
    assert found.tolist() == [[[20, 20, 1], [60, 0, 1]]]
    outside = points(np.array([[-5, 0, 0.25]], np.float32), (1, 3), place, (128, 64))
    assert outside.tolist() == [[[0, 0, 0.25]]]
    assert points(np.zeros((0, 6), np.float32), (2, 3), place, (128, 64)).shape == (0, 2, 3)


def test_a_detection_has_the_key_points_of_its_candidate():
    extra = np.array([[10, 26, 0.5, 30, 16, 1.0]], np.float32)
    chosen = Candidates(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), extra)
    read = OutputLayout("raw", 0, 1, extra=6, points=(2, 3), task="pose")
    shaped = POSE.shape(chosen, chosen.boxes, [], 0, read, fit(128, 64, (SIZE, SIZE)), (SIZE, SIZE), (128, 64))
    assert shaped["points"].tolist() == [[[20, 20, 0.5], [60, 0, 1.0]]]


# Ground truth


@pytest.mark.parametrize("unknown", [..., None, []])
def test_objects_without_key_points_stay_to_be_ignored(unknown):
    made = of_task(labelled(TWO, unknown), "pose")
    assert made.annotations[1]["keypoints"] == [0] * 6
    rows = [dict(row) for row in made.annotations]
    POSE.counted(rows)
    assert [row["num_keypoints"] for row in rows] == [2, 0]


def test_a_data_set_without_any_key_points_scores_no_pose():
    with pytest.raises(ConfigError, match="none of its 2 objects has key points"):
        of_task(labelled(..., ...), "pose")


def test_a_data_set_without_objects_scores_any_pose():
    empty = of_task(labelled(), "pose")
    assert empty.annotations == []
    POSE.expect(empty, SAID)


def test_objects_of_another_number_of_key_points_are_told():
    with pytest.raises(ConfigError, match=r"have \[1, 2\] key points, not all as many"):
        of_task(labelled(ONE, TWO), "pose")


def test_a_model_of_another_number_of_key_points_is_told():
    POSE.expect(labelled(TWO), SAID)
    with pytest.raises(ConfigError, match="has 1 key points an object, the model 2; they have to be the same"):
        POSE.expect(labelled(ONE), SAID)


def test_only_labelled_key_points_are_counted():
    rows = [{"keypoints": [1, 1, 0, 2, 2, 1, 3, 3, 2]}]
    POSE.counted(rows)
    assert rows[0]["num_keypoints"] == 2


# How far a key point may be off


def test_the_sigmas_of_the_data_set_come_first():
    made = labelled(TWO, sigmas=(0.025, 0.1))
    assert POSE.declared_sigmas(made) == (0.025, 0.1)
    assert POSE.oks_sigmas(made).tolist() == [0.025, 0.1]


def test_a_person_has_the_sigmas_of_coco_and_others_one_for_all_points():
    assert POSE.oks_sigmas(labelled([1, 1, 2] * 17)) is None
    assert POSE.oks_sigmas(labelled([1, 1, 2] * 4)).tolist() == [0.25] * 4
    assert POSE.oks_sigmas(labelled()) is None


# Scored and stored


def test_a_detection_is_as_large_as_the_box_around_its_key_points():
    own = np.array([[[10, 20, 1], [40, 25, 0.5], [30, 60, 0]]], np.float32)
    found = dataclasses.replace(detections(CAT), points=own)
    assert POSE.annotation(dataset(1).images[0], found, 0, [20, 10, 40, 30]) == {
        "bbox": [20, 10, 40, 30],
        "keypoints": [10, 20, 1, 40, 25, 0.5, 30, 60, 0],
        "area": 30 * 40,
    }


def test_a_detection_without_key_points_is_as_large_as_its_box():
    assert POSE.annotation(dataset(1).images[0], detections(CAT), 0, [20, 10, 40, 30])["area"] == 1200


@pytest.mark.parametrize("rows", [[(CAT, DOG), (), (DOG,)], [(CAT,)], [()], [(), (CAT,)]])
def test_key_points_are_stored_and_come_back_to_their_detections(rows):
    found = [posed(*one, seed=seed) for seed, one in enumerate(rows)]
    back = POSE.unpack(POSE.pack(found), [dataclasses.replace(one, points=None) for one in found])
    assert [same_points(one, other) for one, other in zip(found, back, strict=True)] == [True] * len(rows)


def same_points(one: Detections, other: Detections) -> bool:
    return np.array_equal(one.points, other.points) and one.points.shape == other.points.shape


def test_detections_without_key_points_store_none_and_stay_as_they_are():
    found = [detections(CAT), detections()]
    assert POSE.pack(found) == {}
    assert POSE.unpack({}, found) == found
