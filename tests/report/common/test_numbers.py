"""Numbers as tables and sentences write them."""

from __future__ import annotations

import pytest

from harness.report.common.numbers import (
    difference,
    divided,
    megabytes,
    metric_value,
    milliseconds,
    number,
    quantity,
    signed,
    trend_value,
)
from harness.store.history_db import CPU_RATIO


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [(0.7, 0.75, "−0.0500"), (0.75, 0.7, "+0.0500"), (0.7, 0.70001, "0.0000"), (None, 0.7, "–"), (0.7, None, "–")],
)
def test_a_change_has_a_sign_unless_it_rounds_to_nothing(now, before, shown):
    assert difference(now, before) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.0123, "−0.0123"), (0.0123, "+0.0123"), (-0.00001, "0.0000"), (0.0, "0.0000"), (None, "–")]
)
def test_a_signed_number_has_a_real_minus_sign(value, shown):
    assert signed(value) == shown


def test_a_negative_number_that_rounds_to_nothing_is_no_negative_number():
    assert number(-0.04, ".1f") == "0.0"
    assert number(-0.06, ".1f") == "−0.1"


def test_zero_keeps_its_sign_where_that_is_wanted():
    shown = [number(value, "+.4f", zero_sign=True) for value in (0.0, -0.00001, 0.5)]
    assert shown == ["+0.0000", "−0.0000", "+0.5000"]


@pytest.mark.parametrize(("form", "value", "shown"), [("+d", -3, "−3"), ("+d", 0, "0"), ("+.1%", -0.055, "−5.5%")])
def test_counts_and_shares_are_signed_too(form, value, shown):
    assert signed(value, form) == shown


def test_what_is_absent_is_a_dash_and_zero_is_not():
    assert [number(None, ".1f", "×"), number(0.0, ".1f", "×")] == ["–", "0.0×"]
    assert megabytes(112_930_256) == "112.93"
    assert [megabytes(None), milliseconds(None), milliseconds(5.058)] == ["–", "–", "5.06"]


@pytest.mark.parametrize(
    ("value", "by", "ratio"), [(3.0, 2.0, 1.5), (0.0, 2.0, 0.0), (3.0, 0.0, None), (None, 2.0, None), (3.0, None, None)]
)
def test_a_ratio_needs_both_numbers_and_no_zero_below(value, by, ratio):
    assert divided(value, by) == ratio


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("map", 0.41854, "0.4185"),
        ("latency_p50_ms", 5.058, "5.06"),
        ("peak_rss_bytes", 100_100_000, "100.1"),
        ("size_bytes", 9_659_289, "9.66"),
        ("latency_calls", 100, "100"),
        ("collapsed_classes", 0, "0"),
        ("energy_mj", 12.34, "12.3"),
    ],
)
def test_a_metric_is_written_by_its_unit(metric, value, shown):
    assert metric_value(metric, value) == shown


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("map", 0.41234, "0.4123"),
        ("size_bytes", 3_272_979, "3.27 MB"),
        ("latency_p50_ms", 4.414, "4.41 ms"),
        ("latency", 1.0333, "1.033 ×"),
        ("score_shift", -0.00018, "−0.0002"),
        ("latency_calls", 100, "100 calls"),
        ("throughput_ips", 12.34, "12.3 images/s"),
        ("map", None, "nothing"),
    ],
)
def test_numbers_in_sentences_have_their_units(metric, value, shown):
    assert quantity(metric, value) == shown


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("map", 0.41854, "0.4185"),
        ("score_shift", -0.0123, "−0.0123"),
        ("size_bytes", 3_272_979, "3.27 MB"),
        ("latency_p50_ms", 5.0584, "5.058 ms"),
        (CPU_RATIO, 1.10517, "1.1052"),
    ],
)
def test_a_value_of_a_trend_has_the_unit_of_its_metric(metric, value, shown):
    assert trend_value(metric, value) == shown
