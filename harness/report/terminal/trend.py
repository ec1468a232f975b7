"""The history in the terminal: a plot of each metric with its new levels below it, and the list of runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import FAILING, TABLE
from harness.core.words import counted
from harness.report.common.numbers import trend_value
from harness.report.common.wording import WHEN, commit_name, level_words
from harness.store.history_db import CPU_RATIO
from harness.store.trends import LevelChange, Run, Trend

HEIGHT = 6  # rows of a plot; each shows two heights
WIDEST = 3  # columns of the terminal for each run, at most


def render_trend(trend: Trend, width: int) -> Iterator[RenderableType]:
    """A plot of the newest runs that fit `width` columns of the terminal, and a line for each new level.

    Each run is half a block, red where the cell failed; lines mark the levels. A trend whose runs all have one value is
    told in a sentence instead.
    """
    points = trend.points
    low, high = _range([point.value for point in points])
    yield Text.assemble((trend.metric, "bold"), f": {_title(trend.metric)}")
    seen = f"{trend.suite} on {trend.kind}, {counted(len(points), 'run')}"
    if low == high:
        all_of_them = " in all of them" if len(points) > 1 else ""
        yield Text(f"{seen}: {trend_value(trend.metric, low)}{all_of_them}")
        return
    yield Text(seen, "dim")
    lowest, highest = (trend_value(trend.metric, value) for value in (low, high))
    margin = max(len(lowest), len(highest))
    room = width - margin - 2
    newest = points[-room:]
    skipped = len(points) - len(newest)
    step = min(WIDEST, room // len(newest))
    for position, line in enumerate(_plot(trend, skipped, step)):
        label = {0: highest, HEIGHT - 1: lowest}.get(position, "")
        yield Text.assemble(f"{label:>{margin}} ", ("┤" if label else "│"), line)
    yield _axis(trend, skipped, step, margin)
    yield from (_new_level(trend, change) for change in trend.changes)


def runs_table(known: Sequence[Run]) -> Table:
    """A row for each run, in the order of `known`."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("started (UTC)", "commit", "machine", "suites"):
        drawn.add_column(name, no_wrap=True, overflow="ellipsis")
    drawn.add_column("cells", overflow="fold")
    for run in known:
        cells = ", ".join(f"{count} {status}" for status, count in run.statuses.items())
        failed = any(status in FAILING for status in run.statuses)
        drawn.add_row(
            run.started.strftime(WHEN), commit_name(run), run.machine_class, ", ".join(run.suites),
            Text(cells, TABLE["regressed"].colour if failed else ""),
        )  # fmt: skip
    return drawn


def _plot(trend: Trend, skipped: int, step: int) -> list[Text]:
    """The rows of a plot from the top down, without the first `skipped` runs; a run is `step` columns wide."""
    low, high = _range([point.value for point in trend.points])
    last = 2 * HEIGHT - 1

    def height(value: float) -> int:
        """The height of a value in half rows, from 0 at the top to `last` at the bottom."""
        return last - round((value - low) / (high - low) * last)

    rows = [Text() for _ in range(HEIGHT)]
    for point, level in list(zip(trend.points, _levels(trend), strict=True))[skipped:]:
        mark, line = height(point.value), height(level) // 2
        style = "red" if point.status in FAILING else "cyan"
        for position, row in enumerate(rows):
            behind = "─" if position == line else " "
            row.append(("▄" if mark % 2 else "▀") if position == mark // 2 else behind, style)
            row.append(behind * (step - 1), "dim")
    return rows


def _levels(trend: Trend) -> list[float]:
    """The level on which each point lies: the mean of all points from one change to the next."""
    values = [point.value for point in trend.points]
    edges = [0, *(change.index for change in trend.changes), len(values)]
    levels: list[float] = []
    for start, end in itertools.pairwise(edges):
        levels += [sum(values[start:end]) / (end - start)] * (end - start)
    return levels


def _axis(trend: Trend, skipped: int, step: int, margin: int) -> Text:
    """The line below a plot: a triangle where a level begins, and the days of the first and the last run."""
    newest = trend.points[skipped:]
    marks = [" "] * (step * len(newest))
    for change in trend.changes:
        if change.index >= skipped:
            marks[step * (change.index - skipped)] = "▲"
    days = [point.started.strftime("%Y-%m-%d") for point in (newest[0], newest[-1])]
    ends = " … ".join(dict.fromkeys(days))
    return Text.assemble(" " * (margin + 1), "└", ("".join(marks).rstrip() + "\n", "yellow"), " " * (margin + 2), ends)


def _new_level(trend: Trend, change: LevelChange) -> Text:
    """The sentence about a new level, the change in the colour of better or worse."""
    words = level_words(trend, change)
    by = (words.by, "green" if words.better else "red")
    return Text.assemble(("▲ ", "yellow"), f"{words.levels}, ", by, f": {words.causes}")


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _title(metric: str) -> str:
    return "CPU time of a call, against the reference network" if metric == CPU_RATIO else METRICS[metric].title
