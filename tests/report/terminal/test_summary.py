"""The report as a whole: what is folded, in which order its parts come, what -q leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import MACHINE
from shown import FP32, PLAN, result, unavailable

from harness.core.verdict import Verdict
from harness.report.common.view import View
from harness.report.outcome import Outcome
from harness.report.terminal.summary import summary

INT8 = FP32.sibling("int8")
MISSED = Verdict(
    "map", "fp32", "missed", 0.7, 0.75, "≥ 0.73", "a reason that is longer than what a terminal has room for"
)
RESULTS = [
    result(FP32, map=0.75, latency_p50_ms=5.0, preprocess_ms=0.4, postprocess_ms=0.3, peak_rss_bytes=1e8),
    result(INT8, "missed", [MISSED], map=0.7, latency_p50_ms=2.0, latency_ratio=0.4),
    unavailable(FP32.sibling("bf16"), "no kernels for it, and none that could be installed: take another backend"),
]


OUTCOME = Outcome([PLAN], RESULTS, View(), MACHINE, again=("pytest", "--qg-fresh"))


@pytest.mark.parametrize("width", [40, 72, 73, 74, 75, 76, 80, 100, 160])
def test_on_a_terminal_nothing_is_wider_than_it_but_what_is_made_to_be_copied(width):
    lines = summary(OUTCOME, width, colour=False, folded=True).splitlines()
    wide = [line for line in lines if len(line) > width]
    assert all(line.startswith(("  repeat: ", "results: ", "quantgate demo on ")) for line in wide)
    assert sum(line.strip("─") == "" and line != "" for line in lines) == 1, "the rule is one line"


def test_in_a_pipe_a_sentence_is_one_line():
    lines = summary(OUTCOME, 60, colour=False, folded=False).splitlines()
    assert f"unavailable: onnxruntime bf16: {RESULTS[2].reason}" in lines
    assert "  repeat: pytest --qg-fresh 'test_demo.py::test_accuracy[yolo26n-int8-onnxruntime-cpu]'" in lines


def test_the_table_comes_first_and_the_line_for_the_chat_last():
    lines = summary(replace(OUTCOME, commit="11a0358"), 100, colour=False, folded=False).splitlines()
    assert lines[0] == "demo: 128 images, p50 on 2 threads"
    assert (
        "quantgate demo on " in lines[-1] and " at 11a0358: 1 missed, 1 unchanged, 1 unavailable; worst: " in lines[-1]
    )
    assert "★ no other cell is both faster and more accurate" in lines


def test_the_front_is_explained_only_where_it_is_seen():
    assert "★" not in summary(replace(OUTCOME, view=View(show="bf16")), 100, colour=False, folded=False)


def test_q_leaves_verdicts_the_chat_line_and_what_went_wrong():
    view, problem = View(show="int8,opnvino", verbosity=-1), "results.json cannot be written"
    lines = summary(replace(OUTCOME, view=view, problem=problem), 100, colour=False, folded=False).splitlines()
    assert lines[:2] == [f"missed       {INT8}", "--qg-show: no cell matches 'opnvino'; known: bf16, cpu, error, fp32, "
                         "improved, incomparable, inconclusive, int8, met, missed, missing, no-baseline, not-run, "
                         "onnxruntime, regressed, unavailable, unchanged, yolo26n"]  # fmt: skip
    assert lines[2].startswith("quantgate demo on ")
    assert lines[3:] == ["results.json cannot be written"]
