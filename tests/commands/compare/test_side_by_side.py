"""`quantgate compare A B`: 0 where nothing is worse, 1 on a regression, 2 where it cannot be read, 4 if asked for."""

from __future__ import annotations

import dataclasses
import json

import pytest
from builders import FP32, INT8, measurement

from harness import Gate, Suite
from harness.commands.cli import main
from harness.store import baselines
from harness.store.records import Record
from harness.store.results import gather, plan_of, results_to_json


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def results(tmp_path):
    """Write a results folder: cells' metrics, gates of the suite."""

    def write(name, *measured, gates=()):
        folder = tmp_path / name
        suite = Suite("made", "coco8", [one.cell for one in measured], gates)
        plan_of(suite, "f.py", {one.cell: ("accuracy",) for one in measured}, ()).publish(folder)
        for one in measured:
            Record("made", "accuracy", one).publish(folder)
        (folder / "results.json").write_text(json.dumps(results_to_json(*gather(folder), command="")))
        return folder

    return write


@pytest.fixture
def accepted(tmp_path):
    """Write a folder of baselines."""

    def write(name, *measured):
        for one in measured:
            baselines.save_baseline(tmp_path / name, "made", "accuracy", one)
        return tmp_path / name

    return write


@pytest.fixture
def compared(capsys):
    """Exit code and everything printed."""

    def run(a, b, *options):
        code = main(["compare", str(a), str(b), *options])
        out, err = capsys.readouterr()
        return code, out + err

    return run


def test_equal_results_are_unchanged(results, compared):
    both = measurement(FP32), measurement(INT8)
    code, text = compared(results("a", *both), results("b", *both))
    assert code == 0
    assert text.count("unchanged") == 2
    assert "0.4185" in text


def test_a_file_is_as_good_as_the_folder_it_lies_in(results, compared):
    a = results("a", measurement())
    assert compared(a / "results.json", a)[0] == 0


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


def broken_results(folder, content):
    folder.mkdir()
    if content:
        (folder / "results.json").write_text(content)
    return folder


def test_nothing_to_compare_with_is_4_where_asked_for_and_a_regression_is_still_1(results, compared):
    both, worse = [measurement(FP32), measurement(INT8)], [measurement(FP32), measurement(INT8, map=0.3)]
    young = results("young", both[0])
    assert compared(young, results("b", *both))[0] == 0
    assert compared(young, results("b", *both), "--inconclusive", "fail")[0] == 4
    assert compared(results("a", *both), results("b", *both), "--inconclusive", "fail")[0] == 0
    assert compared(results("a", *both), results("b", *worse), "--inconclusive", "fail")[0] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds neither a results.json nor baselines"),
        ('{"schema": 1', "is not a results.json"),
        ('{"schema": 2}', "has schema 2"),
        ('{"schema": 1, "cells": [{}]}', "is not a results.json"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_what_cannot_be_read_is_one_line_and_2(results, compared, tmp_path, content, message, swapped):
    pair = [results("fine", measurement()), broken_results(tmp_path / "broken", content)]
    code, text = compared(*(pair[::-1] if swapped else pair))
    assert code == 2
    assert text.startswith("quantgate: ")
    assert message in text
    assert text.count("\n") == 1


def test_a_new_side_without_gates_is_no_results_json(results, compared, tmp_path):
    broken = broken_results(tmp_path / "broken", '{"schema": 1, "cells": []}')
    code, text = compared(results("fine", measurement()), broken)
    assert code == 2
    assert "is not a results.json: KeyError 'suites'" in text


def test_the_table_fits_a_narrow_terminal(results, compared, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, text = compared(results("a", measurement(FP32)), results("b", measurement(FP32)))
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80
    assert [line for line in text.splitlines() if FP32.id in line and "unchanged" in line and "0.4185" in line]


def test_the_worst_cell_comes_first(results, compared):
    a = results("a", measurement(FP32), measurement(INT8))
    _, text = compared(a, results("b", measurement(FP32), measurement(INT8, map=0.3)))
    assert text.index(INT8.id) < text.index(FP32.id)
