"""The history of cells as lines of the HTML report: a value for each run, levels, and what changed with them.

Only runs on the machine's own kind are drawn, since only these compare: for latency the kind is the machine class, for
accuracy the instruction set. Besides reading the file of earlier runs, nothing here touches the disk.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError
from harness.report.common.numbers import trend_value
from harness.report.common.wording import level_words
from harness.store import trends
from harness.store.history_db import CPU_RATIO
from harness.store.results import CellResult
from harness.store.trends import Trend

RUNS = 3  # how many runs a history has, at least
LINES = 12  # how many lines a page draws, at most
METRICS = (("map", "mAP"), (CPU_RATIO, "CPU time / reference"), ("size_bytes", "size"))
"""The metrics whose history is drawn, and their titles."""
WIDTH, HEIGHT = 240.0, 40.0  # of the box of a line, in units of its SVG
EDGE = 5.0  # what stays free at each side of the box


@dataclass(frozen=True)
class Line:
    """One metric of one cell, oldest run first, in units of a WIDTH × HEIGHT box."""

    index: int  # of the cell
    cell: str
    title: str
    points: Sequence[tuple[float, float]]  # x and y of each run
    levels: Sequence[tuple[float, float, float]]  # from x, to x, y
    first: str  # day of the first run
    last: str  # day of the last run
    low: str  # the smallest value, with its unit
    high: str  # the largest value, with its unit
    now: str  # the value of the last run, with its unit
    changes: Sequence[str]  # a sentence about each new level, the newest first
    changed: str  # day of the last new level; empty without one


@dataclass(frozen=True)
class Past:
    """The history of the cells of a suite."""

    moved: Sequence[Line] = ()  # the lines whose values differ, the line whose level changed last first
    still: int = 0  # how many cells measured the same in every run


def of_suite(file: Path | None, cells: Sequence[CellResult], environment: Mapping[str, Any], first: int = 0) -> Past:
    """The history of the cells of one suite; empty where there is no file of earlier runs.

    `environment` is the environment of the run, which says on which kind of machine it ran. `first` is the index of the
    suite's first cell among the cells of all suites.
    """
    if file is None or not file.is_file():
        return Past()
    try:
        known = set(trends.known_cells(file))
    except ConfigError:  # a damaged file costs the history, not the report
        return Past()
    found: list[Line] = []
    still = 0
    for index, result in enumerate(cells, first):
        if result.id not in known:
            continue
        lines = list(_lines(file, result, environment, index))
        moved = [one for one in lines if one.low != one.high]
        if lines and not moved:
            still += 1
        found += moved
    return Past(sorted(found, key=lambda one: one.changed, reverse=True), still)


def _lines(file: Path, result: CellResult, environment: Mapping[str, Any], index: int) -> Iterator[Line]:
    """A line for each metric of a cell that has enough runs."""
    for metric, title in METRICS:
        if trend := _own(file, result, metric, environment):
            yield history_line(trend, title, index)


def _own(file: Path, result: CellResult, metric: str, environment: Mapping[str, Any]) -> Trend | None:
    """The trend of a metric on this kind of machine; None where it has fewer than `RUNS` runs."""
    kinds = (environment["isa"], environment["machine_class"])
    try:
        known = trends.trend(file, result.id, metric, result.suite)
    except ConfigError:  # a damaged file costs the history, not the report
        return None
    return next((one for one in known if one.kind in kinds and len(one.points) >= RUNS), None)


def history_line(trend: Trend, title: str, index: int) -> Line:
    """The line of a trend: where its points and levels lie in the box, and what is said about it."""
    values = [point.value for point in trend.points]
    low, high = min(values), max(values)
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)

    def place(value: float) -> float:
        """The y of a value; larger values lie further up."""
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 2)

    across = [round(EDGE + n * step, 2) for n in range(len(values))]
    edges = [0, *(change.index for change in trend.changes), len(values)]
    levels = [(across[a], across[b - 1], place(statistics.fmean(values[a:b]))) for a, b in itertools.pairwise(edges)]
    day = [point.started.strftime("%Y-%m-%d") for point in trend.points]
    return Line(
        index,
        trend.cell,
        title,
        points=list(zip(across, map(place, values), strict=True)),
        levels=levels,
        first=day[0],
        last=day[-1],
        low=trend_value(trend.metric, low),
        high=trend_value(trend.metric, high),
        now=trend_value(trend.metric, values[-1]),
        changes=[str(level_words(trend, change)) for change in reversed(trend.changes)],
        changed=day[trend.changes[-1].index] if trend.changes else "",
    )
