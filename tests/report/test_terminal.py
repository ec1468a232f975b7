"""The table and the lines under it: what a person reads."""

from __future__ import annotations

import io
import re

from builders import measurement
from rich.console import Console

from harness.report.terminal import STYLES, repeat, table
from harness.results import CellResult, Plan
from harness.types import SEVERITY, Cell

LONG = Cell("yolo26n-digits", "int8-dynamic", "onnxruntime")


def result(cell: Cell, status="met", baseline=None, executed=None, **metrics) -> CellResult:
    measured = measurement(cell, **metrics)
    if executed:
        measured = measured.merged(type(measured)(cell, executed=executed))
    return CellResult("demo", cell.id, cell, status, None, measured, (), baseline, "suites/demo/test_demo.py")


def drawn(results: list[CellResult], width: int = 100, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, no_color=not colour)
    console.print(table(Plan("demo", "test_demo.py", (), ()), results))
    return stream.getvalue()


def row(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


def test_the_widest_row_is_whole_in_100_columns_and_needs_no_colour() -> None:
    metrics = {"map": 0.7123, "size_bytes": 112_930_256, "latency_p50_ms": 1234.5, "latency_ratio": 0.5}
    fp32 = result(LONG.sibling("fp32"), **{**metrics, "map": 0.75, "latency_ratio": None})
    text = drawn([fp32, result(LONG, "inconclusive", {"map": 0.7}, **metrics)])
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert "…" not in text
    shown = row(text, "int8-dynamic").split()
    assert shown == [
        "int8-dynamic",
        "112.9",
        "1.00",
        "1234.5",
        "2.00×",
        "0.7123",
        "+0.0123",
        "−0.0377",
        "inconclusive",
    ]


def test_colours_tell_failing_from_fine() -> None:
    assert re.search(r"\x1b\[[0-9;]*31m.*missed", drawn([result(LONG, "missed")], colour=True))
    assert re.search(r"\x1b\[[0-9;]*32m.*met", drawn([result(LONG, "met")], colour=True))


def test_every_status_has_a_style() -> None:
    assert set(STYLES) == set(SEVERITY)


def test_what_executed_is_shown_only_where_the_name_says_something_else() -> None:
    half = result(LONG.sibling("fp16"), executed={"f32": 100})
    int8 = result(LONG.sibling("int8"), executed={"i8": 90, "f32": 10})
    text = drawn([half, int8])
    assert "fp16 (f32)" in text
    assert "int8 (" not in text


def test_a_cell_without_numbers_shows_dashes_and_not_zeros() -> None:
    empty = CellResult("demo", LONG.id, LONG, "unavailable", "no runtime", None)
    shown = row(drawn([empty]), "unavailable")
    assert shown.count("–") == 7
    assert "0.0" not in shown


def test_the_model_and_the_backend_are_written_once_per_group() -> None:
    text = drawn([result(LONG.sibling(precision)) for precision in ("fp32", "fp16", "int8")])
    assert text.count("yolo26n-digits") == 1
    assert text.count("onnxruntime") == 1


def test_the_command_that_repeats_a_cell_names_its_test_and_the_options() -> None:
    cell = Cell("yolo26n:e2e", "int8:entropy", "onnxruntime")
    command = repeat(result(cell), ["accuracy"], ["--qg-cache-dir=/a b"])
    wanted = "'suites/demo/test_demo.py::test_accuracy[yolo26n~e2e-int8~entropy-onnxruntime-cpu]'"
    assert command == f"pytest '--qg-cache-dir=/a b' {wanted}"
