"""Ultralytics' NMS reads one form of outputs; others are refused with the reason, before it reads numbers wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from harness import Decoding
from harness.measure.explain.ultralytics_stages import NotRead, decode
from harness.tasks.base import OutputLayout


def test_raw_outputs_are_read():
    output = np.zeros((1, 6, 84), np.float32)
    output[0, :, 5] = (32, 32, 16, 8, 0.1, 0.9)
    (found,) = decode([output], OutputLayout("raw", 0, 2), Decoding(), 64, [(64, 64)])
    assert found.boxes[0] == pytest.approx((24, 28, 40, 36))
    assert found.classes[0] == 1


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("yolox", "does not read outputs of the family yolox"),
        ("yolov5", "does not read outputs of the family yolov5"),
        ("e2e", "the network ends in its detections"),
    ],
)
def test_other_outputs_are_refused_with_the_reason(layout, why):
    with pytest.raises(NotRead, match=why):
        decode([np.zeros((1, 84, 7), np.float32)], OutputLayout(layout, 0, 2), Decoding(), 64, [(64, 64)])
