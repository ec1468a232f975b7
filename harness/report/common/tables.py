"""The layout of every table in the terminal: sections of aligned numbers.

Where the terminal is narrow, columns give way in an order that the table defines. Nothing here prints: `draw` yields
what a console of rich prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.common.numbers import NONE

NARROWEST = 8  # columns of the terminal that a label keeps, however little room there is


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str  # with the unit of the numbers below it
    gives_way: int = 0  # where there is no room, the column with the highest number goes first; 0: it always stays
    justify: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Row:
    """A line of a table: its label, and a value for each column."""

    label: Text
    values: tuple[Text, ...]  # one for each column


@dataclass(frozen=True)
class Section:
    """Rows that belong together, with a heading above and a remark below them."""

    heading: str  # a line of its own above the rows; empty for none
    rows: Sequence[Row]
    below: str = ""  # a dim line under the rows; empty for none


@dataclass(frozen=True)
class Sheet:
    """A whole table, before or after it was fitted to a width."""

    title: str
    columns: Sequence[Column]
    sections: Sequence[Section]


def fitted(sheet: Sheet, width: int) -> Sheet:
    """The sheet without its empty columns, and without the columns that give way in `width` columns of the terminal."""
    shown = _filled(sheet)
    while _width(sheet, shown, gap=1) > width:
        yielding = [n for n in shown if sheet.columns[n].gives_way]
        if not yielding:
            break
        shown.remove(max(yielding, key=lambda n: sheet.columns[n].gives_way))
    return _only(sheet, shown)


def pages(sheet: Sheet, width: int) -> list[Sheet]:
    """The sheet in as many parts as its filled columns need in `width` columns of the terminal: no column gives way."""
    parts: list[list[int]] = [[]]
    for n in _filled(sheet):
        if parts[-1] and _width(sheet, [*parts[-1], n], gap=1) > width:
            parts.append([])
        parts[-1].append(n)
    first, *others = parts
    titled = [(first, sheet.title), *((part, f"{sheet.title} (continued)") for part in others)]
    return [replace(_only(sheet, part), title=title) for part, title in titled if part]


def draw(sheet: Sheet, width: int) -> Iterator[RenderableType]:
    """The parts of a fitted sheet, from the top down, for a console of `width` columns.

    Gaps are two columns wide where they fit. A label without room is folded; a value never is.
    """
    everything = range(len(sheet.columns))
    gap = 2 if _width(sheet, everything, gap=2) <= width else 1
    widths = [_column_width(sheet, n) for n in everything]
    rest = sum(widths) + gap * len(widths)
    label = min(_label_width(sheet), max(NARROWEST, width - rest))
    if sheet.title:
        yield Text(sheet.title, "bold")
    yield _grid(sheet, label, widths, gap, [Row(Text(), tuple(Text(one.title, "dim") for one in sheet.columns))])
    yield Text("─" * (label + rest), "dim")
    for section in sheet.sections:
        if section.heading:
            yield Text(section.heading, "bold")
        if section.rows:
            yield _grid(sheet, label, widths, gap, section.rows)
        if section.below:
            yield Padding(Text(section.below, "dim"), (0, 0, 0, 2))


def _grid(sheet: Sheet, label: int, widths: Sequence[int], gap: int, rows: Sequence[Row]) -> Table:
    """Rows under columns of fixed widths; `label` is the width of the label."""
    drawn = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    drawn.add_column(width=label, overflow="fold")
    for column, width in zip(sheet.columns, widths, strict=True):
        drawn.add_column(width=width, justify=column.justify, no_wrap=True)
    for row in rows:
        drawn.add_row(row.label, *row.values)
    return drawn


def _rows(sheet: Sheet) -> list[Row]:
    return [row for section in sheet.sections for row in section.rows]


def _filled(sheet: Sheet) -> list[int]:
    """The positions of the columns that hold any value, and of the columns that never give way."""
    rows = _rows(sheet)
    return [
        n
        for n, column in enumerate(sheet.columns)
        if not column.gives_way or any(row.values[n].plain not in ("", NONE) for row in rows)
    ]


def _only(sheet: Sheet, shown: Sequence[int]) -> Sheet:
    """The sheet with the columns at these positions."""
    sections = [
        replace(section, rows=[replace(row, values=tuple(row.values[n] for n in shown)) for row in section.rows])
        for section in sheet.sections
    ]
    return replace(sheet, columns=[sheet.columns[n] for n in shown], sections=sections)


def _width(sheet: Sheet, shown: Sequence[int], gap: int) -> int:
    """The width of the label and of the columns at these positions, each column with its gap."""
    return _label_width(sheet) + sum(_column_width(sheet, n) + gap for n in shown)


def _label_width(sheet: Sheet) -> int:
    return max((row.label.cell_len for row in _rows(sheet)), default=0)


def _column_width(sheet: Sheet, n: int) -> int:
    return max(cell_len(sheet.columns[n].title), *(row.values[n].cell_len for row in _rows(sheet)), 0)
