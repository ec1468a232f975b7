"""Markdown of results: what comes first, what a reader is told to do, and that foreign text stays text."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.core.status import FAILING, Status
from harness.core.verdict import Verdict
from harness.report.markdown import LIMIT, render_markdown
from harness.store.results import CellResult, Recorded

NASTY = "a|b`c``d\n| e |<script>alert(1)</script> *f* _g_ [h](i) ![j](k) @team #1 ~~l~~ $m$ \\ </code> <!-- \x1b[31m"
DETAIL = "−0.0400, 99% interval −0.0500…−0.0300; 128 images prove drops above 0.0100"


def verdict(
    status: Status = "regressed", metric: str = "map", against: str = "baseline", detail: str = DETAIL
) -> Verdict:
    return Verdict(metric, against, status, 0.71, 0.75, "≥ 0.745", detail)  # type: ignore[arg-type]


def row(name: str, status: Status = "unchanged", *verdicts: Verdict, suite: str = "digits", **changes) -> CellResult:
    cell = Cell(name, "fp32", "onnxruntime")
    measured = Measurement(cell, metrics={"map": 0.71, "size_bytes": 2_500_000, "latency_p50_ms": 3.25}, **changes)
    return CellResult(suite, name, cell, status, None, measured, verdicts, {"map": 0.75}, "suites/test_digits.py")


def results(*cells: CellResult, **environment: str) -> Recorded:
    known = {"machine_class": "epyc-2c", "cpu": "EPYC", "command": "pytest suites/digits -n auto", **environment}
    suites = [{"name": name, "file": "suites/test_digits.py", "line": 12} for name in {one.suite for one in cells}]
    return Recorded(cells, suites, {}, known, {})


def html(text: str) -> str:
    """As GitHub draws it, as far as CommonMark and tables go."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def table(text: str) -> list[list[str]]:
    """The cells of the table's body, as a reader sees them."""
    shown: list[list[str]] = []
    within = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        within = token.type == "td_open" or (within and token.type != "td_close")
        if token.type == "tr_open":
            shown.append([])
        if token.type == "inline" and within and token.children is not None:
            shown[-1].append("".join(child.content for child in token.children if child.type == "text"))
    return [one for one in shown if one]


def test_the_verdict_comes_first_then_what_failed_and_how_sure_then_the_table_then_what_to_do() -> None:
    text = render_markdown(results(row("good"), row("bad", "regressed", verdict())))
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "### ❌ quantgate: 1 of 2 cells regressed"
    assert lines[1] == "digits on epyc-2c: 1 regressed, 1 unchanged"
    assert lines[2] == "**What failed, and how sure**"
    assert "map regressed: observed 0.71, expected ≥ 0.745 (baseline 0.75): −0.0400, 99% interval" in lines[3]
    order = [
        text.index(part)
        for part in ("How sure".lower(), "| ❌ |", "**Reproduce**", "pytest suites/digits", "**Accept**")
    ]
    assert order == sorted(order)
    assert 'quantgate baseline accept .quantgate/results.json --reason "why"' in text
    assert table(text) == [
        ["❌", "bad", "regressed", "0.7100", "−0.0400", "–", "3.25", "–", "2.50"],
        ["✅", "good", "unchanged", "0.7100", "−0.0400", "–", "3.25", "–", "2.50"],
    ]


def test_a_fine_run_says_so_and_has_nothing_to_accept() -> None:
    text = render_markdown(results(row("good"), row("fast", "improved")))
    assert "### ✅ quantgate: 2 cells fine" in text
    assert "**Reproduce**" in text
    assert "Accept" not in text and "What failed" not in text


def test_what_is_undecided_is_no_success() -> None:
    unsure = row("unsure", "inconclusive", verdict("inconclusive", "latency", detail="+4.0% ± 6.0% by 7 processes"))
    text = render_markdown(results(row("good"), unsure))
    assert "### ⚠️ quantgate: nothing failed, 1 of 2 cells undecided" in text
    assert "latency inconclusive" in text and "+4.0% ± 6.0% by 7 processes" in text
    assert "### ❌ quantgate: 1 of 2 cells inconclusive" in render_markdown(
        results(row("good"), unsure), FAILING | {"inconclusive"}
    )


def test_an_error_and_a_missing_cell_say_their_reason() -> None:
    broken = CellResult("digits", "broken", None, "error", "RuntimeError: no memory", None)
    gone = CellResult("digits", "gone", None, "missing", "the baselines have this cell and the suite has not", None)
    text = render_markdown(results(broken, gone))
    assert "❌ quantgate: 2 of 2 cells error or worse than allowed" in text
    assert "RuntimeError: no memory" in text and "the baselines have this cell" in text
    assert "baseline accept" in text, "a missing cell is accepted as a change is"


def test_a_run_against_a_commit_says_against_what_and_how_it_is_accepted() -> None:
    text = render_markdown(results(row("bad", "regressed", verdict()), base="HEAD~1 (1a2b3c4)"))
    assert "digits on epyc-2c, against HEAD\\~1 (1a2b3c4): 1 regressed" in text
    assert "merging accepts it" in text


def test_the_gated_change_of_latency_has_a_column() -> None:
    timed = Verdict("latency", "baseline", "regressed", 1.123, 1.0, "≤ 1.05 × baseline")
    assert table(render_markdown(results(row("slow", "regressed", timed))))[0][7] == "+12.3%"


def test_cells_of_several_suites_carry_their_suites_name() -> None:
    shown = table(render_markdown(results(row("one"), row("two", suite="coco"))))
    assert {fields[1] for fields in shown} == {"digits: one", "coco: two"}


def test_notes_are_said_once_with_the_number_of_cells() -> None:
    text = render_markdown(results(row("one", notes=("ran in f32",)), row("two", notes=("ran in f32",))))
    assert text.count("ran in f32") == 1
    assert "- 2 cells: ran in f32" in text


def test_foreign_text_stays_text() -> None:
    text = render_markdown(
        results(row(NASTY, "regressed", verdict(detail=NASTY), notes=(NASTY,)), command=f"pytest '{NASTY}'")
    )
    drawn = html(text)
    for breaking in ("<script>", "<em>", "<a ", "<img", "<s>", "\x1b", "@team"):
        assert breaking not in drawn.partition("<pre>")[0] + drawn.partition("</pre>")[2], breaking
    (fields,) = table(text)
    assert len(fields) == 9
    assert fields[1].startswith("a|b`c``d | e |<script>alert(1)</script>")
    assert drawn.count("<code") == drawn.count("</code>")


@quick
@given(st.text(min_size=1), st.text())
def test_any_name_is_one_field_of_one_row(name: str, detail: str) -> None:
    shown = table(render_markdown(results(row(name, "regressed", verdict(detail=detail)), row("good"))))
    assert [len(fields) for fields in shown] == [9, 9]
    assert shown[1][1] == "good"


@pytest.mark.parametrize("status", ["regressed", "unchanged", "inconclusive"])
@pytest.mark.parametrize("name", ["yolo26n", NASTY, "é" * 3_000])
def test_a_huge_matrix_fits_with_the_worst_first_and_the_rest_counted(status: Status, name: str) -> None:
    many: Sequence[CellResult] = [
        row(f"{n}{name}", status, verdict(status, detail=f"{n}{NASTY * 20}"), notes=(f"{n}{NASTY}",))
        for n in range(5_000)
    ]
    text = render_markdown(results(*many, row("the-worst", "error", verdict("error")), command="x" * 100_000))
    assert len(text.encode()) <= LIMIT
    shown = table(text)
    assert shown[0][1] == "the-worst"
    assert len(shown) > 50
    assert f"… and {5_001 - len(shown)} more cells: {5_001 - len(shown)} {status}" in text
    assert "**Reproduce**" in text and "**Accept**" in text


def test_200_cells_take_no_time_and_are_all_there() -> None:
    start = time.process_time()
    text = render_markdown(
        results(*(row(f"yolo26n-int8-onnxruntime-cpu-{n}", "regressed", verdict()) for n in range(200)))
    )
    assert time.process_time() - start < 3
    assert len(table(text)) == 200
