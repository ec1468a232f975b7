"""What the processes of a run have published becomes one result for each cell; what was not run is said."""

from __future__ import annotations

import pytest
from builders import FP32, INT8, measurement
from published import BOTH, REGRESSED, plan

from harness import Measurement, Verdict
from harness.store.gather import gather, intervals
from harness.store.records import Record

UNCHANGED = Verdict("map", "baseline", "unchanged", 0.4, 0.4, "≥ 0.39")


def test_both_phases_of_a_cell_are_one_row(run):
    _, (fp32, *_) = gather(run)
    assert fp32.metric("map") == 0.4185
    assert fp32.metric("latency_p50_ms") == 9.5
    assert fp32.baseline == {"map": 0.4, "latency_p50_ms": 9.0}
    assert (fp32.status, fp32.reason) == ("met", None)


def test_a_phase_that_failed_without_a_record_is_an_error_worse_than_any_verdict(run):
    _, (_, int8, _) = gather(run, {f"suites/test_made.py::test_latency[{INT8.id}]": "worker 'gw0' crashed"})
    assert int8.status == "error"
    assert int8.reason == "test_latency did not finish: worker 'gw0' crashed"
    assert int8.verdicts == (REGRESSED,)


def test_a_phase_that_nobody_has_failed_was_not_run_and_the_worse_verdict_stays(run):
    _, (_, int8, _) = gather(run, {f"suites/test_made.py::test_latency[{FP32.id}]": "why", "other": "why"})
    assert (int8.status, int8.verdicts) == ("regressed", (REGRESSED,))
    assert int8.reason == "test_latency was not run to the end (skipped, interrupted, or after -x)"


def test_a_cell_whose_judged_phase_passed_is_not_green_where_the_other_was_not_run(run):
    Record("made", "accuracy", measurement(INT8), (UNCHANGED,)).publish(run)
    _, (_, int8, _) = gather(run)
    assert int8.status == "not-run"


def test_a_cell_of_which_nothing_was_run_says_both_phases(run):
    (run / "made" / f"{INT8.id}.accuracy.record.json").unlink()
    _, (_, int8, _) = gather(run)
    assert int8.reason.startswith("test_accuracy and test_latency were not run")


def test_a_phase_that_was_not_selected_is_not_missed(run):
    plan(phases={INT8: ("accuracy",)}).publish(run)
    _, (int8,) = gather(run)
    assert (int8.status, int8.reason) == ("regressed", None)


def test_a_cell_that_only_the_baselines_have_is_missing(run):
    _, (*_, gone) = gather(run)
    assert (gone.id, gone.status, gone.cell, gone.measured) == ("old-cell", "missing", None, None)


@pytest.mark.parametrize("failure", [("unavailable", "no runtime"), ("error", "crashed")])
def test_a_failure_is_the_status_with_its_reason(run, failure):
    for phase in BOTH:
        Record("made", phase, Measurement(INT8, failure=failure)).publish(run)
    _, (_, int8, _) = gather(run)
    assert (int8.status, int8.reason) == failure


def test_suites_do_not_mix(run):
    plan("other", {FP32: ("accuracy",)}).publish(run)
    plans, results = gather(run)
    assert [plan.suite for plan in plans] == ["made", "other"]
    assert results[-1].status == "not-run"
    assert results[0].status == "met"


def test_an_interval_that_a_killed_process_left_half_written_is_skipped(tmp_path):
    assert intervals(tmp_path) == [], "nothing held the machine"
    (tmp_path / "intervals.jsonl").write_text('{"kind": "timed", "start": 1.0}\n{"kind": "heavy", "st')
    assert intervals(tmp_path) == [{"kind": "timed", "start": 1.0}]
