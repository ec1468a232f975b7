"""What a history file tells: the list of its runs, and the trend of a cell's metric with its change points."""

from __future__ import annotations

import itertools
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.core.errors import ConfigError, nearest
from harness.core.measurement import MACHINE_KIND
from harness.core.metrics import METRICS
from harness.store.changepoints import changepoints
from harness.store.history_db import CPU_RATIO, reading


@dataclass(frozen=True)
class Run:
    """One line of `quantgate history list`."""

    id: str
    started: datetime  # UTC
    revision: str  # commit; empty where the suites lay in no git repository
    dirty: bool  # tracked files differed from the commit
    machine_class: str
    suites: tuple[str, ...]
    statuses: Mapping[str, int]  # status → number of cells that ended with it


@dataclass(frozen=True)
class Point:
    """The value of a cell's metric in one run."""

    run: str  # id of the run
    started: datetime  # UTC
    revision: str  # commit; empty where the suites lay in no git repository
    dirty: bool  # tracked files differed from the commit
    value: float  # in the unit of the metric
    status: str  # the cell's status in this run
    versions: Mapping[str, str]  # versions of the runtime and the tools


@dataclass(frozen=True)
class LevelChange:
    """Where a trend goes over to a new level."""

    index: int  # `points[index]` of the trend is the first value of the new level
    before: float  # mean of the level before
    after: float  # mean of the new level


@dataclass(frozen=True)
class Trend:
    """One metric of one cell on one kind of machine, oldest first."""

    suite: str
    cell: str
    metric: str
    kind: str  # machine class for latency, instruction set for accuracy: only these compare
    points: tuple[Point, ...]
    changes: tuple[LevelChange, ...]


def known_runs(path: Path) -> tuple[Run, ...]:
    """Every run of a history file, oldest first. Raises ConfigError as `reading` does."""
    with reading(path) as store:
        statuses: dict[str, Counter[str]] = defaultdict(Counter)
        suites: dict[str, list[str]] = defaultdict(list)
        for run, suite, status, count in store.execute(
            "SELECT run, suite, status, count(*) FROM cell GROUP BY run, suite, status ORDER BY suite, status"
        ):
            statuses[run][status] += count
            suites[run].append(suite)
        rows = store.execute("SELECT id, started, revision, dirty, machine_class FROM run ORDER BY started, rowid")
        return tuple(
            Run(
                name, datetime.fromisoformat(started), revision or "", bool(dirty), machine,
                tuple(dict.fromkeys(suites[name])), dict(statuses[name]),
            )
            for name, started, revision, dirty, machine in rows
        )  # fmt: skip


def known_cells(path: Path) -> tuple[str, ...]:
    """The ids of all cells in a history file, sorted. Raises ConfigError as `reading` does."""
    with reading(path) as store:
        return tuple(name for (name,) in store.execute("SELECT DISTINCT id FROM cell ORDER BY id"))


def trend(path: Path, cell: str, metric: str, suite: str = "") -> tuple[Trend, ...]:
    """A cell's metric over all runs that measured it, with change points: one trend per suite and kind of machine.

    Args:
        path: the history file.
        cell: id of the cell.
        metric: a name of `METRICS`, or `CPU_RATIO`.
        suite: the only suite to look at; empty for all.

    Raises:
        ConfigError: there is no history, it has no such cell, or there is no such metric.
    """
    with reading(path) as store:
        known = {name for (name,) in store.execute("SELECT DISTINCT id FROM cell")}
        if cell not in known:
            raise ConfigError(f"{path} has no cell {cell!r}; {nearest(cell, known)}")
        if metric not in METRICS and metric != CPU_RATIO:
            raise ConfigError(f"unknown metric {metric!r}; {nearest(metric, [*METRICS, CPU_RATIO])}")
        kind = MACHINE_KIND[METRICS[metric].phase if metric in METRICS else "latency"]
        rows = store.execute(
            f"""SELECT cell.suite, run.{kind}, run.id, run.started, run.revision, run.dirty, metric.value, cell.status,
            cell.versions FROM cell JOIN run ON run.id = cell.run JOIN metric ON metric.cell = cell.key
            WHERE cell.id = ? AND metric.name = ? AND (? = '' OR cell.suite = ?) ORDER BY run.started, run.rowid""",
            (cell, metric, suite, suite),
        ).fetchall()
    series: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for owner, machine, run, started, revision, dirty, value, status, versions in rows:
        point = Point(
            run, datetime.fromisoformat(started), revision or "", bool(dirty), value, status, json.loads(versions)
        )
        series[owner, machine].append(point)
    return tuple(
        Trend(owner, cell, metric, machine, tuple(points), _changes([point.value for point in points]))
        for (owner, machine), points in sorted(series.items())
    )


def _changes(values: Sequence[float]) -> tuple[LevelChange, ...]:
    """The change points of a series, with the means of the levels between them."""
    found = changepoints(values)
    edges = [0, *found, len(values)]
    levels = [statistics.fmean(values[a:b]) for a, b in itertools.pairwise(edges)] if values else []
    return tuple(LevelChange(index, levels[n], levels[n + 1]) for n, index in enumerate(found))
