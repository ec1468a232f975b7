"""What the report draws: one row a cell, and its changes with their intervals."""

from __future__ import annotations

import dataclasses

import pytest
from reports import DROPPED, FP16, FP32, GATES, INT8, SLOWER, regressed, result, scored

from harness import Gate
from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.report.html.chart_rows import gate_bound, rows_of_suite, thinned_samples
from harness.store.results import CellResult


def by_id(cells, gates=GATES):
    return {row.id: row for row in rows_of_suite(cells, gates)}


def test_a_row_says_what_the_table_shows():
    fp32, fp16, int8 = rows_of_suite(regressed(), GATES, first=4)
    assert [row.index for row in (fp32, fp16, int8)] == [4, 5, 6]
    assert (int8.model, int8.backend, int8.family, int8.precision) == ("yolo26n", "onnxruntime", "int8", "int8")
    assert (int8.size_ratio, int8.speed, int8.image_ms) == (1.0, 2.0, 5.0)
    assert "map_large" not in int8.metrics  # nothing was measured
    assert list(int8.metrics)[:2] == ["map", "map_50"]  # in the order of METRICS
    assert fp32.speed is None


def test_a_batch_is_shown_by_the_image():
    batch = dataclasses.replace(FP32, batch=4)
    assert rows_of_suite([result(batch, measured=scored(batch))], ())[0].image_ms == 1.25


def test_a_label_says_only_what_differs():
    assert [row.label for row in rows_of_suite(regressed(), GATES)] == ["fp32", "fp16", "int8"]
    other = dataclasses.replace(INT8, backend="openvino", model="yolo11n")
    labels = [row.label for row in rows_of_suite([result(INT8), result(other, measured=scored(other))], ())]
    assert labels == ["yolo26n onnxruntime int8", "yolo11n openvino int8"]


def test_a_missing_cell_is_a_row_with_a_name():
    gone = CellResult("demo", "old-cell", None, "missing", "the suite has it not", None)
    (row,) = rows_of_suite([gone], GATES)
    assert (row.id, row.label, row.model, dict(row.metrics)) == ("old-cell", "old-cell", "", {})


def test_changes_are_differences_with_interval_and_limit():
    changes = by_id(regressed())[INT8.id].changes
    drop = changes["baseline"]
    assert (drop.value, drop.low, drop.high, drop.limit) == pytest.approx((-0.02, -0.03, -0.01, -0.005))
    assert drop.status == "regressed"
    slower = changes["latency"]
    assert (slower.value, slower.low, slower.high, slower.limit) == pytest.approx((0.2, 0.17, 0.23, 0.05))


def test_the_change_against_fp32_has_an_interval_of_the_same_resamples():
    own = by_id(regressed())[INT8.id].changes["fp32"]
    assert own.value == pytest.approx(-0.02)
    assert own.low < own.value < own.high
    assert own.high - own.low < 0.02  # what both sides share has dropped out
    assert "fp32" not in by_id(regressed())[FP32.id].changes


def test_processes_scatter_around_what_the_verdict_observed():
    row = by_id(regressed())[INT8.id]
    assert len(row.processes) == 3
    assert row.processes[1] == pytest.approx(1.2, abs=1e-4)
    assert row.processes[0] < row.processes[1] < row.processes[2]


def test_one_resample_gives_no_interval_instead_of_an_infinite_one():
    cells = [result(cell, measured=scored(cell, samples={"map_resampled": [0.4]})) for cell in (FP32, INT8)]
    change = by_id(cells)[INT8.id].changes["fp32"]
    assert (change.low, change.high) == (None, None)


@pytest.mark.parametrize(
    ("gate", "reference", "expected"),
    [
        (Gate("map", max_drop=0.01), 0.4, 0.39),
        (Gate("size_bytes", max_rise=0.01), 1000, 1010),
        (Gate("latency", max_rise=0.05), 1.0, 1.05),
        (Gate("latency", max_ratio=0.9, against="fp32"), 1.0, 0.9),
        (Gate("attested_share", min=0.65), None, 0.65),
        (Gate("map", max_drop=0.01), None, None),
    ],
)
def test_the_bound_of_a_gate(gate, reference, expected):
    assert gate_bound(gate, reference) == pytest.approx(expected)


def test_a_great_many_calls_are_drawn_as_quantiles():
    calls = [float(n) for n in range(10_000)]
    drawn = thinned_samples(calls)
    assert (len(drawn), drawn[0], drawn[-1]) == (200, 0.0, 9999.0)
    assert thinned_samples([3.0, 1.0]) == [3.0, 1.0]


def test_a_cell_that_was_not_scored_has_not_changed():
    absent = result(INT8, "unavailable", measured=Measurement(INT8, failure=("unavailable", "no runtime")))
    assert by_id([result(FP32), absent])[INT8.id].changes == {}


def test_the_front_is_marked():
    slow = scored(INT8, 0.38, metrics={"map": 0.38, "latency_p50_ms": 9.0, "size_bytes": 1.0})
    shown = by_id([result(FP32), result(FP16, measured=scored(FP16, 0.39)), result(INT8, measured=slow)])
    assert [shown[cell.id].front for cell in (FP32, FP16, INT8)] == [True, False, False]


def test_verdicts_without_a_gate_of_the_suite_have_no_limit():
    cell = Cell("m", "int8", "onnxruntime")
    row = by_id([result(cell, "regressed", DROPPED, SLOWER, measured=scored(cell))], ())[cell.id]
    assert row.changes["baseline"].limit is None
    assert row.changes["baseline"].low is not None
