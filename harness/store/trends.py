"""What a history file tells: the list of its runs, and the trend of a cell's metric with its change points."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.core.errors import ConfigError, nearest
from harness.core.metrics import METRICS
from harness.store.changepoints import changepoints
from harness.store.history_db import CPU_RATIO, reading


@dataclass(frozen=True)
class Run:
    """One line of `quantgate history list`."""

    id: str
    started: datetime  # UTC
    revision: str  # commit, empty where it was no git repository
    dirty: bool  # tracked files differed from the commit
    machine_class: str
    suites: tuple[str, ...]
    statuses: Mapping[str, int]  # how many cells ended so


@dataclass(frozen=True)
class Point:
    """One run's value."""

    run: str
    started: datetime  # UTC
    revision: str
    dirty: bool
    value: float
    status: str  # of the cell
    versions: Mapping[str, str]  # of runtime and tools


@dataclass(frozen=True)
class LevelChange:
    """A new level: `points[index]` is its first value; the means of both levels."""

    index: int
    before: float
    after: float


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
    """Every run, oldest first."""
    with reading(path) as store:
        counts: dict[str, dict[str, int]] = {}
        suites: dict[str, list[str]] = {}
        for run, suite, status, count in store.execute(
            "SELECT run, suite, status, count(*) FROM cell GROUP BY run, suite, status ORDER BY suite, status"
        ):
            counts.setdefault(run, {}).setdefault(status, 0)
            counts[run][status] += count
            suites.setdefault(run, []).append(suite)
        rows = store.execute("SELECT id, started, revision, dirty, machine_class FROM run ORDER BY started, rowid")
        return tuple(
            Run(
                name, datetime.fromisoformat(started), revision or "", bool(dirty), machine,
                tuple(dict.fromkeys(suites.get(name, ()))), counts.get(name, {}),
            )
            for name, started, revision, dirty, machine in rows
        )  # fmt: skip


def known_cells(path: Path) -> tuple[str, ...]:
    """Ids of all cells, sorted."""
    with reading(path) as store:
        return tuple(name for (name,) in store.execute("SELECT DISTINCT id FROM cell ORDER BY id"))


def trend(path: Path, cell: str, metric: str, suite: str = "") -> tuple[Trend, ...]:
    """The runs of a cell that have the metric, with change points: one trend for every suite and kind of machine.

    Raises:
        ConfigError: there is no history, or neither cell nor metric is known to it.
    """
    with reading(path) as store:
        known = {name for (name,) in store.execute("SELECT DISTINCT id FROM cell")}
        if cell not in known:
            raise ConfigError(f"{path} has no cell {cell!r}; {nearest(cell, known)}")
        if metric not in METRICS and metric != CPU_RATIO:
            raise ConfigError(f"unknown metric {metric!r}; {nearest(metric, [*METRICS, CPU_RATIO])}")
        kind = "isa" if metric in METRICS and METRICS[metric].phase == "accuracy" else "machine_class"
        rows = store.execute(
            f"""SELECT cell.suite, run.{kind}, run.id, run.started, run.revision, run.dirty, metric.value, cell.status,
            cell.versions FROM cell JOIN run ON run.id = cell.run JOIN metric ON metric.cell = cell.key
            WHERE cell.id = ? AND metric.name = ? AND (? = '' OR cell.suite = ?) ORDER BY run.started, run.rowid""",
            (cell, metric, suite, suite),
        ).fetchall()
    series: dict[tuple[str, str], list[Point]] = {}
    for owner, machine, run, started, revision, dirty, value, status, versions in rows:
        point = Point(
            run, datetime.fromisoformat(started), revision or "", bool(dirty), value, status, json.loads(versions)
        )
        series.setdefault((owner, machine), []).append(point)
    return tuple(
        Trend(owner, cell, metric, machine, tuple(points), _changes([point.value for point in points]))
        for (owner, machine), points in sorted(series.items())
    )


def _changes(values: Sequence[float]) -> tuple[LevelChange, ...]:
    found = changepoints(values)
    edges = [0, *found, len(values)]
    levels = [statistics.fmean(values[a:b]) for a, b in itertools.pairwise(edges)] if values else []
    return tuple(LevelChange(index, levels[n], levels[n + 1]) for n, index in enumerate(found))
