"""The history of cells as lines of the HTML report: value by run, levels, and what changed with them. Pure but a read.

Only runs of the machine's own kind are drawn: machine class for latency, instruction set for accuracy (`history.py`).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError
from harness.report.common.wording import shown, told
from harness.store import trends as history
from harness.store.history_db import CPU_RATIO
from harness.store.results import CellResult
from harness.store.trends import Trend

RUNS = 3  # of a cell, from which it has a history
LINES = 12  # that are drawn
METRICS = (("map", "mAP"), (CPU_RATIO, "CPU time / reference"), ("size_bytes", "size"))
WIDTH, HEIGHT, EDGE = 240.0, 40.0, 5.0  # of a line's box, and what stays free in it


@dataclass(frozen=True)
class Line:
    """One metric of one cell, oldest run first, in units of a WIDTH × HEIGHT box."""

    index: int  # of the cell
    cell: str
    title: str
    points: Sequence[tuple[float, float]]
    levels: Sequence[tuple[float, float, float]]  # from x, to x, y
    first: str  # day of the first run, and of the last
    last: str
    low: str  # smallest and largest value, with unit
    high: str
    now: str
    changes: Sequence[str]  # what is said of each change point, the newest first
    changed: str  # day of the last change; empty without one


@dataclass(frozen=True)
class Past:
    """The lines that moved, those whose level changed last first, and how many cells never did."""

    moved: Sequence[Line] = ()
    still: int = 0


def of_suite(file: Path | None, cells: Sequence[CellResult], environment: Mapping[str, Any], first: int = 0) -> Past:
    """The cells with a history; none where there is no file of it."""
    if file is None or not file.is_file():
        return Past()
    known = set(history.known_cells(file))
    found: list[Line] = []
    still = 0
    for index, result in enumerate(cells, first):
        trends = [_own(file, result, metric, environment) for metric, _ in METRICS if result.id in known]
        lines = [history_line(trend, title, index) for trend, (_, title) in zip(trends, METRICS, strict=False) if trend]
        moved = [one for one in lines if one.low != one.high]
        still += bool(lines) and not moved
        found += moved
    return Past(sorted(found, key=lambda one: one.changed, reverse=True), still)


def _own(file: Path, result: CellResult, metric: str, environment: Mapping[str, Any]) -> Trend | None:
    """The trend on this kind of machine, where it has runs enough."""
    kinds = (environment["isa"], environment["machine_class"])
    try:
        trends = history.trend(file, result.id, metric, result.suite)
    except ConfigError:  # a damaged file costs the history, not the report
        return None
    return next((one for one in trends if one.kind in kinds and len(one.points) >= RUNS), None)


def history_line(trend: Trend, title: str, index: int) -> Line:
    """Where points and levels lie in the box."""
    values = [point.value for point in trend.points]
    low, high = min(values), max(values)
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)

    def place(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 2)

    across = [round(EDGE + n * step, 2) for n in range(len(values))]
    edges = [0, *(change.index for change in trend.changes), len(values)]
    levels = [(across[a], across[b - 1], place(statistics.fmean(values[a:b]))) for a, b in itertools.pairwise(edges)]
    day = [point.started.strftime("%Y-%m-%d") for point in trend.points]
    ends = [shown(trend.metric, value) for value in (low, high, values[-1])]
    said = [told(trend, change).plain.removeprefix("▲ ") for change in reversed(trend.changes)]
    changed = day[trend.changes[-1].index] if trend.changes else ""
    points = list(zip(across, map(place, values), strict=True))
    return Line(index, trend.cell, title, points, levels, day[0], day[-1], ends[0], ends[1], ends[2], said, changed)
