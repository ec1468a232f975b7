"""Detections against other detections: the same, surviving, shifted, collapsed."""

from __future__ import annotations

import numpy as np
import pytest
from builders import detections

from harness.measure.accuracy.agreement import collapsed, detection_error, matched_share, pairs, survival

CAT = (20, 10, 60, 40, 0.9, 0)
DOG = (100, 10, 140, 40, 0.6, 1)


def scored(row, score):
    return (*row[:4], score, row[5])


def test_pairs_are_one_to_one_of_one_class_the_largest_overlap_first():
    old = detections(CAT, (22, 10, 62, 40, 0.8, 0))
    new = detections((22, 10, 62, 40, 0.7, 0), scored(CAT, 0.1), (20, 10, 60, 40, 0.9, 1))
    assert sorted(pairs(old, new, 0.5)) == [(0, 1), (1, 0)]


def test_equal_detections_are_all_alike():
    assert matched_share([detections(CAT, DOG)], [detections(DOG, CAT)]) == 1.0
    assert matched_share([detections()], [detections()]) == 1.0


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        (scored(CAT, 0.9005), 1.0),  # within a thousandth
        (scored(CAT, 0.902), 0.5),
        ((21, 10, 61, 40, 0.9, 0), 0.5),  # IoU 0.95
        ((*CAT[:5], 1), 0.5),  # another class
    ],
)
def test_a_detection_is_the_same_within_tight_limits(changed, share):
    assert matched_share([detections(CAT, DOG)], [detections(changed, DOG)]) == share


def test_missing_and_additional_detections_are_not_alike():
    assert matched_share([detections(CAT, DOG)], [detections(CAT)]) == 0.5
    assert matched_share([detections(CAT)], [detections(CAT, DOG)]) == 0.5


def test_agreement_is_what_survives_above_the_operating_threshold():
    fp32 = [detections(CAT, DOG, (0, 0, 9, 9, 0.1, 0))]  # the last is below it, and not asked for
    assert survival(fp32, fp32, 0.25) == {"agreement": 1.0, "score_shift": 0.0}
    half = survival(fp32, [detections(CAT)], 0.25)
    assert half["agreement"] == 0.5


def test_collapsed_confidence_shows_in_both():
    fp32 = [detections(CAT, DOG)]
    weak = survival(fp32, [detections(scored(CAT, 0.2), scored(DOG, 0.1))], 0.25)
    assert weak["agreement"] == 0.0
    assert weak["score_shift"] == pytest.approx(-0.6)


def test_where_fp32_finds_nothing_there_is_nothing_to_agree_with():
    assert survival([detections()], [detections(CAT)], 0.25) == {"agreement": None, "score_shift": None}


def test_a_class_collapses_from_above_a_fifth_to_nothing():
    fp32 = {"cat": 0.5, "dog": 0.1, "cow": None, "hen": 0.4}
    assert collapsed(fp32, {"cat": 0.0, "dog": 0.0, "cow": 0.0, "hen": 0.01}) == ["cat"]


ONE = detections([0, 0, 10, 10, 0.8, 0])


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (ONE, 0),
        (detections([0, 0, 10, 9, 0.7, 0]), 0.1),  # from either side the same difference
        (detections(), 0.8),
        (detections([0, 0, 10, 10, 0.8, 1]), 0.8),  # another class: one missing, one too many
        (detections([40, 40, 50, 50, 0.8, 0]), 0.8),  # elsewhere
        (detections([0, 0, 10, 10, 0.8, 0], [40, 40, 50, 50, 0.05, 0]), 0),  # too weak to count
        (detections([0, 0, 10, 10, 0.8, 0], [40, 40, 50, 50, 0.6, 0]), np.sqrt(0.36 / 3)),
    ],
)
def test_the_error_compares_scores_of_the_same_object(other, error):
    assert detection_error([ONE], [other]) == pytest.approx(error)
    assert detection_error([other], [ONE]) == pytest.approx(error)


def test_two_networks_that_see_nothing_agree():
    assert detection_error([detections()], [detections()]) == 0
