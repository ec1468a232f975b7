"""The table of a suite, as a terminal of 80, 100 and 160 columns shows it."""

from __future__ import annotations

import re

import pytest
from shown import FP32, PLAN, result, row, table, unavailable

from harness.core.cell import Cell
from harness.core.verdict import Verdict
from harness.report.common.view import View
from harness.report.terminal.cells import FIELDS, suite_sheet

INT8, HALF, DYNAMIC = (FP32.sibling(name) for name in ("int8", "fp16", "int8-dynamic"))
SLOWER = Verdict("latency", "baseline", "regressed", 1.139, 1.0, "≤ 1.05 × baseline")
ONNX = {"versions": {"onnxruntime": "1.32.0"}}
FULL = [
    result(
        FP32, baseline={"map": 0.7469}, provenance=ONNX, map=0.7469, size_bytes=9_660_000, latency_p50_ms=5.06,
        latency_ratio=None, map_50=0.896, preprocess_ms=0.42, postprocess_ms=0.26, peak_rss_bytes=100_100_000,
        attested_share=1.0,
    ),
    result(
        INT8, "regressed", [SLOWER], {"map": 0.7449}, map=0.7459, size_bytes=3_270_000, latency_p50_ms=3.5,
        latency_ratio=0.6944, agreement=0.977, map_50=0.8951, preprocess_ms=0.14, postprocess_ms=0.31,
        peak_rss_bytes=90_200_000, attested_share=0.849,
    ),
    result(
        DYNAMIC, "inconclusive", baseline={"map": 0.7457}, map=0.7457, size_bytes=2_710_000, latency_p50_ms=6.65,
        latency_ratio=1.2987, agreement=0.976, map_50=0.8955, preprocess_ms=0.22, postprocess_ms=0.35,
        peak_rss_bytes=87_700_000, attested_share=0.996,
    ),
    unavailable(FP32.sibling("bf16")),
]  # fmt: skip


def drawn(results=FULL, width=100, colour=False, **view) -> str:
    return table(suite_sheet(PLAN, results, View(**view)), width, colour)


AT_80 = """
demo: 128 images, p50 on 2 threads
                 MB ×fp32 p50 ms speed    mAP  Δ base  Δ fp32 verdict
──────────────────────────────────────────────────────────────────────────
yolo26n · onnxruntime 1.32.0 · cpu
★ fp32         9.66  1.00   5.06     – 0.7469  0.0000       – unchanged
★ int8         3.27  0.34   3.50 1.44× 0.7459 +0.0010 −0.0010 regressed
  int8-dynamic 2.71  0.28   6.65 0.77× 0.7457  0.0000 −0.0012 inconclusive
  unavailable: bf16"""

AT_100 = """
demo: 128 images, p50 on 2 threads
                 MB ×fp32 p50 ms speed Δ time    mAP  Δ base  Δ fp32 agree verdict      gate
───────────────────────────────────────────────────────────────────────────────────────────────
yolo26n · onnxruntime 1.32.0 · cpu
★ fp32         9.66  1.00   5.06     –      – 0.7469  0.0000       –     – unchanged
★ int8         3.27  0.34   3.50 1.44× +13.9% 0.7459 +0.0010 −0.0010 0.977 regressed    latency
  int8-dynamic 2.71  0.28   6.65 0.77×      – 0.7457  0.0000 −0.0012 0.976 inconclusive
  unavailable: bf16"""

AT_160 = """
demo: 128 images, p50 on 2 threads
                  MB  ×fp32  p50 ms  speed  Δ time     mAP  mAP 50   Δ base   Δ fp32  agree  attested  pre ms  post ms  RSS MB  verdict       gate
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
yolo26n · onnxruntime 1.32.0 · cpu
★ fp32          9.66   1.00    5.06      –       –  0.7469  0.8960   0.0000        –      –      100%    0.42     0.26     100  unchanged
★ int8          3.27   0.34    3.50  1.44×  +13.9%  0.7459  0.8951  +0.0010  −0.0010  0.977       85%    0.14     0.31      90  regressed     latency
  int8-dynamic  2.71   0.28    6.65  0.77×       –  0.7457  0.8955   0.0000  −0.0012  0.976      100%    0.22     0.35      88  inconclusive
  unavailable: bf16"""  # noqa: E501


@pytest.mark.parametrize(("width", "expected"), [(80, AT_80), (100, AT_100), (160, AT_160)])
def test_the_table_uses_the_width_that_there_is(width, expected):
    shown = drawn(width=width, sort="cell")
    assert shown == expected[1:]
    assert max(map(len, shown.splitlines())) <= width


def test_columns_give_way_in_a_defined_order_and_the_verdict_never():
    order = sorted((field.column for field in FIELDS), key=lambda column: -column.gives_way)
    assert [column.title for column in order] == [
        "mJ", "RSS MB", "post ms", "pre ms", "mAP 50", "attested", "p99 ms", "box mAP", "agree", "gate", "Δ time",
        "×fp32", "MB", "Δ fp32", "speed", "p50 ms", "Δ base", "mAP", "verdict",
    ]  # fmt: skip


def test_fp32_comes_first_in_its_group_and_the_worst_of_the_others_next():
    other = [result(cell) for cell in (FP32, INT8, HALF)]
    broken = result(DYNAMIC, "error")
    lines = drawn([*other, broken]).splitlines()[4:]
    assert [line[2:].split()[0] for line in lines] == ["fp32", "int8-dynamic", "int8", "fp16"]


def test_the_group_with_the_worst_cell_comes_first_and_what_cannot_run_last():
    fine, gone, bad = (Cell("yolo26n", "fp32", name) for name in ("litert", "tensorrt", "torch"))
    text = drawn([result(fine), unavailable(gone), result(bad, "missed")])
    assert re.findall(r"· (\w+)", text.replace(" · cpu", "")) == ["torch", "litert", "tensorrt"]


def test_a_number_has_the_colour_of_the_verdict_on_it():
    limit = Verdict("map", "fp32", "missed", 0.7, 0.75, "≥ 0.73")
    text = drawn([result(FP32, map=0.75), result(INT8, "missed", [limit], map=0.7)], colour=True)
    red = re.findall(r"\x1b\[1;31m\s*([^\x1b]+?)\s*\x1b", row(text, "int8"))
    assert red == ["−0.0500", "missed", "map (fp32)"]
    assert re.search(r"\x1b\[32munchanged", text)


def test_a_metric_that_the_table_is_sorted_by_has_a_column_that_stays():
    assert "mAP 50" not in drawn(width=80)
    assert "mAP 50" in drawn(width=80, sort="map_50")
    assert "mar_10" in drawn([result(FP32, mar_10=0.5)], width=40, sort="mar_10")


def test_a_sorted_table_names_cells_in_full():
    lines = drawn(width=100, sort="latency_p50_ms").splitlines()
    ids = [line[2:].split()[0] for line in lines[3:6]]
    assert ids == [INT8.id, FP32.id, DYNAMIC.id]
    assert lines[6].strip() == f"unavailable: {FP32.sibling('bf16').id}"


def test_what_executed_is_shown_only_where_the_name_says_something_else():
    text = drawn([result(HALF, executed={"f32": 100}), result(INT8, executed={"i8": 90, "f32": 10})])
    assert "fp16 (f32)" in text
    assert "int8 (" not in text


def test_a_ready_file_says_what_it_is():
    ready = result(FP32.sibling("ready"), provenance={"precision": "int8"}, executed={"i8": 1})
    assert "ready: int8 " in drawn([ready])


def test_a_missing_cell_stands_under_a_heading_of_its_own():
    missing = type(FULL[0])("demo", "yolo26n-int8-litert-cpu", None, "missing", "gone", None)
    lines = drawn([FULL[0], missing]).splitlines()
    assert lines[3] == "not in the suite any more"
    shown = lines[4].split()
    assert (shown[0], set(shown[1:-1]), shown[-1]) == ("yolo26n-int8-litert-cpu", {"–"}, "missing")


def test_filtered_cells_are_counted():
    assert drawn(show="int8-dynamic").startswith("demo: 128 images, p50 on 2 threads, 1 of 4 cells shown")
