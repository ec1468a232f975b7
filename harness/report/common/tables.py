"""The one layout of tables: sections of aligned numbers, whose columns give way in a defined order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NONE = "–"
NARROWEST = 8  # columns that a label keeps where there is no room for anything


@dataclass(frozen=True)
class Column:
    """What stands above numbers, its unit included."""

    title: str
    gives_way: int = 0  # where there is no room the highest goes first; 0 stays
    justify: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    label: Text
    values: tuple[Text, ...]  # one a column


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    heading: str  # a line of its own above them; empty for none
    rows: Sequence[Row]
    below: str = ""  # a dim line under them


@dataclass(frozen=True)
class Sheet:
    """A table before it is fitted to a width."""

    title: str
    columns: Sequence[Column]
    sections: Sequence[Section]


def fitted(sheet: Sheet, width: int) -> Sheet:
    """The sheet with the columns that say anything and have room, the least important left out first."""
    shown = _telling(sheet)
    while _width(sheet, shown, 1) > width and (free := [n for n in shown if sheet.columns[n].gives_way]):
        shown.remove(max(free, key=lambda n: sheet.columns[n].gives_way))
    return _only(sheet, shown)


def pages(sheet: Sheet, width: int) -> list[Sheet]:
    """The sheet in as many parts as its columns need: nothing gives way."""
    parts: list[list[int]] = [[]]
    for n in _telling(sheet):
        if parts[-1] and _width(sheet, [*parts[-1], n], 1) > width:
            parts.append([])
        parts[-1].append(n)
    return [
        replace(_only(sheet, part), title=sheet.title + " (continued)" * bool(number))
        for number, part in enumerate(parts)
        if part
    ]


def draw(sheet: Sheet, width: int) -> Iterator[RenderableType]:
    """A fitted sheet, line by line; wider gaps where they fit. A label without room folds, a verdict never does."""
    everything = range(len(sheet.columns))
    gap = 2 if _width(sheet, everything, 2) <= width else 1
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
    drawn = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    drawn.add_column(width=label, overflow="fold")
    for column, width in zip(sheet.columns, widths, strict=True):
        drawn.add_column(width=width, justify=column.justify, no_wrap=True)
    for row in rows:
        drawn.add_row(row.label, *row.values)
    return drawn


def _rows(sheet: Sheet) -> list[Row]:
    return [row for section in sheet.sections for row in section.rows]


def _telling(sheet: Sheet) -> list[int]:
    """The columns in which anything stands, and those that stay in any case."""
    rows = _rows(sheet)
    return [
        n
        for n, column in enumerate(sheet.columns)
        if not column.gives_way or any(row.values[n].plain not in ("", NONE) for row in rows)
    ]


def _only(sheet: Sheet, shown: Sequence[int]) -> Sheet:
    sections = [
        replace(section, rows=[replace(row, values=tuple(row.values[n] for n in shown)) for row in section.rows])
        for section in sheet.sections
    ]
    return replace(sheet, columns=[sheet.columns[n] for n in shown], sections=sections)


def _width(sheet: Sheet, shown: Sequence[int], gap: int) -> int:
    return _label_width(sheet) + sum(_column_width(sheet, n) + gap for n in shown)


def _label_width(sheet: Sheet) -> int:
    return max((row.label.cell_len for row in _rows(sheet)), default=0)


def _column_width(sheet: Sheet, n: int) -> int:
    return max(cell_len(sheet.columns[n].title), *(row.values[n].cell_len for row in _rows(sheet)), 0)
