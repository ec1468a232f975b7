"""Ultralytics' NMS reads one form of outputs; all that need NMS are brought into it."""

from __future__ import annotations

import numpy as np
import pytest

from harness import Decoding
from harness.measure.explain.ultralytics_stages import NotRead, detections
from harness.tasks.base import OutputLayout


def test_raw_outputs_are_read():
    output = np.zeros((1, 6, 84), np.float32)
    output[0, :, 5] = (32, 32, 16, 8, 0.1, 0.9)
    (found,) = detections([output], OutputLayout("raw", 0, 2), Decoding(), (64, 64), [(64, 64)])
    assert found.boxes[0] == pytest.approx((24, 28, 40, 36))
    assert found.classes[0] == 1


def test_outputs_with_objectness_are_brought_into_the_form_that_it_reads():
    columns = np.zeros((1, 84, 7), np.float32)
    columns[0, 5] = (32, 32, 16, 8, 0.5, 0.2, 0.8)
    (found,) = detections([columns], OutputLayout("yolov5", 0, 2, transposed=True), Decoding(), (64, 64), [(64, 64)])
    assert found.boxes[0] == pytest.approx((24, 28, 40, 36))
    assert (found.scores[0], found.classes[0]) == (pytest.approx(0.4), 1)


def test_a_network_that_ends_in_its_detections_needs_no_nms():
    with pytest.raises(NotRead, match="the network ends in its detections"):
        detections([np.zeros((1, 84, 6), np.float32)], OutputLayout("e2e", 0, 2), Decoding(), (64, 64), [(64, 64)])
