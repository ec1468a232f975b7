"""The letterbox: centred, not resampled where it need not be, grey around."""

from __future__ import annotations

import numpy as np
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.preprocess import PAD, fit, letterbox, normalize

SIZE = 64


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([(32, 32), (640, 640), (384, 640), (640, 320)]))
@quick
def test_the_image_fills_one_side_and_lies_centred_inside_the_input(width, height, size):
    place = fit(width, height, size)
    rows, columns = size
    assert place.height == rows or place.width == columns
    assert min(place.width, place.height) >= 1
    for side, start, length in ((columns, place.left, place.width), (rows, place.top, place.height)):
        after = side - start - length
        assert 0 <= after - start <= 1
    assert place.width == pytest.approx(width * place.ratio, abs=1)
    assert place.height == pytest.approx(height * place.ratio, abs=1)


def test_a_wide_image_needs_no_bars_in_a_wide_input():
    assert (letterbox(np.full((36, 64, 3), 7, np.uint8), (36, 64)) == 7).all()
    assert letterbox(np.zeros((9, 16, 3), np.uint8), (96, 160)).shape == (3, 96, 160)


def test_letterboxed_pixels_are_the_image_in_rgb_between_grey_bars():
    image = np.zeros((32, 64, 3), np.uint8)
    image[:] = (10, 20, 30)  # BGR
    pixels = letterbox(image, (SIZE, SIZE))
    assert pixels.shape == (3, SIZE, SIZE)
    assert pixels.dtype == np.uint8
    assert pixels[:, 16:48].reshape(3, -1).T.tolist() == [[30, 20, 10]] * (32 * 64)
    assert (pixels[:, :16] == PAD).all()
    assert (pixels[:, 48:] == PAD).all()


def test_an_image_of_the_right_size_is_not_resampled():
    image = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
    assert np.array_equal(letterbox(image, (SIZE, SIZE)), image[:, :, ::-1].transpose(2, 0, 1))


def test_an_extremely_narrow_image_keeps_one_column():
    assert letterbox(np.zeros((3000, 1, 3), np.uint8), (SIZE, SIZE)).shape == (3, SIZE, SIZE)


def test_normalized_pixels_are_floats_between_0_and_1():
    batch = normalize(np.array([[0, 51, 255]], np.uint8))
    assert batch.dtype == np.float32
    assert batch.tolist() == [[0, pytest.approx(0.2), 1]]
