"""A verdict in one line, and back from JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from harness.core.verdict import Verdict, verdict_from_json, verdict_line


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (
            Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408"),
            "map regressed: observed 0.4, expected ≥ 0.408 (baseline 0.41)",
        ),
        (
            Verdict("map", "fp32", "missed", 0.38123456, 0.4, "≥ 0.396"),
            "map missed: observed 0.381235, expected ≥ 0.396 (fp32 0.4)",
        ),
        (Verdict("size_bytes", "limit", "met", 1000, None, "≤ 2000"), "size_bytes met: observed 1000, expected ≤ 2000"),
    ],
)
def test_the_line_has_what_was_observed_what_was_expected_and_the_reference(verdict, line):
    assert verdict_line(verdict) == line


def test_the_reason_ends_the_line():
    verdict = Verdict("map", "baseline", "inconclusive", 0.4, 0.41, "≥ 0.408", "too few images")
    assert verdict_line(verdict) == ("map inconclusive: observed 0.4, expected ≥ 0.408 (baseline 0.41): too few images")


def test_where_nothing_was_measured_or_nothing_is_comparable_the_line_says_so():
    verdict = Verdict("map", "baseline", "incomparable", None, None, "", "dataset differs")
    assert verdict_line(verdict) == (
        "map incomparable: observed nothing, expected a comparable baseline: dataset differs"
    )


@pytest.mark.parametrize("interval", [None, (0.39, 0.42)])
def test_a_verdict_survives_json(interval):
    verdict = Verdict("map", "baseline", "unchanged", 0.4, 0.41, "≥ 0.39", "why", interval)
    assert verdict_from_json(json.loads(json.dumps(dataclasses.asdict(verdict)))) == verdict


def test_a_verdict_of_an_older_quantgate_has_no_interval():
    written = dataclasses.asdict(Verdict("map", "limit", "met", 0.4, None, "≥ 0.3"))
    del written["interval"]
    assert verdict_from_json(written).interval is None
