"""Two sides cell by cell: which files a side is, which gates judge it, and what the table says."""

from __future__ import annotations

import dataclasses

import pytest
from builders import FP32, INT8, measurement

from harness import ConfigError, Gate
from harness.commands.compare.side_by_side import Compared, load_side
from harness.machine import fingerprint


def test_equal_results_are_unchanged(results, compared):
    both = measurement(FP32), measurement(INT8)
    code, text = compared(results("a", *both), results("b", *both))
    assert code == 0
    assert text.count("unchanged") == 2
    assert "0.4185" in text


def test_a_drop_beyond_the_default_limit_is_a_regression(results, compared):
    a = results("a", measurement(map=0.4))
    assert compared(a, results("within", measurement(map=0.398)))[0] == 0
    code, text = compared(a, results("beyond", measurement(map=0.397)))
    assert code == 1
    assert "map regressed: observed 0.397, expected ≥ 0.398" in text
    assert "−0.0030" in text


def test_a_larger_artifact_is_a_regression(results, compared):
    code, text = compared(results("a", measurement()), results("b", measurement(size_bytes=1011)))
    assert code == 1
    assert "size_bytes regressed: observed 1011, expected ≤ 1010" in text


def test_the_gates_of_the_new_side_are_the_rules(results, compared):
    strict, loose = (Gate("map", max_drop=limit, precisions=["int8"]) for limit in (0.0001, 0.1))
    a = results("a", measurement(map=0.4))
    assert compared(a, results("strict", measurement(map=0.399), gates=[strict]))[0] == 1
    assert compared(a, results("loose", measurement(map=0.35), gates=[loose]))[0] == 0


def test_a_gain_is_shown_and_fine(results, compared):
    rule = Gate("map", max_drop=0.002)
    code, text = compared(results("a", measurement(map=0.4)), results("b", measurement(map=0.41), gates=[rule]))
    assert code == 0
    assert "+0.0100" in text
    assert "improved" in text


def test_a_cell_that_only_the_old_side_has_is_missing(results, compared):
    code, text = compared(results("a", measurement(FP32), measurement(INT8)), results("b", measurement(FP32)))
    assert code == 1
    assert "made/yolo26n-int8-onnxruntime-cpu: missing: only in A" in text


def test_a_cell_that_only_the_new_side_has_is_told_and_fine(results, compared):
    code, text = compared(results("a", measurement(FP32)), results("b", measurement(FP32), measurement(INT8)))
    assert code == 0
    assert "no-baseline: only in B" in text


def test_a_metric_that_vanished_is_missing(results, compared):
    code, text = compared(results("a", measurement(map_small=0.2)), results("b", measurement()))
    assert code == 1
    assert "missing" in text


def test_other_data_is_incomparable_and_no_regression(results, compared):
    one = measurement(map=0.1)
    other = dataclasses.replace(one, provenance={**one.provenance, "dataset": "d2"})
    code, text = compared(results("a", measurement()), results("b", other))
    assert code == 0
    assert "dataset differs: the baseline has d1, this run d2" in text


def test_two_folders_of_baselines_are_compared(accepted, compared):
    a = accepted("a", measurement(FP32), measurement(INT8))
    assert compared(a, accepted("b", measurement(FP32), measurement(INT8)))[0] == 0
    assert compared(a, accepted("worse", measurement(FP32), measurement(INT8, map=0.4)))[0] == 1


def test_a_run_is_compared_with_baselines(accepted, results, compared):
    a = accepted("a", measurement(INT8))
    assert compared(a, results("b", measurement(INT8)))[0] == 0
    assert compared(a, results("worse", measurement(INT8, map=0.4)))[0] == 1


def test_a_new_side_without_gates_is_no_results_json(results, compared, broken):
    code, text = compared(results("fine", measurement()), broken('{"schema": 1, "cells": []}'))
    assert code == 2
    assert "is not a results.json: KeyError 'suites'" in text


def test_the_worst_cell_comes_first(results, compared):
    a = results("a", measurement(FP32), measurement(INT8))
    _, text = compared(a, results("b", measurement(FP32), measurement(INT8, map=0.3)))
    assert text.index(INT8.id) < text.index(FP32.id)


def test_a_cell_that_was_not_measured_is_on_no_side(results):
    empty = dataclasses.replace(measurement(INT8), metrics={})
    assert load_side(results("a", measurement(FP32), empty)).observed.keys() == {("made", FP32.id)}


def test_baselines_of_this_machine_s_kind_are_the_side_and_two_kinds_are_never_mixed(accepted):
    folder = accepted("both", measurement(INT8, map=0.3), kind="other")
    assert load_side(folder).observed["made", INT8.id].metrics["map"] == 0.3, "the only kind there is"
    accepted("both", measurement(FP32, map=0.5))
    assert load_side(folder).observed.keys() == {("made", FP32.id)}


def test_several_kinds_of_which_none_is_this_machine_s_are_refused(accepted):
    accepted("foreign", measurement(), kind="one")
    with pytest.raises(ConfigError, match=f"has baselines of one, two and none of this machine's {fingerprint.isa()}"):
        load_side(accepted("foreign", measurement(), kind="two"))


def test_only_gates_against_a_baseline_judge_and_baselines_declare_none(accepted, results):
    rule = Gate("map", max_drop=0.01)
    folder = results(
        "a",
        measurement(FP32),
        measurement(INT8),
        gates=[rule, Gate("map", min=0.2), Gate("map", max_drop=0.1, against="fp32")],
    )
    assert load_side(folder).gates == load_side(folder / "results.json").gates == {"made": (rule,)}
    assert load_side(accepted("b", measurement())).gates == {}


def test_a_file_of_an_older_quantgate_is_named(results, compared):
    older, newer = results("a", measurement()), results("b", measurement())
    file = older / "results.json"
    file.write_text(file.read_text().replace('"schema": 2', '"schema": 1'))
    _, text = compared(older, newer)
    assert f"{file} is older: schema 1, this quantgate writes 2" in text
    assert text.count("is older") == 1


def test_a_metric_is_none_on_a_side_that_does_not_have_it():
    row = Compared(("made", INT8.id), None, measurement(INT8, map=0.4), "no-baseline", "")
    assert row.both("map") == [None, 0.4]
    assert row.both("latency_p50_ms") == [None, None]
