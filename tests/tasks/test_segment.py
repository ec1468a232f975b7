"""Masks and key points: where the image has them, in COCO's run lengths."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from harness.tasks.pose import points
from harness.tasks.preprocess import fit
from harness.tasks.segment import encoded, masks

SIZE = 64
WHOLE = np.array([[0, 0, SIZE, SIZE]], np.float32)


def pixels(runs, width, height):
    """[H, W] of run lengths."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 4))
@quick
def test_run_lengths_are_those_of_coco(seed, width, height, left, top):
    window = np.random.default_rng(seed).random((height, width)) < 0.6
    image = np.zeros((height + 4, width + 4), np.uint8)
    image[top : top + height, left : left + width] = window
    runs = encoded(window, left, top, width + 4, height + 4)
    theirs = mask.encode(np.asfortranarray(image))
    assert mask.frPyObjects({"size": theirs["size"], "counts": runs.tolist()}, *image.shape) == theirs


def test_a_mask_is_the_weighted_sum_of_the_prototypes_between_their_pixels():
    draw = np.random.default_rng(0)
    protos, weights = draw.normal(size=(8, 16, 16)).astype(np.float32), draw.normal(size=(1, 8)).astype(np.float32)
    (runs,) = masks(weights, protos, WHOLE, fit(SIZE, SIZE, SIZE), SIZE, (SIZE, SIZE))
    summed = np.tensordot(weights[0], protos, 1)
    enlarged = cv2.resize(summed, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    assert (pixels(runs, SIZE, SIZE) != (enlarged > 0)).mean() < 1e-3  # sums in another order


def test_a_mask_ends_where_its_box_does():
    box = np.array([[10.2, 20, 30.7, 41]], np.float32)
    (runs,) = masks(np.ones((1, 1), np.float32), np.ones((1, 16, 16), np.float32), box, fit(64, 64, 64), 64, (64, 64))
    rows, columns = np.nonzero(pixels(runs, 64, 64))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (11, 30, 20, 40)


@pytest.mark.parametrize(("width", "height"), [(128, 64), (50, 100), (64, 64), (77, 31)])
def test_a_mask_lies_in_the_image_where_the_network_saw_it_in_the_letterbox(width, height):
    place = fit(width, height, SIZE)
    ramp = np.linspace(-1, 1, 16, dtype=np.float32)  # zero in the middle of the input
    protos = np.stack([np.tile(ramp, (16, 1)), np.tile(ramp[:, None], (1, 16))])
    whole = np.array([[0, 0, width, height]] * 2, np.float32)
    right, lower = masks(np.eye(2, dtype=np.float32), protos, whole, place, SIZE, (width, height))
    middle = ((SIZE / 2 - place.left) / place.ratio, (SIZE / 2 - place.top) / place.ratio)
    assert np.array_equal(pixels(right, width, height)[0], np.arange(width) + 0.5 > middle[0])
    assert np.array_equal(pixels(lower, width, height)[:, 0], np.arange(height) + 0.5 > middle[1])


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5.2, 5, 5.8, 9), (63.5, 0, 64, 64), (0, 64, 9, 64)])
def test_a_box_without_a_pixel_has_an_empty_mask(box):
    protos = np.ones((1, 16, 16), np.float32)
    boxes = np.array([box], np.float32)
    (runs,) = masks(np.ones((1, 1), np.float32), protos, boxes, fit(64, 64, 64), 64, (64, 64))
    assert runs.tolist() == [64 * 64]


def test_key_points_come_back_into_the_image_and_are_seen_where_the_model_does_not_say():
    place = fit(128, 64, SIZE)  # half as large, 16 rows of border
    found = points(np.array([[10, 26, 30, 16]], np.float32), (2, 2), place, (128, 64))
    assert found.tolist() == [[[20, 20, 1], [60, 0, 1]]]
    outside = points(np.array([[-5, 0, 0.25]], np.float32), (1, 3), place, (128, 64))
    assert outside.tolist() == [[[0, 0, 0.25]]]
    assert points(np.zeros((0, 6), np.float32), (2, 3), place, (128, 64)).shape == (0, 2, 3)
