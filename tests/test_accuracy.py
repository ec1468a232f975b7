"""What the accuracy phase writes down."""

from __future__ import annotations

import numpy as np
from builders import dataset, detections

from harness.accuracy import save_detections

ON_CAT = (20, 10, 60, 40, 0.9, 0)


def test_stored_detections_can_be_told_apart_by_image(tmp_path):
    made = dataset(3)
    save_detections(tmp_path / "d.npz", made, [detections(ON_CAT), detections(), detections(ON_CAT, ON_CAT)])
    with np.load(tmp_path / "d.npz") as stored:
        assert stored["image_ids"].tolist() == [1, 2, 3]
        assert stored["counts"].tolist() == [1, 0, 2]
        assert stored["boxes"].shape == (3, 4)
        assert stored["classes"].dtype == np.int64
