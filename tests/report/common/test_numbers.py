"""Numbers as tables write them."""

from __future__ import annotations

import pytest

from harness.report.common.numbers import difference, megabytes, metric_value, number


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [(0.7, 0.75, "−0.0500"), (0.75, 0.7, "+0.0500"), (0.7, 0.70001, "0.0000"), (None, 0.7, "–"), (0.7, None, "–")],
)
def test_a_change_has_a_sign_unless_it_rounds_to_nothing(now, before, shown):
    assert difference(now, before) == shown


def test_what_is_absent_is_a_dash_and_zero_is_not():
    assert [number(None, ".1f", "×"), number(0.0, ".1f", "×")] == ["–", "0.0×"]
    assert megabytes(112_930_256) == "112.93"


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
