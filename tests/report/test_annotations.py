"""Annotations on the lines of the suites: where they point, what they say, and how many there are."""

from __future__ import annotations

from harness.core.status import FAILING, Status
from harness.core.verdict import Verdict
from harness.report.annotations import SHOWN, annotate
from harness.store.results import CellResult, Recorded


def row(name: str, status: Status, reason: str | None = None, detail: str = "") -> CellResult:
    verdicts = () if reason else (Verdict("map", "baseline", status, 0.7, 0.75, "≥ 0.745", detail),)
    return CellResult("digits", name, None, status, reason, None, verdicts)


def annotated(*cells: CellResult, folder: str = "", file: str = "suites/test_digits.py") -> list[str]:
    return list(annotate(Recorded(cells, [{"name": "digits", "file": file, "line": 12}], {}, {}, {}), FAILING, folder))


def test_a_failing_cell_is_an_error_where_its_suite_is_declared() -> None:
    assert annotated(row("good", "unchanged"), row("bad", "regressed", detail="−0.05")) == [
        "::error file=suites/test_digits.py,line=12,title=bad%3A regressed::"
        "map regressed: observed 0.7, expected ≥ 0.745 (baseline 0.75): −0.05"
    ]


def test_what_is_undecided_is_a_warning_and_what_is_fine_is_none() -> None:
    (line,) = annotated(row("unsure", "inconclusive"), row("met", "met"), row("other", "unavailable", "not installed"))
    assert line.startswith("::warning file=")


def test_an_error_says_its_reason() -> None:
    (line,) = annotated(row("broken", "error", "RuntimeError: 100%\nfull"))
    assert line.endswith("title=broken%3A error::RuntimeError: 100%25%0Afull")


def test_the_file_is_named_from_the_top_of_the_repository() -> None:
    (line,) = annotated(row("bad", "regressed"), folder="detector", file="a,b:c.py")
    assert line.startswith("::error file=detector/a%2Cb%3Ac.py,line=12,")


def test_more_than_github_shows_are_counted_in_the_last() -> None:
    lines = annotated(*(row(f"cell{n}", "regressed") for n in range(30)), row("first", "error", "crashed"))
    assert len(lines) == SHOWN
    assert "title=first%3A error" in lines[0]
    assert f"title={31 - SHOWN + 1} more cells::cell8, cell9" in lines[-1]
