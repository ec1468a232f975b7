"""Masks: where the image has them in COCO's run lengths, what they are scored by, and how they are stored."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from builders import dataset, detections, quick
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask

from harness import ConfigError
from harness.tasks.base import Content
from harness.tasks.preprocess import fit
from harness.tasks.registry import of_task
from harness.tasks.run_lengths import encoded
from harness.tasks.segment import Segment, masks

SIZE = 64
SEGMENT = Segment()
TRIANGLE = [[0, 0, 20, 0, 0, 20]]
CAT, DOG = (20, 10, 60, 40, 0.9, 0), (5, 5, 9, 9, 0.5, 1)
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
    (runs,) = masks(weights, protos, WHOLE, fit(SIZE, SIZE, (SIZE, SIZE)), (SIZE, SIZE), (SIZE, SIZE))
    summed = np.tensordot(weights[0], protos, 1)
    enlarged = cv2.resize(summed, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    assert (pixels(runs, SIZE, SIZE) != (enlarged > 0)).mean() < 1e-3  # sums in another order


def test_a_mask_ends_where_its_box_does():
    box = np.array([[10.2, 20, 30.7, 41]], np.float32)
    (runs,) = masks(
        np.ones((1, 1), np.float32), np.ones((1, 16, 16), np.float32), box, fit(64, 64, (64, 64)), (64, 64), (64, 64)
    )
    rows, columns = np.nonzero(pixels(runs, 64, 64))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (11, 30, 20, 40)


@pytest.mark.parametrize(("width", "height"), [(128, 64), (50, 100), (64, 64), (77, 31)])
def test_a_mask_lies_in_the_image_where_the_network_saw_it_in_the_letterbox(width, height):
    place = fit(width, height, (SIZE, SIZE))
    ramp = np.linspace(-1, 1, 16, dtype=np.float32)  # zero in the middle of the input
    protos = np.stack([np.tile(ramp, (16, 1)), np.tile(ramp[:, None], (1, 16))])
    whole = np.array([[0, 0, width, height]] * 2, np.float32)
    right, lower = masks(np.eye(2, dtype=np.float32), protos, whole, place, (SIZE, SIZE), (width, height))
    middle = ((SIZE / 2 - place.left) / place.ratio, (SIZE / 2 - place.top) / place.ratio)
    assert np.array_equal(pixels(right, width, height)[0], np.arange(width) + 0.5 > middle[0])
    assert np.array_equal(pixels(lower, width, height)[:, 0], np.arange(height) + 0.5 > middle[1])


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5.2, 5, 5.8, 9), (63.5, 0, 64, 64), (0, 64, 9, 64)])
def test_a_box_without_a_pixel_has_an_empty_mask(box):
    protos = np.ones((1, 16, 16), np.float32)
    boxes = np.array([box], np.float32)
    (runs,) = masks(np.ones((1, 1), np.float32), protos, boxes, fit(64, 64, (64, 64)), (64, 64), (64, 64))
    assert runs.tolist() == [64 * 64]


# Outputs and ground truth


def test_prototypes_are_the_output_with_four_dimensions_and_say_how_many_coefficients_there_are():
    said = Content(80, "segment")
    assert SEGMENT.extra(said, [(1, 116, 8400), (1, 32, 160, 160)]) == (32, 1)
    assert SEGMENT.extra(said, [(1, 116, 8400)]) is None
    assert SEGMENT.finds(said) == " and mask coefficients"


def labelled(*segmentations):
    """A data set of one image, 200 × 100 pixels, with one object for each segmentation."""
    made = dataset(1, [(1, 10, (0, 0, 20, 20)) for _ in segmentations])
    rows = [{**row, "segmentation": own} for row, own in zip(made.annotations, segmentations, strict=True)]
    return dataclasses.replace(made, annotations=rows)


@pytest.mark.parametrize("shape", [[], None, [[]], [[1, 2]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], {"counts": "a"}])
def test_what_is_no_mask_is_told(shape):
    with pytest.raises(ConfigError, match=r"1 of 2 objects have no masks .*\(first: image 1\)"):
        of_task(labelled(TRIANGLE, shape), "segment")


def test_an_area_that_the_source_did_not_give_is_counted_in_pixels_whatever_the_form_of_the_mask():
    box = np.zeros((100, 200), np.uint8, order="F")
    box[10:20, 30:35] = 1
    coded = mask.encode(box)
    runs = {"size": [100, 200], "counts": encoded(box.astype(bool), 0, 0, 200, 100).tolist()}
    polygon = [30, 10, 35, 10, 35, 20, 30, 20]
    forms = [
        coded, {**coded, "counts": coded["counts"].decode()}, runs, [polygon],
        [polygon, polygon],  # parts that overlap are counted once
    ]  # fmt: skip
    made = labelled(*forms)
    made = dataclasses.replace(made, annotations=[{**row, "area_of_box": True} for row in made.annotations])
    assert [row["area"] for row in SEGMENT.ground_truth(made)] == [50] * len(forms)


# Scored and stored


def masked(*rows, seed=0):
    """Detections in an image of 200 × 100 pixels, with a random mask each."""
    draw = np.random.default_rng(seed)
    made = tuple(encoded(draw.random((9, 9)) < 0.5, 3, 4, 200, 100) for _ in rows)
    return dataclasses.replace(detections(*rows), masks=made)


def test_a_detection_is_as_large_as_its_mask():
    window = np.zeros((9, 9), bool)
    window[2:5, 1:8] = True
    found = dataclasses.replace(detections(CAT), masks=(encoded(window, 3, 4, 200, 100),))
    entries = SEGMENT.annotation(dataset(1).images[0], found, 0, [20, 10, 40, 30])
    assert (entries["bbox"], entries["area"]) == ([20, 10, 40, 30], 21)
    image = np.zeros((100, 200), np.uint8, order="F")
    image[4:13, 3:12] = window
    assert entries["segmentation"] == mask.encode(image)


def test_a_detection_without_a_mask_is_as_large_as_its_box():
    assert SEGMENT.annotation(dataset(1).images[0], detections(CAT), 0, [20, 10, 40, 30])["area"] == 1200


@pytest.mark.parametrize("rows", [[(CAT, DOG), (), (DOG,)], [(CAT,)], [()], [(), (CAT,)]])
def test_masks_are_stored_and_come_back_to_their_detections(rows):
    found = [masked(*one, seed=seed) for seed, one in enumerate(rows)]
    back = SEGMENT.unpack(SEGMENT.pack(found), [dataclasses.replace(one, masks=None) for one in found])
    assert run_lengths(back) == run_lengths(found)


def run_lengths(found):
    return [[own.tolist() for own in one.masks] for one in found]


def test_detections_without_masks_store_none_and_stay_as_they_are():
    found = [detections(CAT), detections()]
    assert SEGMENT.pack(found) == {}
    assert SEGMENT.unpack({}, found) == found
