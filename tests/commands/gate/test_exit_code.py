"""What a gate makes of both sides: one exit code, and the lines that a table of one side cannot have."""

from __future__ import annotations

import dataclasses

import pytest

from harness.commands.base import Exit
from harness.commands.gate import exit_code
from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.core.status import Status
from harness.core.suite import Gate
from harness.core.verdict import Verdict
from harness.store.results import CellResult, Recorded


def side(*statuses: Status, suite: str = "demo", gates: tuple[Gate, ...] = ()) -> Recorded:
    cells = [Cell(f"m{n}", "fp32", "null") for n in range(len(statuses))]
    rows = [
        CellResult(suite, cell.id, cell, status, "why", Measurement(cell))
        for cell, status in zip(cells, statuses, strict=True)
    ]
    return Recorded(rows, [{"name": suite}], {suite: gates}, {}, {})


@pytest.mark.parametrize(
    ("ended", "now", "base", "strict", "code"),
    [
        (0, ["unchanged", "met"], ["met", "met"], False, Exit.FINE),
        (0, ["met", "no-baseline"], ["met"], False, Exit.FINE),  # a new cell
        (1, ["unchanged", "regressed"], ["met", "met"], False, Exit.REGRESSION),
        (1, ["error", "regressed"], ["met", "met"], False, Exit.REGRESSION),
        (1, ["error", "met"], ["met", "met"], False, Exit.INFRASTRUCTURE),
        (0, ["met", "no-baseline"], ["met", "error"], False, Exit.INFRASTRUCTURE),
        (0, ["inconclusive"], ["met"], False, Exit.FINE),
        (1, ["inconclusive"], ["met"], True, Exit.INCONCLUSIVE),
        (1, ["inconclusive", "missed"], ["met", "met"], True, Exit.REGRESSION),
        (1, ["no-baseline"], [], False, Exit.REGRESSION),  # what pytest was told to fail on
        (0, [], [], False, Exit.USAGE),  # nothing was judged
        (2, [], [], False, Exit.USAGE),
        (2, ["regressed", "not-run"], ["met", "met"], False, Exit.REGRESSION),  # -x with workers
        (1, ["missing", "not-run"], ["met", "met"], False, Exit.REGRESSION),
        (0, ["met", "not-run"], ["met", "met"], False, Exit.INFRASTRUCTURE),  # pytest.exit(returncode=0)
        (2, ["met", "not-run"], ["met", "met"], False, Exit.INFRASTRUCTURE),
        (4, [], [], False, Exit.USAGE),
        (5, [], [], False, Exit.USAGE),
        (3, [], [], False, Exit.INFRASTRUCTURE),
        (-9, [], [], False, Exit.INFRASTRUCTURE),
    ],
)
def test_exit_codes(ended: int, now: list[Status], base: list[Status], strict: bool, code: Exit) -> None:
    assert exit_code.code(ended, side(*now), side(*base), strict, allow_removed=False) == code


def test_a_regression_beside_an_error_of_the_same_cell_is_a_regression() -> None:
    (row,) = side("error").cells
    verdict = Verdict("map", "baseline", "regressed", 0.7, 0.75, "≥ 0.745")
    now = dataclasses.replace(side("error"), cells=[dataclasses.replace(row, verdicts=(verdict,))])
    assert exit_code.code(1, now, side("met"), strict=False, allow_removed=False) == Exit.REGRESSION


def test_a_suite_that_is_gone_is_named_and_a_regression_unless_that_is_allowed() -> None:
    now, other = side("met"), side("met", "met", suite="other")
    base = dataclasses.replace(now, cells=[*now.cells, *other.cells])
    assert list(exit_code.difference_lines(now, base)) == ["other: 2 removed cells: m0-fp32-null-cpu, m1-fp32-null-cpu"]
    assert exit_code.code(0, now, base, strict=False, allow_removed=False) == Exit.REGRESSION
    assert exit_code.code(0, now, base, strict=False, allow_removed=True) == Exit.FINE


def test_a_new_cell_and_an_error_of_the_base_are_named() -> None:
    assert list(exit_code.difference_lines(side("met", "no-baseline"), side("error"))) == [
        "demo: 1 new cell: m1-fp32-null-cpu",
        "demo: m0-fp32-null-cpu: error on the base: why",
    ]


def test_gates_that_a_pull_request_changes_are_named() -> None:
    kept, old = Gate("size_bytes", max_rise=0.01), Gate("map", max_drop=0.002)
    new = Gate("map", max_drop=0.05, against="fp32", backends=["onnxruntime"])
    (line,) = exit_code.difference_lines(side("met", gates=(kept, new)), side("met", gates=(kept, old)))
    assert line == (
        "demo: judged by its own gates, which the base does not have: − Gate('map', max_drop=0.002), "
        "+ Gate('map', max_drop=0.05, against='fp32', backends=('onnxruntime',))"
    )
    assert not list(exit_code.difference_lines(side("met", gates=(kept,)), side("met", gates=(kept,))))
