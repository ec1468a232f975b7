"""Intersection over union of boxes, and of crowds as pycocotools defines it."""

from __future__ import annotations

import numpy as np
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from harness.measure.accuracy.box_iou import box_iou


def test_boxes_overlap_by_intersection_over_union():
    ours = np.array([[0, 0, 10, 10], [0, 0, 0, 0]], np.float32)
    theirs = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    assert box_iou(ours, theirs)[0] == pytest.approx([1 / 3, 1, 0])
    assert box_iou(ours, theirs)[1].tolist() == [0, 0, 0]


def test_the_matrix_has_a_row_for_each_box_and_a_column_for_each_other_box():
    assert box_iou(np.zeros((2, 4)), np.zeros((3, 4))).shape == (2, 3)
    assert box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
    assert box_iou(np.zeros((2, 4)), np.zeros((0, 4))).shape == (2, 0)


def test_it_computes_in_double_precision():
    box = np.array([[0.1, 0.1, 0.7, 0.7]], np.float32)
    assert box_iou(box, box).dtype == np.float64
    assert box_iou(box, box).item() == 1


def test_boxes_that_touch_and_boxes_without_an_area_do_not_overlap():
    assert box_iou([[0, 0, 10, 10]], [[10, 0, 20, 10]]).item() == 0
    assert box_iou([[5, 5, 5, 5]], [[5, 5, 5, 5]]).item() == 0


def test_the_overlap_with_a_crowd_is_the_share_of_the_box_that_lies_in_it():
    boxes = [[0, 0, 10, 10], [90, 0, 110, 10]]
    region = [[0, 0, 100, 100]]
    assert box_iou(boxes, region, crowds=np.array([True]))[:, 0].tolist() == [1, 0.5]
    assert box_iou(boxes, region, crowds=np.array([False]))[:, 0] == pytest.approx([0.01, 100 / 10100])


def test_given_areas_take_the_place_of_the_areas_of_the_corners():
    assert box_iou([[0, 0, 10, 10]], [[0, 0, 10, 10]], other_areas=np.array([300.0])).item() == pytest.approx(1 / 3)


@given(st.integers(0, 2**32))
@quick
def test_every_digit_is_pycocotools_own(seed):
    draw = np.random.default_rng(seed)
    corners = draw.uniform(0, 100, (5, 2)).astype(np.float32).astype(np.float64)
    sizes = draw.uniform(1, 60, (5, 2)).astype(np.float32).astype(np.float64)
    truths = np.concatenate([draw.uniform(0, 100, (4, 2)), draw.uniform(1, 60, (4, 2))], axis=1)
    crowds = draw.random(4) < 0.3
    expected = mask.iou(np.concatenate([corners, sizes], axis=1), truths, crowds.astype(np.uint8).tolist())
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    others = np.concatenate([truths[:, :2], truths[:, :2] + truths[:, 2:]], axis=1)
    assert np.array_equal(box_iou(boxes, others, truths[:, 2:].prod(axis=1), crowds), expected)
