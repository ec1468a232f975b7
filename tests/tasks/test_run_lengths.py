"""Run lengths and polygons are checked before pycocotools sees them, which wrong ones kill or hang."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask

from harness.tasks.run_lengths import encoded, mask_pixels, mask_problem, run_lengths


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_in_a_string_are_those_that_pycocotools_wrote(seed):
    pixels = np.random.default_rng(seed).random((13, 40)) < seed / 20
    written = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    runs = run_lengths(written["counts"])
    assert np.array_equal(mask_pixels(runs, 13, 40), pixels)
    assert np.array_equal(mask_pixels(encoded(pixels, 0, 0, 40, 13).tolist(), 13, 40), pixels)
    assert not mask_problem({"size": [13, 40], "counts": written["counts"].decode()}, 13, 40)
    assert not mask_problem({"size": [13, 40], "counts": encoded(pixels, 0, 0, 40, 13).tolist()}, 13, 40)


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ([[0, 0, 9, 0, 9, 9]], ""),
        ([[0, 0, float("nan"), 0, 9, 9]], "a coordinate that is no number"),
        ([[0, 0, "9", 0, 9, 9]], "a coordinate that is no number"),
        ([[0, 0, 1e9, 0, 9, 9]], "far outside the image"),
        ([[0, 0, 9, 9]], "fewer than three points"),
        ([], "no polygons"),
        (None, "no polygons"),
        ({"size": [10, 20], "counts": "garbage~~~"}, "COCO does not write"),
        ({"size": [10, 20], "counts": "ooooooooooooooooooooooo"}, "COCO does not write"),
        ({"size": [10, 20], "counts": [100, 50]}, "150 pixels, not 200"),
        ({"size": [10, 20], "counts": [-100, 300]}, "no whole numbers from 0"),
        ({"size": [20, 10], "counts": [200]}, "the image is 10 high and 20 wide"),
        ({"size": [10, 20]}, "neither a list nor a string"),
    ],
)
def test_a_wrong_mask_is_told(segmentation, problem):
    found = mask_problem(segmentation, 10, 20)
    assert problem in found if problem else not found
