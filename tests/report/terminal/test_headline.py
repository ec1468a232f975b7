"""The one line that is pasted into a chat."""

from __future__ import annotations

import dataclasses

from shown import FP32, result, unavailable

from harness.core.status import FAILING
from harness.core.verdict import Verdict
from harness.report.terminal.headline import chat_line

INT8 = FP32.sibling("int8")
WHOLE = result(FP32, map=0.75, size_bytes=10_000_000, latency_p50_ms=5.0)
PROVEN = Verdict(
    "map", "baseline", "regressed", 0.7, 0.72, "≥ 0.715",
    "−0.0200, 99% interval −0.0310…−0.0090; 256 images prove drops above 0.0060",
)  # fmt: skip


def said(*results, failing=FAILING, revision="11a0358") -> str:
    return chat_line("demo", results, failing, "amd-2c", revision)


def test_a_passing_run_names_the_fastest_cell_against_fp32():
    int8 = result(INT8, map=0.745, size_bytes=3_000_000, latency_p50_ms=2.5, latency_ratio=0.5)
    assert said(WHOLE, int8, unavailable(FP32.sibling("bf16"))) == (
        "quantgate demo on amd-2c at 11a0358: 2 unchanged, 1 unavailable; fastest that passes: "
        "yolo26n-int8-onnxruntime-cpu: mAP 0.7450, 2.50 ms, 3.00 MB "
        "(against fp32: −0.0050, 2.00× as fast, 0.30× the size)"
    )


def test_a_regression_comes_with_its_interval():
    line = said(WHOLE, result(INT8, "regressed", [PROVEN]))
    assert line.startswith("quantgate demo on amd-2c at 11a0358: 1 regressed, 1 unchanged; worst: ")
    assert (
        "worst: yolo26n-int8-onnxruntime-cpu map regressed: −0.0200, 99% interval −0.0310…−0.0090, allowed ≥ 0.715;"
        in line
    )


def test_the_worst_of_several_is_the_farthest_from_its_reference():
    slower = Verdict("latency", "baseline", "regressed", 1.4, 1.0, "≤ 1.05 × baseline", "+40.0% ± 2.0% by 7 processes")
    other = result(FP32.sibling("fp16"), "regressed", [slower])
    assert f"worst: {other.id} latency regressed: +40.0% ± 2.0%" in said(result(INT8, "regressed", [PROVEN]), other)


def test_an_error_outweighs_a_regression():
    broken = dataclasses.replace(result(INT8, "error"), reason="its process was killed by SIGSEGV")
    line = said(result(FP32, "regressed", [PROVEN]), broken)
    assert f"worst: {INT8.id} error: its process was killed by SIGSEGV" in line


def test_what_an_option_makes_fail_is_the_worst_too():
    unsure = Verdict("map", "fp32", "inconclusive", None, None, "≥ 0.4", "fp32 sibling: it crashed")
    cell = result(INT8, "inconclusive", [unsure])
    assert "worst" not in said(cell)
    assert f"worst: {INT8.id} map against fp32 inconclusive: nothing, fp32 sibling: it crashed" in said(
        cell, failing=FAILING | {"inconclusive"}
    )


def test_without_times_the_smallest_cell_is_named_and_without_a_commit_none():
    line = said(
        result(FP32, map=0.75, size_bytes=10_000_000), result(INT8, map=0.74, size_bytes=4_000_000), revision=""
    )
    assert line.startswith("quantgate demo on amd-2c: ")
    assert line.endswith(
        f"smallest that passes: {INT8.id}: mAP 0.7400, 4.00 MB (against fp32: −0.0100, 0.40× the size)"
    )


def test_it_is_one_line_also_where_nothing_was_measured():
    assert said(unavailable(FP32)) == "quantgate demo on amd-2c at 11a0358: 1 unavailable"
