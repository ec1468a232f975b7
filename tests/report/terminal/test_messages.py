"""The lines below the tables: why cells could not run, what is undecided, what failed and how to repeat it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import MACHINE
from rich.text import Text
from shown import FP32, PLAN, result, unavailable

from harness.core.cell import Cell
from harness.core.status import FAILING
from harness.core.verdict import Verdict
from harness.measure.accuracy.score_cache import REUSED
from harness.report.common.view import View
from harness.report.outcome import Accepted, Outcome
from harness.report.terminal.messages import message_lines
from harness.store.results import CellResult

INT8, HALF = FP32.sibling("int8"), FP32.sibling("fp16")
MISSED = Verdict("map", "fp32", "missed", 0.7, 0.75, "≥ 0.73", "it lost 0.05")
UNSURE = Verdict("map", "baseline", "inconclusive", 0.74, 0.75, "≥ 0.745", "128 images prove drops above 0.02")


def texts(results: Sequence[CellResult], **changes: Any) -> list[Text]:
    return list(message_lines(Outcome([PLAN], results, View(), MACHINE, **changes)))


def lines(results: Sequence[CellResult], **changes: Any) -> list[str]:
    return [text.plain for text in texts(results, **changes)]


def measured(one: CellResult, **changes: Any) -> CellResult:
    """The result with changes of its measurement."""
    assert one.measured
    return dataclasses.replace(one, measured=dataclasses.replace(one.measured, **changes))


def test_a_run_in_which_all_went_well_counts_cells_and_artifacts_and_says_nothing_else():
    built, kept = measured(result(FP32), timings={"build_s": 2.5}), measured(result(INT8), timings={"build_s": 0.0})
    assert lines([built, kept, result(HALF)]) == ["cells: 3 unchanged; artifacts: 1 built, 1 from the cache"]


def test_lines_go_from_what_explains_the_table_to_what_the_reader_has_to_act_on():
    results = [
        measured(result(FP32, baseline={"latency_p50_ms": 4.0}, latency_p50_ms=5.0), notes=("ran in f32",)),
        result(HALF, "inconclusive", [UNSURE]),
        result(INT8, "missed", [MISSED]),
        unavailable(FP32.sibling("bf16")),
    ]
    accepted = Accepted(Path("baselines"), 1, 0)
    starts = [line.partition(":")[0] for line in lines(results, stability=("turbo",), accepted=accepted)]
    assert starts == [
        "p50 against the stored wall clock (shown, not gated)", "unavailable", "note", "latency here is unreliable",
        "INCONCLUSIVE", "demo", "  repeat", "cells", "baselines",
    ]  # fmt: skip


# Why


def test_a_reason_is_told_once_for_all_kinds_of_cells_that_have_it():
    other = Cell("yolo11n", "int8", "onnxruntime")
    results = [
        unavailable(INT8),
        unavailable(other),
        unavailable(HALF),
        unavailable(FP32.sibling("bf16"), "no kernels"),
    ]
    assert lines(results)[:2] == [
        "unavailable: onnxruntime int8, onnxruntime fp16: no runtime",
        "unavailable: onnxruntime bf16: no kernels",
    ]


def test_the_three_largest_changes_of_the_wall_clock_are_shown_and_the_others_counted():
    moved = [
        result(FP32.sibling(name), baseline={"latency_p50_ms": 4.0}, latency_p50_ms=now)
        for name, now in (("fp32", 4.1), ("fp16", 6.0), ("int8", 1.0), ("bf16", 5.0), ("w8a16", 4.4))
    ]
    assert lines(moved)[0] == (
        "p50 against the stored wall clock (shown, not gated): yolo26n-int8-onnxruntime-cpu 4.00 → 1.00 ms, "
        "yolo26n-fp16-onnxruntime-cpu 4.00 → 6.00 ms, yolo26n-bf16-onnxruntime-cpu 4.00 → 5.00 ms and 1 more"
    )


def test_small_changes_of_the_wall_clock_are_not_worth_a_line():
    near = result(FP32, baseline={"latency_p50_ms": 4.0}, latency_p50_ms=4.1)
    assert len(lines([near, result(INT8, latency_p50_ms=9.0)])) == 1


def test_a_note_is_told_once_with_the_first_cells_that_have_it_and_a_reused_score_is_no_warning():
    cells = [FP32.sibling(name) for name in ("fp32", "fp16", "bf16", "int8")]
    noted = [measured(result(cell), notes=("ran in f32", REUSED)[: 2 if cell == INT8 else 1]) for cell in cells]
    loud, quiet = texts(noted)[:2]
    assert loud.plain == f"note: {', '.join(cell.id for cell in cells[:3])} and 1 more: ran in f32"
    assert quiet.plain == f"note: {INT8.id}: {REUSED}"
    assert (loud.style, quiet.style) == ("yellow", "dim")


def test_what_disturbs_latency_is_told_only_where_latency_was_measured():
    told = "latency here is unreliable: turbo; 3 other processes"
    stability = ("turbo", "3 other processes")
    assert told in lines([result(FP32, latency_p50_ms=5.0)], stability=stability)
    assert told not in lines([result(FP32)], stability=stability)


# What is undecided, and what failed


def test_undecided_verdicts_with_one_cause_share_a_line():
    other = dataclasses.replace(UNSURE, detail="no resamples")
    results = [result(INT8, "inconclusive", [UNSURE]), result(FP32, "inconclusive", [UNSURE]),
               result(HALF, "inconclusive", [other])]  # fmt: skip
    assert lines(results)[:2] == [
        f"INCONCLUSIVE: 2 cells ({FP32.id}, {INT8.id}): 128 images prove drops above 0.02",
        f"INCONCLUSIVE: 1 cell ({HALF.id}): no resamples",
    ]


def test_a_failing_gate_says_observed_and_expected_and_how_to_repeat_the_phase_that_it_judges():
    slower = Verdict("latency", "baseline", "regressed", 1.2, 1.0, "≤ 1.05 × baseline", "+20% ± 3%")
    told = texts([result(INT8, "regressed", [MISSED, slower])], again=("pytest", "--qg-fresh"))
    assert [text.plain for text in told[:4]] == [
        f"demo: {INT8.id}: map missed: observed 0.7, expected ≥ 0.73 (fp32 0.75): it lost 0.05",
        f"  repeat: pytest --qg-fresh 'test_demo.py::test_accuracy[{INT8.id}]'",
        f"demo: {INT8.id}: latency regressed: observed 1.2, expected ≤ 1.05 × baseline (baseline 1): +20% ± 3%",
        f"  repeat: pytest --qg-fresh 'test_demo.py::test_latency[{INT8.id}]'",
    ]
    assert [text.no_wrap for text in told[:4]] == [None, True, None, True], "a command is made to be copied"


def test_which_statuses_fail_is_up_to_the_options_of_the_run():
    unsure = [result(INT8, "inconclusive", [UNSURE])]
    assert not any("repeat:" in line for line in lines(unsure))
    assert any("repeat:" in line for line in lines(unsure, failing=FAILING | {"inconclusive"}))


def test_cells_with_one_error_share_a_line_and_the_first_is_repeated_in_both_phases():
    broken = [dataclasses.replace(result(cell, "error"), reason="killed by SIGSEGV") for cell in (INT8, HALF)]
    assert lines(broken)[:2] == [
        f"demo: {INT8.id} and 1 more: error: killed by SIGSEGV",
        f"  repeat: pytest 'test_demo.py::test_accuracy[{INT8.id}]' 'test_demo.py::test_latency[{INT8.id}]'",
    ]


def test_a_missing_cell_cannot_be_repeated():
    gone = CellResult("demo", "old-cell", None, "missing", "the suite has it not", None)
    assert lines([gone])[0] == "demo: old-cell: missing: the suite has it not"
    assert not any("repeat:" in line for line in lines([gone]))


# What was accepted


@pytest.mark.parametrize(("cells", "named"), [(["a", "b"], "a, b"), (["a", "b", "c", "d", "e"], "a, b, c and 2 more")])
def test_an_update_says_what_happened_to_gated_latencies_and_how_many_files_it_wrote(cells, named):
    accepted = Accepted(Path("baselines"), 2, 1, {"occasion 2, 10 processes": cells})
    assert lines([result(FP32)], accepted=accepted)[-2:] == [
        f"gated latency: occasion 2, 10 processes: {named}",
        "baselines: 2 written, 1 unchanged, in baselines",
    ]
