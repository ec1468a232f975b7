"""mAP is pycocotools' own, also where pycocotools stumbles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections, quick
from coco import NAMES, ap_by_class, by_pycocotools, random_case, random_task
from hypothesis import given
from hypothesis import strategies as st

from harness import ConfigError
from harness.measure.accuracy.coco import at_confidence, coco_annotations, evaluate, known_classes
from harness.tasks.detect import COCO_STATS
from harness.tasks.pose import Pose
from harness.tasks.registry import of_task

CAT = (1, 10, (20, 10, 40, 30))  # image 1, category 10, box
ON_CAT = (20, 10, 60, 40, 0.9, 0)


def scores(made, found, names):
    """The numbers of all classes, and AP by class."""
    whole = evaluate(made, found, names)
    return whole.metrics, whole.per_class


@given(st.integers(0, 2**32), st.booleans())
@quick
def test_the_twelve_numbers_are_those_of_pycocotools(seed, crowd):
    made, found = random_case(seed, crowd=crowd)
    metrics, _ = scores(made, found, NAMES)
    expected = [None if value < 0 else value for value in by_pycocotools(made, found)]
    assert list(metrics) == list(COCO_STATS)
    assert list(metrics.values()) == [value if value is None else pytest.approx(value, abs=1e-12) for value in expected]


@pytest.mark.parametrize(("task", "names"), [("segment", COCO_STATS), ("pose", Pose.stats)])
@given(st.integers(0, 2**32), st.booleans())
@quick
def test_masks_and_key_points_are_scored_as_pycocotools_does(task, names, seed, crowd):
    made, found = random_task(task, seed, crowd=crowd)
    metrics, _ = scores(made, found, NAMES)
    expected = dict(zip(names, by_pycocotools(made, found), strict=True))
    for name in COCO_STATS:
        value = expected.get(name, -1)
        assert metrics[name] == (None if value < 0 else pytest.approx(value, abs=1e-12))
    boxes = by_pycocotools(of_task(made, "detect"), found)
    assert metrics["box_map"] == pytest.approx(boxes[0], abs=1e-12)


def test_objects_that_coco_ignores_are_no_instances():
    made = dataset(1, [CAT, CAT])
    rows = [{**row, "keypoints": points} for row, points in zip(made.annotations, ([9, 9, 2], [0, 0, 0]), strict=True)]
    posed = of_task(dataclasses.replace(made, annotations=rows), "pose")
    found = [dataclasses.replace(detections(ON_CAT), points=np.array([[[9, 9, 1]]], np.float32))]
    assert evaluate(posed, found, NAMES).instances == {"cat": 1, "dog": 0}


def test_key_points_may_have_sigmas_of_their_own():
    made = dataset(1, [(1, 10, (0, 0, 100, 100))])
    rows = [{**row, "keypoints": [10, 10, 2]} for row in made.annotations]
    found = [dataclasses.replace(detections((0, 0, 100, 100, 0.9, 0)), points=np.array([[[20, 10, 1]]], np.float32))]
    reached = {}
    for sigma in (0.03, 0.1):
        posed = of_task(dataclasses.replace(made, annotations=rows, sigmas=(sigma,)), "pose")
        reached[sigma] = evaluate(posed, found, NAMES).metrics["map_50"]
    # OKS = exp(−d² / (2 · area · (2 sigma)²)): 0.25 and 0.88
    assert reached == {0.03: 0, 0.1: pytest.approx(1)}


def test_the_17_points_of_a_person_have_cocos_sigmas_and_others_one_for_all():
    def half_off(points):
        row = {"keypoints": [10.0, 10.0, 2] * points, "segmentation": []}
        made = dataset(1, [(1, 10, (0, 0, 20, 20))])
        made = of_task(dataclasses.replace(made, annotations=[{**made.annotations[0], **row}]), "pose")
        moved = np.full((1, points, 3), (13, 10, 1), np.float32)
        return evaluate(made, [dataclasses.replace(detections((0, 0, 20, 20, 0.9, 0)), points=moved)], NAMES).metrics

    assert half_off(17)["map"] < half_off(2)["map"] == pytest.approx(1)


@given(st.integers(0, 2**32), st.booleans())
@quick
def test_ap_by_class_is_that_of_pycocotools(seed, crowd):
    made, found = random_case(seed, crowd=crowd)
    _, per_class = scores(made, found, NAMES)
    known = {name: value for name, value in per_class.items() if value is not None}
    assert known == pytest.approx(ap_by_class(made, found, NAMES), abs=1e-12)


def test_map_is_the_mean_over_classes():
    made, found = random_case(7)
    metrics, per_class = scores(made, found, NAMES)
    assert np.mean(list(per_class.values())) == pytest.approx(metrics["map"], abs=1e-12)


def test_a_perfect_detector_reaches_1():
    metrics, per_class = scores(dataset(1, [CAT]), [detections(ON_CAT)], NAMES)
    assert [metrics["map"], metrics["mar_100"]] == pytest.approx([1, 1])
    assert per_class == {"cat": pytest.approx(1), "dog": None}


def test_zero_detections_score_0():
    metrics, per_class = scores(dataset(2, [CAT]), [detections(), detections()], NAMES)
    assert metrics["map"] == metrics["map_50"] == metrics["mar_100"] == 0.0
    assert per_class["cat"] == 0.0


def test_what_has_no_ground_truth_is_none_and_lowers_nothing():
    metrics, per_class = scores(dataset(1, [CAT]), [detections(ON_CAT, (0, 0, 9, 9, 0.9, 1))], NAMES)
    assert metrics["map"] == pytest.approx(1)
    assert metrics["map_small"] is None
    assert metrics["map_large"] is None
    assert per_class["dog"] is None


def test_a_data_set_without_any_object_has_no_map():
    metrics, per_class = scores(dataset(2), [detections(ON_CAT), detections()], NAMES)
    assert set(metrics.values()) == {None}
    assert per_class == {"cat": None, "dog": None}


def test_false_alarms_on_images_without_objects_count():
    alarm = (20, 10, 60, 40, 0.95, 0)
    made = dataset(2, [CAT])
    assert scores(made, [detections(ON_CAT), detections(alarm)], NAMES)[0]["map"] == pytest.approx(0.5)


def test_a_detection_inside_a_crowd_region_is_no_false_alarm():
    made = dataset(1, [CAT, (1, 10, (80, 10, 100, 80))])
    found = [detections(ON_CAT, (100, 20, 120, 40, 0.95, 0))]
    assert scores(made, found, NAMES)[0]["map"] < 0.5
    made.annotations[1]["iscrowd"] = 1
    assert scores(made, found, NAMES)[0]["map"] == pytest.approx(1)


def test_an_annotation_with_id_0_is_matched_like_any_other():
    made = dataset(1, [CAT])
    made.annotations[0]["id"] = 0
    assert scores(made, [detections(ON_CAT)], NAMES)[0]["map"] == pytest.approx(1)


def test_classes_are_matched_by_name_in_any_order_and_case():
    made = dataset(1, [CAT])
    assert scores(made, [detections((*ON_CAT[:5], 2))], ["bird", "Dog", " CAT "])[0]["map"] == pytest.approx(1)


def test_classes_that_the_data_set_does_not_have_are_ignored():
    found = [detections(ON_CAT, (20, 10, 60, 40, 0.99, 1))]
    assert scores(dataset(1, [CAT], names=["cat"]), found, ["cat", "unicorn"])[0]["map"] == pytest.approx(1)


def test_a_model_that_knows_no_class_of_the_data_set_is_one_line():
    with pytest.raises(ConfigError, match=r"dataset made: none of its classes \(cat, dog, …\).*\(unicorn, …\)"):
        scores(dataset(1, [CAT]), [detections()], ["unicorn"])


def test_the_caller_s_annotations_stay_as_they_were():
    made = dataset(1, [CAT])
    before = [dict(row) for row in made.annotations]
    scores(made, [detections(ON_CAT)], NAMES)
    assert list(made.annotations) == before


def test_the_size_of_a_data_set_and_of_the_detections_must_agree():
    with pytest.raises(ValueError, match="zip"):
        scores(dataclasses.replace(dataset(2, [CAT])), [detections()], NAMES)


# At the operating threshold


def at_threshold(found, conf, annotations=(CAT,)):
    return at_confidence(evaluate(dataset(1, annotations), [found], NAMES).ranks, conf)


def test_recall_and_f1_count_what_is_above_the_threshold():
    found = detections(ON_CAT, (100, 10, 140, 40, 0.5, 0))  # one right, one wrong
    assert at_threshold(found, 0.6) == {"recall_op": 1, "f1_op": 1}
    assert at_threshold(found, 0.5) == {"recall_op": 1, "f1_op": pytest.approx(2 / 3)}
    assert at_threshold(found, 0.95) == {"recall_op": 0, "f1_op": 0}


def test_they_are_taken_over_all_classes_together():
    dog = (1, 11, (100, 10, 40, 30))
    assert at_threshold(detections(ON_CAT), 0.25, [CAT, dog])["recall_op"] == 0.5


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong():
    made = dataset(1, [CAT, (1, 10, (80, 10, 100, 80))])
    made.annotations[1]["iscrowd"] = 1
    found = [detections(ON_CAT, (100, 20, 120, 40, 0.95, 0))]
    assert at_confidence(evaluate(made, found, NAMES).ranks, 0.25) == {"recall_op": 1, "f1_op": 1}


def test_without_ground_truth_there_is_neither_recall_nor_f1():
    assert at_threshold(detections(ON_CAT), 0.25, []) == {"recall_op": None, "f1_op": None}


# What pycocotools gets


def test_class_indices_are_mapped_to_category_ids_by_name():
    assert known_classes(dataset(1), ["bird", " DOG"]) == {1: 11}


def test_detections_become_annotations_with_ids_from_1_and_boxes_by_width_and_height():
    found = [detections(), detections(ON_CAT, (0, 0, 9, 9, 0.5, 1))]
    (row,) = coco_annotations(dataset(2), found, {0: 10})
    assert row == {
        "id": 1, "image_id": 2, "category_id": 10, "score": pytest.approx(0.9), "iscrowd": 0,
        "bbox": [20, 10, 40, 30], "area": 1200,
    }  # fmt: skip
