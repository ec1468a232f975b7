"""The tests that a suite becomes: when they pass, are skipped or fail, and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import FP32 as FLOAT
from demoproject import FP32, INT8, Demo, output, section

from harness import Cell, Measurement, Unavailable, Verdict
from harness.core.measurement import Artifact
from harness.core.processes import Target
from harness.plugin import items
from harness.plugin.cell_run import CellRun
from harness.plugin.items import CellFailure, CellTest, can_be_had, declared_line
from harness.store.base_revision import Base
from harness.store.records import Record

LOST = Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408")
LARGE = Verdict("size_bytes", "limit", "missed", 2000, None, "≤ 1000")
FINE = Verdict("map_50", "fp32", "met", 0.6, 0.6, "≥ 0.59")
UNSURE = Verdict("f1_op", "baseline", "inconclusive", 0.5, 0.5, "≥ 0.49")


@pytest.fixture
def ending(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CellTest]:
    """A function that makes `test_accuracy[model-fp32-null-cpu]` of a run that finds what its arguments say."""

    def ending(*verdicts: Verdict, failure: tuple[str, str] | None = None, **changes: Any) -> CellTest:
        collected = demo.pytester.getitems((demo.path / "test_demo.py").read_text())
        (item,) = [one for one in collected if isinstance(one, CellTest) and one.phase == "accuracy"]
        for name, value in changes.items():
            setattr(item.state, name, value)
        measured = Measurement(item.cell, metrics={"map": 0.4, "agreement": 0.9}, failure=failure)
        monkeypatch.setattr(CellRun, "record", lambda run: Record("demo", "accuracy", measured, verdicts))
        return item

    return ending


def message(test: CellTest) -> str:
    """What pytest shows of the failing test."""
    with pytest.raises(CellFailure) as raised:
        test.runtest()
    return str(test.repr_failure(raised))


# A test of one cell


def test_a_test_publishes_its_record_and_its_stored_metrics_become_properties(ending) -> None:
    test = ending(FINE)
    test.runtest()
    kept = Record.read(Record.path(test.state.settings.run, "demo", "accuracy", test.cell))
    assert kept.verdicts == (FINE,)
    assert test.user_properties == [("map", 0.4)]


def test_a_failing_test_says_one_line_for_each_failing_gate_without_a_traceback(ending) -> None:
    assert message(ending(LOST, FINE, LARGE, UNSURE)).splitlines() == [
        f"{FP32}: map regressed: observed 0.4, expected ≥ 0.408 (baseline 0.41)",
        f"{FP32}: size_bytes missed: observed 2000, expected ≤ 1000",
    ]


def test_an_option_decides_whether_an_undecided_verdict_fails(ending) -> None:
    ending(UNSURE).runtest()
    assert message(ending(UNSURE, inconclusive_fails=True)).startswith(f"{FP32}: f1_op inconclusive: ")


def test_an_error_fails_and_an_unavailable_cell_is_skipped_with_the_reason(ending) -> None:
    assert message(ending(failure=("error", "it crashed"))) == f"{FP32}: error: it crashed"
    with pytest.raises(pytest.skip.Exception, match="no runtime"):
        ending(failure=("unavailable", "no runtime")).runtest()


def test_a_cell_that_the_base_has_measured_may_not_be_unavailable(ending, demo: Demo) -> None:
    target = Target(Cell("model", "fp32", "null", imgsz=64), Artifact("model.json", "k", 1), "pixels.npy", {})
    target.publish(demo.path / "base" / "runs" / "one", "demo")
    base = Base("HEAD~1", (), "python", "", str(demo.path / "base"))
    test = ending(failure=("unavailable", "no runtime"), base=base)
    assert message(test) == f"{FP32}: unavailable but measured on the base HEAD~1: no runtime"


def test_a_required_backend_may_be_unavailable_only_where_nothing_could_be_installed(
    ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = ending(failure=("unavailable", "no runtime"), require_backends=("null",))
    assert message(test) == f"{FP32}: unavailable but required: no runtime"
    monkeypatch.setattr(items, "can_be_had", lambda cell: False)
    with pytest.raises(pytest.skip.Exception):
        test.runtest()


def test_what_could_be_installed_can_be_had_and_a_missing_kernel_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_be_had(FLOAT)
    assert not can_be_had(FLOAT.sibling("w8a16")), "no recipe of ONNX Runtime"
    monkeypatch.setattr("harness.backends.tensorrt.probe", missing)
    assert can_be_had(Cell("yolo26n", "fp32", "tensorrt", "cuda"))


def missing(cell: Cell) -> str:
    raise Unavailable("tensorrt is not installed")


def test_an_unavailable_cell_is_skipped_with_the_reason(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "w8a16"])
    result = demo.run("-m", "accuracy", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    reason = "this version of quantgate has no w8a16 recipe for null"
    assert any(line.startswith("SKIPPED") and reason in line for line in result.outlines)
    assert f"unavailable: null w8a16: {reason}" in output(result)
    assert demo.statuses() == {FP32: "no-baseline", "model-w8a16-null-cpu": "unavailable"}


def test_a_required_backend_that_is_not_installed_fails(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT is what cannot be installed where these tests run; with a GPU at hand there is nothing to see."""
    monkeypatch.setattr("harness.backends.tensorrt.probe", missing)
    demo.suite(backends=["null", "tensorrt"])
    result = demo.run("-m", "accuracy", "--qg-require-backends=tensorrt,null")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ")[0].startswith("model-fp32-tensorrt-cuda: unavailable but required: ")


def test_what_no_machine_can_run_is_not_required(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "w8a16"])
    result = demo.run("-m", "accuracy", "--qg-require-backends=onnxruntime,null")
    result.assert_outcomes(passed=1, skipped=1)


# The test of the baselines


@pytest.fixture
def shrunk(demo: Demo) -> Demo:
    """The project after its int8 cell was accepted and then taken out of the suite."""
    demo.suite(precisions=["fp32", "int8"])
    demo.run("-m", "accuracy", "--qg-baseline-update")
    demo.suite(precisions=["fp32"])
    return demo


def test_a_cell_that_left_the_suite_fails_a_full_run(shrunk: Demo) -> None:
    result = shrunk.run()
    result.assert_outcomes(failed=1, passed=2)
    assert f"demo: missing: {INT8}: in" in section(result, " FAILURES ")[0]
    assert shrunk.statuses() == {FP32: "unchanged", INT8: "missing"}


def test_a_cell_that_left_the_suite_is_not_missed_by_a_partial_run(shrunk: Demo) -> None:
    assert shrunk.run("-k", "fp32 and accuracy").ret == 0
    assert shrunk.statuses() == {FP32: "unchanged"}


def test_a_full_update_drops_the_baseline_of_a_cell_that_left_the_suite(shrunk: Demo) -> None:
    assert shrunk.run("--qg-baseline-update").ret == 0
    assert {file.stem for file in shrunk.baselines()} == {FP32}


def test_a_cell_that_left_the_suite_is_removed_from_the_base_unless_that_is_allowed(demo: Demo) -> None:
    row = {
        "suite": "demo", "id": INT8, "cell": None, "status": "met", "reason": None, "verdicts": [], "baseline": None,
        "explanation": None,
    }  # fmt: skip
    suites = [{"name": "demo", "file": "test_demo.py", "gates": []}]
    content = {"schema": 1, "environment": {}, "suites": suites, "cells": [row]}
    (demo.path / "results.json").write_text(json.dumps(content))
    for allowed in (False, True):
        base = Base("HEAD~1", ("quantgate", "gate"), "python", "", str(demo.path), allow_removed=allowed)
        base.write(demo.path / "base.json")
        result = demo.run("-k", "baselines", "--qg-base=base.json")
        assert result.ret == (0 if allowed else 1)
        said = f"demo: removed: {INT8}: on the base HEAD~1, not in this suite; restore the cells, or allow it with "
        assert (f"{said}--allow-removed" in output(result)) is not allowed


# Where a suite is declared


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import x\n\nSUITE = x.make(\n 1)\n", 3),
        ("SUITE: object = 1\n", 1),
        ("SUITE = 1\nOTHER = 2\nSUITE = 3\n", 3),
        ("if True:\n  pass\nfrom x import SUITE\n", 1),
    ],
)
def test_a_suite_is_declared_where_its_variable_is_assigned_last(tmp_path: Path, source: str, expected: int) -> None:
    (tmp_path / "test_it.py").write_text(source)
    assert declared_line(tmp_path / "test_it.py", "SUITE") == expected
