"""Average precision over 101 recalls: of one list of detections, and of many lists at once."""

from __future__ import annotations

import numpy as np
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.accuracy.interpolated_precision import (
    RECALLS,
    interpolated_ap,
    interpolated_aps,
    thresholds_reached,
)


def ap(*correct: bool, positives: int) -> float:
    return interpolated_ap(np.array(correct, bool), positives)


def ap_from_true_positives(correct, positives):
    """The AP of one list by the function for many lists."""
    hits = np.flatnonzero(correct)
    true, total = np.arange(1, len(hits) + 1, dtype=np.int32), (hits + 1).astype(np.int32)
    return interpolated_aps(true[None], total[None], thresholds_reached(np.array([positives]))).item()


def pycocotools_ap(correct, positives):
    """The inner loop of COCOeval.accumulate, line by line."""
    true = np.cumsum(correct).astype(float)
    recall, precision = true / positives, (true / (np.arange(len(true)) + 1 + np.spacing(1))).tolist()
    for i in range(len(true) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    reached = np.searchsorted(recall, RECALLS, side="left")
    return np.mean([precision[at] if at < len(true) else 0 for at in reached])


def test_a_perfect_list_has_ap_1_and_an_empty_one_0():
    assert ap(True, True, positives=2) == 1
    assert ap(positives=3) == 0
    assert ap(False, False, positives=3) == 0


def test_recalls_that_are_never_reached_count_0():
    assert ap(True, positives=2) == pytest.approx(51 / 101)  # the recalls 0, 0.01, …, 0.5


def test_precision_at_a_recall_is_the_best_at_this_recall_or_a_higher_one():
    assert ap(True, False, True, positives=2) == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert ap(False, True, True, positives=2) == pytest.approx(2 / 3)  # not 1 / 2 for the lower recalls


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 20))
@quick
def test_one_list_and_many_lists_give_the_number_of_pycocotools(correct, missed):
    positives = max(1, sum(correct) + missed)
    expected = pytest.approx(pycocotools_ap(correct, positives), abs=1e-12)
    assert ap(*correct, positives=positives) == expected
    assert ap_from_true_positives(correct, positives) == expected


def test_many_lists_are_scored_each_by_its_own_counts():
    true = np.array([[1, 2], [1, 2]], np.int32)
    total = np.array([[1, 2], [1, 4]], np.int32)
    found = interpolated_aps(true, total, thresholds_reached(np.array([2, 2])))
    assert found == pytest.approx([1, (51 + 50 * 0.5) / 101])


@pytest.mark.parametrize("positives", [1, 3, 7, 29, 100, 369])
def test_a_threshold_is_reached_where_the_recall_of_pycocotools_reaches_it(positives):
    (reached,) = thresholds_reached(np.array([positives]))
    numbers = np.arange(positives + 1)
    assert reached[: positives + 1].tolist() == [int((n / positives >= RECALLS).sum()) for n in numbers]


def test_lists_without_ground_truth_do_not_disturb_the_others():
    reached = thresholds_reached(np.array([0, 2]))
    assert reached.shape == (2, 4)
    assert reached[1, :3].tolist() == [1, 51, 101]
