"""A metric that does not exist is never green: every kind of gate on it is missing, and says why there is none."""

from __future__ import annotations

import dataclasses

import pytest
from builders import FP32, INT8, measurement

from harness import Gate
from harness.core.measurement import Incomparable, Observation
from harness.judge import gates
from harness.judge.absent import LACKING, nothing_scored, vanished, why_missing
from harness.judge.gates import judge_gates

NAMES = ("map", "map_50", "map_75", "map_small", "mar_100", "recall_op", "f1_op", "box_map")
NOTHING = "there is nothing to score: none of the 12 images has an object with a label"


def empty(cell=INT8):
    """A cell on a data set without objects: every metric that needs ground truth is None."""
    metrics = {**dict.fromkeys(NAMES), "collapsed_classes": None, "size_bytes": 1000}
    made = dataclasses.replace(measurement(cell), metrics=metrics, per_class={"cat": None}, instances={"cat": 0})
    return dataclasses.replace(made, provenance={**made.provenance, "images": 12})


LIMITS = (
    {"min": 0.0}, {"max": 1.0}, {"min": 0.0, "max": 1.0}, {"max_drop": 0.1}, {"max_drop": 0.1, "relative": True},
    {"max_rise": 0.1}, {"min_ratio": 0.5}, {"max_ratio": 2.0}, {"max_drop": 0.1, "min_ratio": 0.5},
    {"max_drop": 0.1, "against": "fp32"}, {"min_ratio": 0.5, "against": "fp32"},
)  # fmt: skip


@pytest.mark.parametrize("baseline", [None, empty(), measurement(map=0.4), Incomparable("dataset differs")])
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("metric", NAMES)
def test_every_gate_on_a_metric_that_does_not_exist_is_missing(metric, limits, baseline):
    verdicts = judge_gates(empty(), baseline, empty(FP32), [Gate(metric, **limits)], "accuracy")
    assert {verdict.status for verdict in verdicts} == {"missing"}
    assert verdicts[0].metric == metric
    assert verdicts[0].observed is None
    assert verdicts[0].detail.startswith(NOTHING)


@pytest.mark.parametrize("against", ["baseline", "fp32"])
@pytest.mark.parametrize("baseline", [None, empty(), Incomparable("dataset differs")])
def test_classes_without_any_object_are_missing(against, baseline):
    gate = Gate("class_ap", max_drop=0.1, against=against)
    (verdict,) = judge_gates(empty(), baseline, empty(FP32), [gate], "accuracy")
    assert (verdict.status, verdict.expected) == ("missing", "no class −0.1")


def test_a_declared_gate_on_collapsed_classes_is_missing_and_the_one_of_every_suite_undecided():
    (asked,) = judge_gates(empty(), None, None, [Gate("collapsed_classes", max=0)], "accuracy")
    (implied,) = judge_gates(empty(), None, None, gates.ALWAYS[1:], "accuracy")
    assert (asked.status, implied.status) == ("missing", "inconclusive")


def test_an_agreement_with_a_sibling_that_detects_nothing_is_missing_and_without_a_sibling_undecided():
    gate = Gate("agreement", min=0.9)
    (nothing,) = judge_gates(measurement(agreement=None), None, None, [gate], "accuracy")
    (alone,) = judge_gates(measurement(), None, None, [gate], "accuracy")
    assert (nothing.status, nothing.detail) == ("missing", "the fp32 sibling detects nothing above operating_conf")
    assert alone.status == "inconclusive"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("map_small", "the data set has no object below 32² pixels"),
        ("map_medium", "the data set has no object between 32² and 96² pixels"),
        ("mar_large", "the data set has no object above 96² pixels"),
        ("box_map", "nothing was measured"),
    ],
)
def test_a_metric_without_objects_of_its_kind_says_so(metric, said):
    assert why_missing(metric, measurement(**{metric: None})) == said


def test_a_cell_without_an_map_fails_without_any_gate():
    (verdict,) = nothing_scored(empty(), [], [])
    assert (verdict.metric, verdict.status) == ("map", "missing")
    assert verdict.detail.startswith(NOTHING)


def test_it_is_not_said_twice_nor_where_the_suite_needs_no_ground_truth_nor_with_an_map():
    told = judge_gates(empty(), None, None, [Gate("map", min=0.1)], "accuracy")
    assert nothing_scored(empty(), [Gate("map", min=0.1)], told) == ()
    assert nothing_scored(empty(), [Gate("agreement", min=0.9)], []) == ()
    assert nothing_scored(measurement(), [], []) == ()
    assert nothing_scored(Observation(), [], []) == (), "a latency alone"


def test_what_only_the_baseline_has_vanished():
    (verdict,) = vanished(measurement(), measurement(map_small=0.2), "accuracy", ())
    assert (verdict.metric, verdict.reference, verdict.detail) == ("map_small", 0.2, LACKING)
    assert vanished(measurement(), measurement(map_small=0.2), "accuracy", {"map_small"}) == []
    assert vanished(measurement(), None, "accuracy", ()) == []
