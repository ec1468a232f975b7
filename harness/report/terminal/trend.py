"""The history in the terminal: one plot a metric, its change points under it, and the list of runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import FAILING, TABLE
from harness.report.common.wording import WHEN, _commit, shown, told
from harness.store.history_db import CPU_RATIO
from harness.store.trends import Run, Trend

HEIGHT = 6  # rows of a plot, of two points each
WIDEST = 3  # columns of a run


def render_trend(trend: Trend, width: int) -> Iterator[RenderableType]:
    """The newest runs that fit `width` columns: half a block a run, red where the cell failed, lines are levels."""
    points = trend.points
    low, high = _range([point.value for point in points])
    yield Text.assemble((trend.metric, "bold"), f": {_title(trend.metric)}")
    seen = f"{trend.suite} on {trend.kind}, {len(points)} run{'s' * (len(points) > 1)}"
    if low == high:
        yield Text(f"{seen}: {shown(trend.metric, low)}{' in all of them' * (len(points) > 1)}")
        return
    yield Text(seen, "dim")
    labels = [shown(trend.metric, value) for value in (low, high)]
    margin = max(map(len, labels))
    room = width - margin - 2
    seen_last = points[-room:]
    skipped = len(points) - len(seen_last)
    step = min(WIDEST, room // len(seen_last))
    for number, line in enumerate(_plot(trend, skipped, step)):
        label = {0: labels[1], HEIGHT - 1: labels[0]}.get(number, "")
        yield Text.assemble(f"{label:>{margin}} ", ("┤" if label else "│"), line)
    yield _axis(trend, skipped, step, margin)
    yield from (told(trend, change) for change in trend.changes)


def runs_table(known: Sequence[Run]) -> Table:
    """Every run, newest last."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("started (UTC)", "commit", "machine", "suites", "cells"):
        drawn.add_column(name, no_wrap=name != "cells", overflow="ellipsis" if name != "cells" else "fold")
    for run in known:
        cells = ", ".join(f"{count} {status}" for status, count in run.statuses.items())
        failed = any(status in FAILING for status in run.statuses)
        drawn.add_row(
            run.started.strftime(WHEN), _commit(run), run.machine_class, ", ".join(run.suites),
            Text(cells, TABLE["regressed"].colour if failed else ""),
        )  # fmt: skip
    return drawn


def _plot(trend: Trend, skipped: int, step: int) -> list[Text]:
    """Rows from the top; the level of every stretch is a line, on which the points lie."""
    values = [point.value for point in trend.points]
    low, high = _range(values)
    last = 2 * HEIGHT - 1

    def place(value: float) -> int:
        return last - round((value - low) / (high - low) * last)

    edges = [0, *(change.index for change in trend.changes), len(values)]
    levels = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges) for _ in range(a, b)]
    rows = [Text() for _ in range(HEIGHT)]
    for point, level in list(zip(trend.points, levels, strict=True))[skipped:]:
        mark, line = place(point.value), place(level) // 2
        style = "red" if point.status in FAILING else "cyan"
        for number, row in enumerate(rows):
            behind = "─" if number == line else " "
            row.append(("▄" if mark % 2 else "▀") if number == mark // 2 else behind, style)
            row.append(behind * (step - 1), "dim")
    return rows


def _axis(trend: Trend, skipped: int, step: int, margin: int) -> Text:
    """Days at both ends, and a triangle where a level begins."""
    newest = trend.points[skipped:]
    marks = [" "] * (step * len(newest))
    for change in trend.changes:
        if change.index >= skipped:
            marks[step * (change.index - skipped)] = "▲"
    days = [point.started.strftime("%Y-%m-%d") for point in (newest[0], newest[-1])]
    ends = " … ".join(dict.fromkeys(days))
    return Text.assemble(" " * (margin + 1), "└", ("".join(marks).rstrip() + "\n", "yellow"), " " * (margin + 2), ends)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _title(metric: str) -> str:
    return "CPU time of a call, against the reference network" if metric == CPU_RATIO else METRICS[metric].title
