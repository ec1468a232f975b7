"""Every status of a gate, each limit, and nothing absent is green."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import FP32, INT8, measurement

from harness import Gate, Measurement, Suite
from harness.core.measurement import Incomparable, Observation
from harness.judge.gates import AGREEMENT, all_gates, by_processes, judge_gates, relative, without_baseline


def status(gate, observed, value=None, baseline=None):
    """The status of one gate on one metric; `value` is the baseline's or the fp32 sibling's."""
    measured, other = measurement(INT8, **{gate.metric: observed}), measurement(FP32, **{gate.metric: value})
    (verdict,) = judge_gates(measured, baseline or dataclasses.replace(other, cell=INT8), other, [gate], "accuracy")
    return verdict.status


@pytest.mark.parametrize(
    ("gate", "observed", "expected"),
    [
        (Gate("map", max_drop=0.002), 0.400, "unchanged"),
        (Gate("map", max_drop=0.002), 0.398, "unchanged"),
        (Gate("map", max_drop=0.002), 0.39799, "regressed"),
        (Gate("map", max_drop=0.002), 0.402, "unchanged"),
        (Gate("map", max_drop=0.002), 0.40201, "improved"),
        (Gate("map", max_drop=0.0), 0.4, "unchanged"),
        (Gate("map", max_drop=0.0), 0.4000001, "improved"),
        (Gate("map", max_drop=0.002, relative=True), 0.3992, "unchanged"),
        (Gate("map", max_drop=0.002, relative=True), 0.3991, "regressed"),
        (Gate("map", max_rise=0.01), 0.42, "regressed"),
        (Gate("map", min_ratio=0.99), 0.396, "unchanged"),
        (Gate("map", min_ratio=0.99), 0.3959, "regressed"),
        (Gate("map", max_drop=0.002), float("nan"), "regressed"),
    ],
)
def test_accuracy_against_its_baseline_of_04(gate, observed, expected):
    assert status(gate, observed, 0.4) == expected


@pytest.mark.parametrize(
    ("gate", "observed", "expected"),
    [
        (Gate("size_bytes", max_rise=0.01), 1010, "unchanged"),
        (Gate("size_bytes", max_rise=0.01), 1011, "regressed"),
        (Gate("size_bytes", max_rise=0.01), 980, "improved"),
        (Gate("size_bytes", max_rise=10, relative=False), 1010, "unchanged"),
        (Gate("size_bytes", max_rise=10, relative=False), 1011, "regressed"),
        (Gate("size_bytes", max_ratio=1.5), 1500, "unchanged"),
        (Gate("size_bytes", max_ratio=1.5), 1501, "regressed"),
    ],
)
def test_a_physical_quantity_of_1000_is_limited_in_shares_unless_told_otherwise(gate, observed, expected):
    assert status(gate, observed, 1000) == expected


def test_a_limit_that_equals_the_difference_passes_despite_binary_fractions():
    assert status(Gate("map", max_drop=0.1), 0.3 - 0.1, 0.3) == "unchanged"
    assert status(Gate("map", max_drop=0.02, against="fp32"), 0.4185 - 0.02, 0.4185) == "met"
    assert status(Gate("map", min=0.3), 0.1 + 0.2) == "met"
    assert status(Gate("map", max=0.3), 0.1 + 0.2) == "met"


def test_a_metric_that_was_none_and_is_none_is_missing_where_a_gate_asks_for_it():
    assert status(Gate("map_small", max_drop=0.1), None, None) == "missing"


def test_a_vanished_metric_is_missing_and_a_new_one_has_no_baseline():
    assert status(Gate("map_small", max_drop=0.1), None, 0.4) == "missing"
    assert status(Gate("map_small", max_drop=0.1), 0.4, None) == "no-baseline"


def test_a_metric_that_vanished_without_any_gate_is_missing_too():
    before, after = measurement(map_small=0.2), measurement()
    (verdict,) = judge_gates(after, before, None, [], "accuracy")
    assert (verdict.metric, verdict.status, verdict.reference) == ("map_small", "missing", 0.2)
    assert judge_gates(after, before, None, [], "latency") == ()


def test_a_vanished_metric_is_reported_once():
    gates = [Gate("map_small", max_drop=0.1)]
    assert [v.status for v in judge_gates(measurement(), measurement(map_small=0.2), None, gates, "accuracy")] == [
        "missing"
    ]


def test_a_cell_without_baseline_says_how_to_accept_it():
    (verdict,) = judge_gates(measurement(), None, None, [Gate("map", max_drop=0.1)], "accuracy")
    assert verdict.status == "no-baseline"
    assert verdict.detail == "accept this one with --qg-baseline-update"
    assert verdict.expected == "≥ baseline − 0.1"


def test_a_baseline_of_something_else_is_incomparable():
    gate = Gate("map", max_drop=0.1)
    assert status(gate, 0.4, baseline=Incomparable("dataset differs")) == "incomparable"
    (verdict,) = judge_gates(measurement(), Incomparable("dataset differs"), None, [gate], "accuracy")
    assert verdict.detail == "dataset differs"


@pytest.mark.parametrize(
    ("gate", "observed", "expected"),
    [
        (Gate("map", max_drop=0.02, against="fp32"), 0.38, "met"),
        (Gate("map", max_drop=0.02, against="fp32"), 0.3799, "missed"),
        (Gate("map", max_drop=0.02, against="fp32"), 0.5, "met"),
        (Gate("map", min_ratio=0.99, against="fp32"), 0.395, "missed"),
        (Gate("map", max_drop=0.05, relative=True, against="fp32"), 0.38, "met"),
    ],
)
def test_accuracy_against_fp32_of_04(gate, observed, expected):
    assert status(gate, observed, 0.4) == expected


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (None, "nothing was measured to compare with"),
        (Measurement(FP32, failure=("error", "its process was killed")), "its process was killed"),
    ],
)
def test_without_an_fp32_sibling_the_answer_is_inconclusive(reference, why):
    (verdict,) = judge_gates(measurement(), None, reference, [Gate("map", max_drop=0.02, against="fp32")], "accuracy")
    assert verdict.status == "inconclusive"
    assert why in verdict.detail


def test_latency_is_judged_by_the_ratio_of_the_same_run():
    gate = Gate("latency", max_ratio=0.9, against="fp32")

    def verdict(ratio):
        (only,) = judge_gates(Measurement(INT8, metrics={"latency_ratio": ratio}), None, None, [gate], "latency")
        return only.status, only.expected

    assert verdict(0.9) == ("met", "≤ 0.9")
    assert verdict(0.91) == ("missed", "≤ 0.9")
    assert verdict(None)[0] == "inconclusive"


@pytest.mark.parametrize(
    ("gate", "observed", "expected"),
    [
        (Gate("map", min=0.4), 0.4, "met"),
        (Gate("map", min=0.4), 0.399, "missed"),
        (Gate("size_bytes", max=1000), 1001, "missed"),
        (Gate("map", min=0.3, max=0.5), 0.6, "missed"),
        (Gate("map", min=0.4), float("nan"), "missed"),
        (Gate("map", min=0.4), None, "missing"),
    ],
)
def test_a_fixed_limit_needs_no_reference(gate, observed, expected):
    (verdict,) = judge_gates(measurement(**{gate.metric: observed}), None, None, [gate], "accuracy")
    assert (verdict.status, verdict.against, verdict.reference) == (expected, "limit", None)


def test_limits_are_said_as_numbers():
    gates = [Gate("map", max_drop=0.002), Gate("size_bytes", max_rise=0.01, max_ratio=2), Gate("map", min=0.3, max=0.5)]
    verdicts = judge_gates(measurement(), measurement(), None, gates, "accuracy")
    assert [v.expected for v in verdicts] == ["≥ 0.4165", "≤ 1010 and ≤ 2000", "≥ 0.3 and ≤ 0.5"]


def test_only_gates_of_the_phase_and_of_the_cell_are_judged():
    gates = [Gate("latency_p50_ms", max=9), Gate("map", max_drop=0, precisions=["fp16"]), Gate("map", max_drop=0)]
    assert [v.metric for v in judge_gates(measurement(), measurement(), None, gates, "accuracy")] == ["map"]


def by_class(then, now, instances, **limits):
    """The verdict of a gate on classes."""
    old, new = (dataclasses.replace(measurement(), per_class=values) for values in (then, now))
    new = dataclasses.replace(new, instances=instances)
    (verdict,) = judge_gates(new, old, None, [Gate("class_ap", max_drop=0.1, **limits)], "accuracy")
    return verdict


def test_the_class_that_lost_most_is_judged_and_named():
    many = {"cat": 50, "dog": 50}
    fine = by_class({"cat": 0.5, "dog": 0.4}, {"cat": 0.45, "dog": 0.4}, many)
    assert (fine.status, fine.detail) == ("unchanged", "cat lost most (50 objects)")
    worse = by_class({"cat": 0.5, "dog": 0.4}, {"cat": 0.5, "dog": 0.2}, many)
    assert (worse.status, worse.observed, worse.reference) == ("regressed", 0.2, 0.4)
    assert worse.detail == "dog lost most (50 objects)"


def test_classes_with_few_objects_are_not_judged():
    assert by_class({"cat": 0.5, "dog": 0.4}, {"cat": 0.0, "dog": 0.4}, {"cat": 9, "dog": 10}).status == "unchanged"
    assert by_class({"cat": 0.5}, {"cat": 0.0}, {"cat": 9}).status == "inconclusive"
    assert by_class({"cat": 0.5}, {"cat": 0.0}, {"cat": 9}, min_instances=5).status == "regressed"


def test_a_drop_beyond_the_gate_that_is_not_proven_is_inconclusive():
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 0.02, 500).tolist()
    old = dataclasses.replace(measurement(map=0.4), samples={"map_resampled": [0.4] * 500})
    new = dataclasses.replace(measurement(map=0.39), samples={"map_resampled": [0.39 + x for x in noise]})
    (verdict,) = judge_gates(new, old, None, [Gate("map", max_drop=0.005)], "accuracy")
    assert verdict.status == "inconclusive"
    assert "99% interval" in verdict.detail
    (budget,) = judge_gates(new, old, old, [Gate("map", min_ratio=0.99, against="fp32")], "accuracy")
    assert budget.status == "missed"  # a budget needs no statistics


def test_a_proven_change_has_an_interval_around_what_was_observed():
    old = dataclasses.replace(measurement(map=0.4), samples={"map_resampled": [0.39, 0.4, 0.41]})
    new = dataclasses.replace(measurement(map=0.39), samples={"map_resampled": [0.38, 0.39, 0.4001]})
    (verdict,) = judge_gates(new, old, None, [Gate("map", max_drop=0.005)], "accuracy")
    low, high = verdict.interval
    assert low < verdict.observed < high
    assert high - 0.39 == pytest.approx(0.39 - low)


def test_one_resample_gives_no_interval():
    old, new = (dataclasses.replace(measurement(map=value), samples={"map_resampled": [value]}) for value in (0.4, 0.3))
    (verdict,) = judge_gates(new, old, None, [Gate("map", max_drop=0.005)], "accuracy")
    assert (verdict.status, verdict.interval) == ("inconclusive", None)


@pytest.mark.parametrize(
    ("baseline", "status", "why"),
    [
        (None, "no-baseline", "nothing to compare with"),
        (Incomparable("dataset differs"), "incomparable", "dataset differs"),
    ],
)
def test_classes_without_a_comparable_baseline_are_told(baseline, status, why):
    (verdict,) = judge_gates(measurement(), baseline, None, [Gate("class_ap", max_drop=0.1)], "accuracy")
    assert (verdict.status, verdict.detail) == (status, why)


@pytest.mark.parametrize(("now", "status"), [(0.45, "met"), (0.2, "missed")])
def test_classes_against_fp32_are_met_or_missed(now, status):
    fp32, int8 = (
        dataclasses.replace(measurement(cell), per_class={"cat": value}, instances={"cat": 50})
        for cell, value in ((FP32, 0.5), (INT8, now))
    )
    (verdict,) = judge_gates(int8, None, fp32, [Gate("class_ap", max_drop=0.1, against="fp32")], "accuracy")
    assert (verdict.status, verdict.against) == (status, "fp32")


def test_a_limit_without_a_reference_is_said_in_words():
    gates = [
        Gate("map", max_drop=0.002),
        Gate("size_bytes", max_rise=0.01, max_ratio=2),
        Gate("map", min_ratio=0.99),
    ]
    verdicts = judge_gates(measurement(), None, None, gates, "accuracy")
    assert [verdict.expected for verdict in verdicts] == [
        "≥ baseline − 0.002",
        "≤ baseline + 0.01 × it and ≤ 2 × baseline",
        "≥ 0.99 × baseline",
    ]


def test_an_observation_without_a_cell_is_judged_by_every_gate():
    gates = [Gate("map", min=0.4, precisions=["fp16"], backends=["torch"])]
    (verdict,) = judge_gates(Observation(metrics={"map": 0.3}), None, None, gates, "accuracy")
    assert verdict.status == "missed"


# The gates that every suite has, and kinds of gates


def test_every_suite_is_watched_for_breakage_that_map_may_not_show():
    assert all_gates(Suite("s", "d", [INT8])) == (Gate("agreement", min=AGREEMENT), Gate("collapsed_classes", max=0))


def test_a_gate_of_the_suite_replaces_the_gate_that_every_suite_has():
    own = Gate("agreement", min=0.99)
    assert all_gates(Suite("s", "d", [INT8], [own])) == (own, Gate("collapsed_classes", max=0))


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (Gate("latency", max_rise=0.05), True),
        (Gate("latency_wall", max_rise=0.1), True),
        (Gate("latency", max_ratio=0.9, against="fp32"), False),
        (Gate("latency_p50_ms", max=9), False),
        (Gate("map", max_drop=0.1), False),
    ],
)
def test_latency_against_a_baseline_takes_processes_and_is_not_judged_here(gate, expected):
    assert by_processes(gate) is expected
    if expected:
        assert judge_gates(measurement(latency_ratio=2.0), measurement(), None, [gate], "latency") == ()


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (Gate("map", max_drop=0.1), False),
        (Gate("map", max_drop=0.1, relative=True), True),
        (Gate("size_bytes", max_rise=0.1), True),
        (Gate("size_bytes", max_rise=100, relative=False), False),
    ],
)
def test_drops_and_rises_are_shares_of_physical_quantities_and_points_of_others(gate, expected):
    assert relative(gate) is expected


@pytest.mark.parametrize(
    ("baseline", "statuses"),
    [(None, ["no-baseline"]), (Incomparable("dataset differs"), ["incomparable"]), (measurement(), [])],
)
def test_who_requires_a_baseline_is_told_where_there_is_none(baseline, statuses):
    assert [verdict.status for verdict in without_baseline(measurement(), baseline)] == statuses


def test_resamples_do_not_hide_another_limit_of_the_gate():
    draws = np.random.default_rng(3).normal(0, 0.01, 200)
    old, new = (
        dataclasses.replace(measurement(map=value), samples={"map_resampled": (value + draws).tolist()})
        for value in (0.40, 0.38)
    )
    gate = Gate("map", max_drop=0.1, min_ratio=0.99)  # 0.396
    (verdict,) = judge_gates(new, old, None, [gate], "accuracy")
    assert verdict.status == "regressed"
    (alone,) = judge_gates(new, old, None, [Gate("map", max_drop=0.1)], "accuracy")
    assert alone.status == "unchanged"
