"""The layout of tables: which columns give way, what is never cut, what goes on in a second part."""

from __future__ import annotations

import pytest
from rich.text import Text
from shown import rendered, table

from harness.report.common.tables import Column, Row, Section, Sheet, draw, fitted, pages

COLUMNS = (Column("MB", 2), Column("p50 ms", 1), Column("mJ", 3), Column("verdict", justify="left"))
PLENTY = 100


def made(*rows: tuple[str, ...], heading: str = "", below: str = "") -> Sheet:
    drawn = [Row(Text(label), tuple(map(Text, values))) for label, *values in rows]
    return Sheet("a title", COLUMNS, [Section(heading, drawn, below)])


FULL = made(("fp32", "9.66", "5.06", "12.1", "unchanged"), ("int8", "3.27", "13.50", "7.0", "inconclusive"))


def titles(sheet: Sheet) -> list[str]:
    return [column.title for column in sheet.columns]


def test_numbers_are_aligned_under_titles_with_their_units():
    assert table(FULL, PLENTY).splitlines() == [
        "a title",
        "        MB  p50 ms    mJ  verdict",
        "──────────────────────────────────────",
        "fp32  9.66    5.06  12.1  unchanged",
        "int8  3.27   13.50   7.0  inconclusive",
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (34, ["MB", "p50 ms", "mJ", "verdict"]),  # the gaps give way before any column
        (33, ["MB", "p50 ms", "verdict"]),
        (28, ["p50 ms", "verdict"]),
        (23, ["verdict"]),
        (1, ["verdict"]),
    ],
)
def test_columns_give_way_in_their_order(width, shown):
    assert titles(fitted(FULL, width)) == shown


@pytest.mark.parametrize("width", range(24, 60))
def test_no_line_is_wider_than_the_terminal_and_no_verdict_is_cut(width):
    lines = table(FULL, width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[-1].endswith("inconclusive")


def test_a_column_in_which_nothing_stands_is_left_out_whatever_the_room():
    assert titles(fitted(made(("fp32", "9.66", "–", "", "unchanged")), PLENTY)) == ["MB", "verdict"]


def test_a_label_without_room_folds_and_loses_nothing():
    name = "a-model-whose-file-has-a-very-long-name-int8-onnxruntime-cpu"
    lines = table(made((name, "9.66", "5.06", "12.1", "inconclusive")), 40).splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(line[:27].strip() for line in lines[3:]) == name
    assert sum("inconclusive" in line for line in lines) == 1


def test_a_section_has_a_heading_and_a_line_below():
    lines = table(made(("fp32", "9.66", "5.06", "12.1", "met"), heading="onnxruntime", below="others"), PLENTY)
    assert [line.strip() for line in lines.splitlines()[3:]] == [
        "onnxruntime",
        "fp32  9.66    5.06  12.1  met",
        "others",
    ]


def test_pages_leave_nothing_out_and_repeat_the_labels():
    first, second = pages(FULL, 22)
    assert [titles(first), titles(second)] == [["MB", "p50 ms", "mJ"], ["verdict"]]
    assert second.title == "a title (continued)"
    assert "int8  inconclusive" in rendered(draw(second, 22), 22)


def test_pages_of_nothing_are_none():
    empty = Sheet("", [Column("MB", 1)], [Section("", [Row(Text("fp32"), (Text("–"),))])])
    assert pages(empty, PLENTY) == []
