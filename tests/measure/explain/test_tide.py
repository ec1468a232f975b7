"""Every wrong detection has one type, and what a type costs is what AP gains when an oracle puts it right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections, quick
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.accuracy.coco import evaluate
from harness.measure.explain.tide import TYPES, Errors, average_precision, compared, errors, judge_detections

NAMES = ("cat", "dog")
CATEGORIES = {0: 10, 1: 11}
CAT = (1, 10, (20, 10, 40, 40))  # image 1, category 10, box
CAT_2 = (1, 10, (20, 55, 40, 40))
DOG = (1, 11, (120, 10, 40, 40))


def on(annotation, score=0.9, label=0, height=40):
    """A detection over the upper part of an object of 40 × 40: its IoU is height / 40."""
    x, y, width, _ = annotation[2]
    return (x, y, x + width, y + height, score, label)


def of(annotations, *rows):
    return errors(dataset(1, annotations), [detections(*rows)], CATEGORIES)


def numbers(**known):
    """One number for each type, 0 for those not named."""
    return {kind: known.get(kind, 0) for kind in TYPES}


def costs(**known):
    return pytest.approx(numbers(**known), abs=1e-12)


def scene(seed, images=4):
    """Objects that overlap, detections on, beside and off them, equal scores, crowds, images in any order."""
    draw = np.random.default_rng(seed)
    annotations, found = [], []
    for image in range(1, images + 1):
        objects = draw.integers(0, 7)
        boxes = np.concatenate([draw.uniform(0, 90, (objects, 2)), draw.uniform(8, 80, (objects, 2))], axis=1)
        labels = draw.integers(0, 2, objects)
        annotations += [(image, 10 + int(label), box.tolist()) for box, label in zip(boxes, labels, strict=True)]
        seen = np.repeat(np.arange(objects), 4)
        near = boxes[seen] + draw.normal(0, 1, (len(seen), 4)) * draw.choice([1, 6, 20], (len(seen), 1))
        away = np.concatenate([draw.uniform(0, 150, (3, 2)), draw.uniform(4, 40, (3, 2))], axis=1)
        placed = np.concatenate([near, away])
        corners = np.concatenate([placed[:, :2], placed[:, :2] + np.abs(placed[:, 2:]) + 1], axis=1)
        called = np.append(np.where(draw.random(len(seen)) < 0.3, 1 - labels[seen], labels[seen]), [0, 1, 1])
        found.append(detections(*np.column_stack([corners, draw.random(len(corners)).round(2), called])))
    made = dataset(images, annotations)
    for row in made.annotations:
        row["iscrowd"] = int(draw.random() < 0.2)
    order = draw.permutation(images)
    return dataclasses.replace(made, images=tuple(made.images[i] for i in order)), [found[i] for i in order]


# AP is COCO's


@given(st.integers(0, 2**32))
@quick
def test_ap_is_that_of_pycocotools(seed):
    made, found = scene(seed)
    expected = evaluate(made, found, NAMES).metrics["map_50"]
    assert errors(made, found, CATEGORIES).ap == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_the_best_100_of_a_class_in_an_image_count():
    rows = [(100, 60, 110, 70, 0.5 + k / 1000, 0) for k in range(120)]
    made, found = dataset(1, [CAT, DOG]), [detections(*rows, on(CAT, 0.6), on(DOG, 0.1, label=1))]
    result = errors(made, found, CATEGORIES)
    assert result.counts == numbers(background=99)
    assert result.ap == pytest.approx(evaluate(made, found, NAMES).metrics["map_50"], abs=1e-9)


def test_between_two_objects_that_it_overlaps_alike_a_detection_gets_the_one_that_pycocotools_gives_it():
    made = dataset(1, [(1, 10, (20, 10, 40, 40)), (1, 10, (40, 10, 40, 40))])
    found = [detections((30, 10, 70, 50, 0.9, 0), (40, 10, 80, 50, 0.8, 0))]
    assert evaluate(made, found, NAMES).metrics["map_50"] == pytest.approx(51 / 101)
    assert errors(made, found, CATEGORIES).ap == pytest.approx(51 / 101)


# What a detection is


def test_a_perfect_detector_makes_no_error():
    assert of([CAT, DOG], on(CAT), on(DOG, label=1)) == Errors(pytest.approx(1), numbers(), costs())


@pytest.mark.parametrize(
    ("iou", "right_class", "wrong_class"),
    [
        (1.0, None, "classification"),
        (0.5, None, "classification"),
        (0.475, "localization", "both"),
        (0.1, "localization", "both"),
        (0.075, "background", "background"),
    ],
)
def test_overlap_and_class_decide(iou, right_class, wrong_class):
    for label, expected in enumerate((right_class, wrong_class)):
        counts = dict(of([CAT], on(CAT, label=label, height=40 * iou)).counts)
        missed = counts.pop("missed")
        assert [kind for kind, number in counts.items() if number] == ([expected] if expected else [])
        assert missed == (expected in ("both", "background"))


def test_the_second_detection_of_an_object_is_a_duplicate_whatever_it_overlaps_better():
    assert of([CAT], on(CAT, 0.9, height=30), on(CAT, 0.8)).counts == numbers(duplicate=1)


def test_what_overlaps_two_objects_is_first_a_localization_error_then_a_classification_error():
    dog_on_cat = (1, 11, CAT[2])
    assert of([CAT, dog_on_cat], on(CAT, 0.9), on(CAT, 0.9, 1), on(CAT, 0.8)).counts == numbers(classification=1)
    shifted = (1, 10, (20, 42, 40, 40))
    assert of([dog_on_cat, shifted], (20, 10, 60, 50, 0.9, 0)).counts == numbers(localization=1, missed=1)


def test_an_object_is_missed_unless_an_error_of_its_class_or_place_is_on_it():
    assert of([CAT, DOG], on(CAT, height=10)).counts == numbers(localization=1, missed=1)
    assert of([CAT, DOG], on(CAT, label=1)).counts == numbers(classification=1, missed=1)
    assert of([CAT, DOG], on(CAT, label=1, height=10)).counts == numbers(both=1, missed=2)


# What it costs


def test_a_classification_error_becomes_a_match_of_the_right_class():
    result = of([CAT, DOG], on(CAT, 0.9), on(DOG, 0.95, label=0))
    assert result == Errors(pytest.approx((0.5 + 0) / 2), numbers(classification=1), costs(classification=0.75))


def test_a_localization_error_becomes_a_match():
    result = of([CAT], on(CAT, height=16))
    assert result == Errors(0, numbers(localization=1), costs(localization=1))


@pytest.mark.parametrize(("label", "height", "kind"), [(0, 16, "localization"), (1, 40, "classification")])
def test_an_error_on_an_object_that_is_matched_is_removed(label, height, kind):
    found = [on(CAT, 0.5), on(DOG, 0.5, label=1), on(CAT, 0.95, label, height)]
    assert of([CAT, DOG], *found) == Errors(pytest.approx(0.75), numbers(**{kind: 1}), costs(**{kind: 0.25}))
    result = of([CAT, CAT_2, DOG], *found)
    assert result.ap + result.cost[kind] == pytest.approx((51 / 101 + 1) / 2)  # the other cat stays missed


def test_of_two_errors_on_an_object_the_better_becomes_the_match_and_the_other_is_removed():
    result = of([CAT, CAT_2], on(CAT, 0.9, height=12), on(CAT, 0.8, height=16))
    assert result == Errors(0, numbers(localization=2, missed=1), costs(localization=51 / 101))


def test_errors_of_two_types_on_an_object_are_put_right_each_on_its_own():
    made, found = dataset(1, [CAT]), [detections(on(CAT, 0.9, height=16), on(CAT, 0.8, label=1))]
    assert errors(made, found, CATEGORIES) == Errors(
        0, numbers(localization=1, classification=1), costs(localization=1, classification=0.5)
    )
    both = average_precision(judge_detections(made, found, CATEGORIES), ["localization", "classification"])
    assert both == pytest.approx(1)


def test_a_duplicate_is_removed():
    before = (51 * 1 + 50 * 2 / 3) / 101  # of the recalls 0, 0.01, …, 1 the first object reaches 51
    result = of([CAT, CAT_2], on(CAT, 0.9), on(CAT, 0.8), on(CAT_2, 0.7))
    assert result == Errors(pytest.approx(before), numbers(duplicate=1), costs(duplicate=1 - before))


def test_a_detection_on_the_background_is_removed():
    result = of([CAT], on(CAT, 0.9), (100, 60, 110, 70, 0.95, 0))
    assert result == Errors(pytest.approx(0.5), numbers(background=1), costs(background=0.5))


def test_a_detection_of_the_wrong_class_in_the_wrong_place_is_removed():
    result = of([CAT, DOG], on(CAT, 0.9), on(DOG, 0.9, label=1), on(DOG, 0.95, label=0, height=16))
    assert result == Errors(pytest.approx(0.75), numbers(both=1), costs(both=0.25))


def test_a_missed_object_is_no_longer_asked_for():
    assert of([CAT, CAT_2], on(CAT)) == Errors(pytest.approx(51 / 101), numbers(missed=1), costs(missed=50 / 101))


def test_a_class_of_which_every_object_is_missed_leaves_the_mean():
    assert of([CAT, DOG], on(CAT)) == Errors(pytest.approx(0.5), numbers(missed=1), costs(missed=0.5))


@given(st.integers(0, 2**32))
@quick
def test_no_cost_is_negative_and_when_everything_is_put_right_ap_is_1(seed):
    made, found = scene(seed)
    result = errors(made, found, CATEGORIES)
    if result.ap is not None:
        assert all(cost is None or cost > -1e-12 for cost in result.cost.values())
        assert average_precision(judge_detections(made, found, CATEGORIES), TYPES) in (
            None,
            pytest.approx(1, abs=1e-12),
        )


# Crowds


def crowd(annotations, *rows):
    """The last annotation is a crowd."""
    made = dataset(1, annotations)
    made.annotations[-1]["iscrowd"] = 1
    return errors(made, [detections(*rows)], CATEGORIES)


def test_a_detection_that_lies_to_one_half_in_a_crowd_of_its_class_is_no_error():
    region = (1, 10, (100, 0, 100, 100))
    inside, half, outside = ((x, 20, x + 20, 40, 0.95, 0) for x in (120, 90, 89))
    assert crowd([CAT, region], on(CAT), inside, half) == Errors(pytest.approx(1), numbers(), costs())
    assert crowd([CAT, region], on(CAT), outside) == Errors(
        pytest.approx(0.5), numbers(background=1), costs(background=0.5)
    )


def test_a_crowd_excuses_no_other_class():
    assert crowd([CAT, (1, 11, (100, 0, 100, 100))], (120, 20, 140, 40, 0.9, 0)).counts == numbers(
        background=1, missed=1
    )


def test_a_match_in_a_crowd_is_a_match_and_a_duplicate_there_is_ignored():
    assert crowd([CAT, (1, 10, (0, 0, 100, 100))], on(CAT, 0.9), on(CAT, 0.8)) == Errors(
        pytest.approx(1), numbers(), costs()
    )


def test_nobody_misses_a_crowd():
    assert crowd([CAT, CAT_2], on(CAT)).counts == numbers()


# Nothing to look at


def test_where_nothing_is_found_everything_is_missed_and_then_nothing_is_left_to_ask_for():
    assert of([CAT, DOG]) == Errors(0, numbers(missed=2), {**numbers(), "missed": None})


def test_without_ground_truth_there_is_no_ap_but_there_are_errors():
    assert of([], on(CAT)) == Errors(None, numbers(background=1), dict.fromkeys(TYPES))
    assert crowd([DOG], on(CAT)) == Errors(None, numbers(background=1), dict.fromkeys(TYPES))
    assert of([]) == Errors(None, numbers(), dict.fromkeys(TYPES))


def test_classes_that_the_data_set_does_not_have_and_low_scores_do_not_count():
    made, found = dataset(1, [CAT]), [detections(on(CAT, 0.5), on(CAT, 0.9, label=7), on(CAT, 0.25))]
    assert errors(made, found, CATEGORIES).counts == numbers(duplicate=1)
    assert errors(made, found, CATEGORIES, conf=0.25).counts == numbers(duplicate=1)
    assert errors(made, found, CATEGORIES, conf=0.3).counts == numbers()


def test_every_image_needs_its_detections():
    with pytest.raises(ValueError, match="zip"):
        errors(dataset(2, [CAT]), [detections()], CATEGORIES)


# Two detectors


def test_a_comparison_is_new_less_old_by_type():
    old = of([CAT, CAT_2], on(CAT, 0.9), on(CAT_2, 0.8))
    new = of([CAT, CAT_2], on(CAT, 0.9), on(CAT_2, 0.8, height=16))
    assert compared(old, new) == Errors(pytest.approx(-50 / 101), numbers(localization=1), costs(localization=50 / 101))


def test_a_comparison_with_a_number_that_there_is_not_is_none():
    assert compared(of([CAT], on(CAT)), of([CAT])) == Errors(-1, numbers(missed=1), {**numbers(), "missed": None})
