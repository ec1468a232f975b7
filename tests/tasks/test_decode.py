"""Decoding and NMS: there and back, thresholds respected, the same as a reference that is easy to read."""

from __future__ import annotations

import numpy as np
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st

from harness import Decoding
from harness.tasks.base import OutputLayout
from harness.tasks.decode import decode, prepare
from harness.tasks.preprocess import fit, normalize

SIZE = 64
WHOLE = (SIZE, SIZE)
SQUARE = [(SIZE, SIZE)]  # an original as large as the input: decoding changes no coordinate


def raw(*anchors, classes=2):
    """[1, 4 + C, A] from rows of centre x, centre y, width, height and one score per class."""
    return np.asarray(anchors, np.float32).reshape(-1, 4 + classes).T[None]


def read(output, layout, decoding, size, originals):
    return decode([output], OutputLayout(layout, 0, None), decoding, size, originals)


def rows(found):
    return [
        (*np.round(box, 3).tolist(), round(float(score), 4), int(label))
        for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True)
    ]


@given(
    st.integers(50, 3000),
    st.integers(50, 3000),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.sampled_from([(640, 640), (384, 640), (640, 352)]),
)
@quick
def test_a_box_in_the_input_comes_back_where_it_was_in_the_image(width, height, fractions, size):
    (x1, x2), (y1, y2) = sorted(fractions[:2]), sorted(fractions[2:])
    box = np.array([x1 * width, y1 * height, x2 * width, y2 * height])
    place = fit(width, height, size)
    inside = box * place.ratio + [place.left, place.top] * 2
    output = np.array([[[*inside, 0.9, 0]]], np.float32)
    (found,) = read(output, "e2e", Decoding(), size, [(width, height)])
    assert np.abs(found.boxes[0] - box).max() <= 1e-3 * max(width, height)


# Raw output


def test_overlapping_boxes_of_a_class_leave_the_best():
    output = raw([20, 20, 20, 20, 0.6, 0], [21, 20, 20, 20, 0.9, 0], [50, 50, 10, 10, 0.5, 0])
    (found,) = read(output, "raw", Decoding(), WHOLE, SQUARE)
    assert rows(found) == [(11, 10, 31, 30, 0.9, 0), (45, 45, 55, 55, 0.5, 0)]


def test_boxes_of_different_classes_do_not_suppress_each_other():
    output = raw([20, 20, 20, 20, 0.6, 0], [20, 20, 20, 20, 0, 0.9])
    (found,) = read(output, "raw", Decoding(), WHOLE, SQUARE)
    assert found.classes.tolist() == [1, 0]


def test_one_box_may_carry_several_classes():
    (found,) = read(raw([20, 20, 20, 20, 0.6, 0.9]), "raw", Decoding(), WHOLE, SQUARE)
    assert rows(found) == [(10, 10, 30, 30, 0.9, 1), (10, 10, 30, 30, 0.6, 0)]


def test_a_box_beyond_the_border_suppresses_no_other_class():
    output = raw([50, 50, 100, 100, 0.9, 0], [75, 75, 50, 50, 0.8, 0], [-20, -20, 50, 50, 0, 0.7])
    (found,) = read(output, "raw", Decoding(iou=0.3), (100, 100), [(100, 100)])
    assert found.classes.tolist() == [0, 0, 1]


def test_thresholds_are_respected():
    apart = raw(*([10 * k, 10, 4, 4, 0.1 * k, 0] for k in range(1, 6)))
    kept = {conf: len(read(apart, "raw", Decoding(conf=conf), WHOLE, SQUARE)[0].scores) for conf in (0.001, 0.25, 0.9)}
    assert kept == {0.001: 5, 0.25: 3, 0.9: 0}
    (best,) = read(apart, "raw", Decoding(max_det=2), WHOLE, SQUARE)
    assert best.scores.tolist() == pytest.approx([0.5, 0.4])
    half = raw([20, 20, 20, 20, 0.9, 0], [25, 20, 20, 20, 0.8, 0])  # IoU 0.6
    assert [len(read(half, "raw", Decoding(iou=iou), WHOLE, SQUARE)[0].scores) for iou in (0.59, 0.61)] == [1, 2]


@pytest.mark.parametrize(
    ("output", "layout"),
    [
        (raw([20, 20, 20, 20, 0, 0]), "raw"),
        (np.zeros((1, 300, 6), np.float32), "e2e"),
        (np.full((1, 6, 9), np.nan, np.float32), "raw"),
    ],
)
def test_a_collapsed_model_gives_zero_detections(output, layout):
    (found,) = read(output, layout, Decoding(), WHOLE, SQUARE)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.classes.shape == (0,)


def test_every_image_of_a_batch_is_decoded_into_its_own_pixels():
    output = np.repeat(raw([32, 32, 32, 32, 0.9, 0]), 2, axis=0)
    small, large = read(output, "raw", Decoding(), WHOLE, [(64, 64), (128, 64)])
    assert rows(small) == [(16, 16, 48, 48, 0.9, 0)]
    assert rows(large) == [(32, 0, 96, 64, 0.9, 0)]


def test_rows_that_fill_up_the_last_batch_are_left_out():
    output = np.repeat(raw([32, 32, 32, 32, 0.9, 0]), 4, axis=0)
    assert len(read(output, "raw", Decoding(), WHOLE, SQUARE)) == 1


def test_boxes_end_at_the_border_of_the_image():
    (found,) = read(raw([0, 60, 40, 40, 0.9, 0]), "raw", Decoding(), WHOLE, SQUARE)
    assert rows(found) == [(0, 40, 20, 64, 0.9, 0)]


def reference_nms(output, decoding):
    """Class by class: take the best box, drop what overlaps it, repeat."""
    candidates = [
        (float(score), label, anchor)
        for label, scores in enumerate(output[4:])
        for anchor, score in enumerate(scores)
        if score > decoding.conf
    ]
    kept = []
    for score, label, anchor in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        x, y, w, h = output[:4, anchor].astype(np.float64)
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        if all(label != other or overlap(box, taken) <= decoding.iou for taken, _, other in kept):
            kept.append((box, score, label))
    return kept[: decoding.max_det]


def overlap(a, b):
    inner = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    outer = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / outer if outer else 0.0


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0.31, 0.5, 0.7]), st.sampled_from([5, 300]))
@quick
def test_nms_is_the_textbook_one(seed, anchors, iou, max_det):
    draw = np.random.default_rng(seed)
    output = np.concatenate(
        [draw.uniform(0, SIZE, (2, anchors)), draw.uniform(4, 40, (2, anchors)), draw.uniform(0, 1, (3, anchors))]
    ).astype(np.float32)
    decoding = Decoding(conf=0.2, iou=iou, max_det=max_det)
    (found,) = read(output[None], "raw", decoding, WHOLE, SQUARE)
    expected = reference_nms(output, decoding)
    assert found.classes.tolist() == [label for _, _, label in expected]
    assert found.scores.tolist() == pytest.approx([score for _, score, _ in expected])
    boxes = np.clip(np.array([box for box, _, _ in expected]).reshape(-1, 4), 0, SIZE)
    assert np.abs(found.boxes - boxes).max(initial=0) < 1e-3


# End to end


def test_end_to_end_rows_are_taken_as_they_are_best_first():
    output = np.array([[[1, 2, 30, 40, 0.5, 1], [1, 2, 30, 40, 0.9, 1], [0, 0, 9, 9, 0.0005, 0]]], np.float32)
    (found,) = read(output, "e2e", Decoding(), WHOLE, SQUARE)
    assert rows(found) == [(1, 2, 30, 40, 0.9, 1), (1, 2, 30, 40, 0.5, 1)]
    (best,) = read(output, "e2e", Decoding(max_det=1), WHOLE, SQUARE)
    assert rows(best) == [(1, 2, 30, 40, 0.9, 1)]


# Families of files from elsewhere


def anchors(family):
    """An output at 64 px without any object: rows of 84 or 252 anchors, two classes."""
    return np.zeros((1, 84 * (3 if family == "yolov5" else 1), 7), np.float32)


def test_a_yolov5_score_is_objectness_times_class():
    output = anchors("yolov5")
    output[0, 17] = [32, 24, 16, 8, 0.8, 0.1, 0.5]
    (found,) = read(output, "yolov5", Decoding(conf=0.1), WHOLE, SQUARE)
    assert rows(found) == [(24, 20, 40, 28, 0.4, 1)]


def test_a_yolox_box_is_relative_to_its_cell():
    output = anchors("yolox")
    # The second map (stride 16) begins after 64 cells; its cell in row 2, column 1 is the tenth.
    output[0, 64 + 2 * 4 + 1] = [0.5, 0.25, np.log(2), np.log(1), 1.0, 0.9, 0]
    (found,) = read(output, "yolox", Decoding(), WHOLE, SQUARE)
    centre_x, centre_y, width, height = (1 + 0.5) * 16, (2 + 0.25) * 16, 32, 16
    expected = (centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
    assert rows(found) == [(*expected, 0.9, 0)]


def test_yolox_is_fed_bgr_bytes_and_the_others_rgb_shares():
    batch = normalize(np.array([10, 20, 30], np.uint8).reshape(1, 3, 1, 1))
    assert np.round(prepare(batch, "yolox")).reshape(-1).tolist() == [30, 20, 10]
    assert prepare(batch, "raw") is batch
