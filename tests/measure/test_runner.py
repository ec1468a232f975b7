"""Measuring with the null backend: one measurement per cell and run, groups timed together, failures contained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import coco, null_weights

from harness import Suite, matrix
from harness.core.cell import Cell
from harness.inputs.finder import Settings
from harness.measure.latency.wall_clock import BLOCK
from harness.measure.runner import Runner, siblings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "run", tmp_path / "cache", timeout_s=20)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    null_weights(tmp_path / "good.json")
    null_weights(tmp_path / "bad.json", fault="crash")
    cells = matrix(["good.json", "bad.json"], ["fp32", "int8"], "null", imgsz=64)
    return Suite("demo", str(coco(tmp_path)), cells, warmup=1)


def cell(suite: Suite, name: str) -> Cell:
    return next(cell for cell in suite.cells if cell.id.startswith(name))


def test_a_cell_is_measured_once_a_run_and_kept_on_disk(settings: Settings, suite: Suite, tmp_path: Path) -> None:
    wanted = cell(suite, "good-fp32")
    first = Runner(settings).accuracy(suite, tmp_path, wanted)
    (tmp_path / "good.json").unlink()  # another process of the same run asks: nothing is read again
    assert Runner(settings).accuracy(suite, tmp_path, wanted) == first
    assert first.metrics["map"] is not None
    assert json.loads((settings.run / "demo" / f"{wanted}.accuracy.json").read_text())["metrics"] == first.metrics


def test_siblings_are_timed_together_and_the_ratio_is_theirs(settings: Settings, suite: Suite, tmp_path: Path) -> None:
    int8, fp32 = cell(suite, "good-int8"), cell(suite, "good-fp32")
    timed = Runner(settings).latency(suite, tmp_path, int8, [int8])
    assert timed.metrics["latency_calls"] == suite.calls
    assert timed.metrics["latency_ratio"] is not None
    reference = Runner(settings).latency(suite, tmp_path, fp32, [fp32])
    assert len(reference.samples["latency_ms"]) == -(-suite.calls // BLOCK) * BLOCK
    assert reference.metrics["latency_ratio"] is None


def test_a_cell_that_crashes_costs_its_own_measurement_only(settings: Settings, suite: Suite, tmp_path: Path) -> None:
    runner = Runner(settings)
    broken = runner.accuracy(suite, tmp_path, cell(suite, "bad-fp32"))
    assert broken.failure is not None
    assert broken.failure[0] == "error"
    assert "SIGABRT" in broken.failure[1]
    assert "crashing as scripted" in broken.failure[1]
    assert runner.latency(suite, tmp_path, cell(suite, "bad-int8"), suite.cells).failure is not None
    assert runner.accuracy(suite, tmp_path, cell(suite, "good-fp32")).failure is None


def test_what_cannot_run_is_unavailable_with_its_reason(settings: Settings, tmp_path: Path) -> None:
    suite = Suite("demo", str(coco(tmp_path)), matrix("yolo26n", "fp16", "torch"))
    measured = Runner(settings).accuracy(suite, tmp_path, suite.cells[0])
    assert measured.failure is not None
    assert measured.failure[0] == "unavailable"
    assert "float16" in measured.failure[1]


def test_siblings_differ_in_precision_only() -> None:
    one = Cell("m", "fp32", "torch")
    assert siblings(one, one.sibling("int8"))
    assert not siblings(one, Cell("m", "fp32", "openvino"))
    assert not siblings(one, Cell("m", "fp32", "torch", batch=2))
