"""The interval of a change and what can be proven, from paired resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge.paired import change

Z99, Z80 = 2.5758, 0.8416  # from tables


def test_the_interval_is_centred_on_the_change_and_as_wide_as_the_resamples_scatter():
    olds = np.linspace(0.3, 0.5, 100)
    news = olds - 0.01 + np.resize([-0.004, 0.004], 100)
    error = 0.004 * math.sqrt(100 / 99) * math.sqrt(64 / 63)
    seen = change(0.4, 0.39, olds, news, 64)
    assert seen.value == pytest.approx(-0.01)
    assert seen.low == pytest.approx(-0.01 - Z99 * error, abs=1e-6)
    assert seen.high == pytest.approx(-0.01 + Z99 * error, abs=1e-6)
    assert seen.provable == pytest.approx((Z99 + Z80) * error, abs=1e-6)
    assert not seen.proven_drop


def test_what_both_sides_share_does_not_widen_it():
    olds = np.linspace(0.1, 0.9, 100)
    assert change(0.5, 0.49, olds, olds - 0.01, 64).proven_drop


def test_a_gain_is_proven_like_a_drop():
    olds = np.linspace(0.1, 0.9, 100)
    assert change(0.5, 0.51, olds, olds + 0.01, 64).proven_gain


def test_resamples_without_ground_truth_do_not_count():
    assert change(0.5, 0.4, [0.5, -1, 0.6], [0.4, -1, 0.5], 8).high == pytest.approx(-0.1)


def test_one_resample_proves_nothing():
    assert not change(0.5, 0.1, [0.5], [0.1], 8).proven_drop
