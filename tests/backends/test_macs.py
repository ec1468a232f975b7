"""Multiply-accumulates of one operator, against what one counts by hand."""

from __future__ import annotations

from harness.backends import macs


def test_a_convolution_multiplies_its_kernel_at_every_output_pixel():
    # 16 filters of 3 × 3 × 3 on 320 × 320 pixels
    expected = 16 * 3 * 3 * 3 * 320 * 320
    assert macs.convolution([16, 3, 3, 3], [1, 16, 320, 320], 16) == expected
    assert macs.convolution([16, 3, 3, 3], [1, 320, 320, 16], 16) == expected  # channels last


def test_a_depthwise_convolution_meets_one_channel_only():
    assert macs.convolution([80, 1, 3, 3], [1, 80, 20, 20], 80) == 80 * 9 * 400
    assert macs.convolution([80, 1, 1, 3, 3], [1, 80, 20, 20], 80) == 80 * 9 * 400  # OpenVINO's groups


def test_a_transposed_convolution_spreads_every_input():
    assert macs.transposed_convolution([8, 4, 2, 2], [1, 8, 10, 10]) == 800 * 16


def test_a_matrix_product_is_m_times_n_times_k():
    assert macs.matmul([1, 2, 400, 32], [1, 2, 400, 400]) == 2 * 400 * 400 * 32
    assert macs.matmul([1, 2, 32, 400], [1, 2, 400, 400]) == 2 * 400 * 400 * 32  # transposed left
