"""What `-v` adds: every metric there is, AP by class, every gate in words."""

from __future__ import annotations

from shown import FP32, rendered, result

from harness.core.metrics import GATED, METRICS
from harness.core.verdict import Verdict
from harness.report.common.tables import draw, pages
from harness.report.common.view import View
from harness.report.terminal.details import TABLES, column_notes, judged, sheets

INT8 = FP32.sibling("int8")
VIEW = View(verbosity=1)


def drawn(results, width=100) -> str:
    parts = [part for sheet in sheets(results, VIEW) for page in pages(sheet, width) for part in draw(page, width)]
    return rendered(parts, width)


def test_every_metric_that_a_cell_can_have_stands_in_a_table():
    shown = {metric for columns in TABLES.values() for metric in columns.values()}
    assert shown | {"preprocess_ms", "postprocess_ms"} == METRICS.keys() - {*GATED, "class_ap"}


def test_no_metric_gives_way_to_a_narrow_terminal():
    text = drawn([result(FP32, **dict.fromkeys(METRICS, 1.0))], width=50)
    assert max(map(len, text.splitlines())) <= 50
    for columns in TABLES.values():
        assert all(name in text for name in columns)


def test_stages_are_of_an_image_and_add_up():
    batched = result(
        type(FP32)("yolo26n", "fp32", "onnxruntime", batch=4), preprocess_ms=0.5, latency_p50_ms=8.0, postprocess_ms=1.5
    )
    lines = drawn([batched]).splitlines()
    start = lines.index("stages of an image")
    assert lines[start + 1 : start + 5] == [
        "      preprocess ms  infer ms  postprocess ms  together ms  infer share",
        "───────────────────────────────────────────────────────────────────────",
        "yolo26n · onnxruntime · cpu",
        "fp32           0.50      2.00            1.50         4.00          50%",
    ]


def test_classes_show_fp32_and_the_change_of_the_others_the_largest_loss_first():
    fp32 = result(FP32, per_class={"cat": 0.5, "dog": 0.8, "owl": 0.1})
    int8 = result(INT8, per_class={"cat": 0.51, "dog": 0.6, "owl": None})
    assert drawn([fp32, int8]).splitlines()[-6:] == [
        "AP by class: yolo26n · onnxruntime · cpu; of others the change to fp32",
        "     objects    fp32     int8",
        "─────────────────────────────",
        "dog       20  0.8000  −0.2000",
        "owl       20  0.1000        –",
        "cat       20  0.5000  +0.0100",
    ]


def test_without_fp32_classes_show_their_ap():
    assert drawn([result(INT8, per_class={"cat": 0.51})]).splitlines()[-1].split() == ["cat", "20", "0.5100"]


def test_what_was_not_timed_has_no_table():
    text = drawn([result(FP32)])
    assert "average precision" in text
    assert "stages" not in text
    assert "memory" not in text


def test_it_is_said_why_there_is_no_energy_and_no_p99():
    timed = result(FP32, provenance={"energy": "no counter"}, latency_calls=100, latency_p99_ms=None, energy_mj=None)
    assert list(column_notes([timed]))[-2:] == [
        "no energy: no counter",
        "no p99: nothing below 662 calls (Suite(calls=…))",
    ]
    full = result(FP32, latency_calls=700, latency_p99_ms=1.0, energy_mj=3.0)
    assert not any(line.startswith("no ") for line in column_notes([full]))


def test_every_gate_is_told_in_words():
    gate = Verdict("map", "limit", "met", 0.4185, None, "≥ 0.4")
    lines = [line.plain for line in judged([result(INT8, verdicts=[gate])], VIEW)]
    assert lines == [INT8.id, "  map met: observed 0.4185, expected ≥ 0.4"]
