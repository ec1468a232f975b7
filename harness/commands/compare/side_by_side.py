"""Two results, or two folders of baselines, side by side, judged by the rules of a run against its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from harness.core.errors import ConfigError
from harness.core.measurement import Observation
from harness.core.status import FAILING, TABLE, Status, severity, worst
from harness.core.suite import Gate
from harness.core.verdict import verdict_line
from harness.judge.gates import judge_gates
from harness.machine import fingerprint
from harness.report.common.numbers import difference, megabytes, milliseconds, number
from harness.report.common.tables import Column, Row, Section, Sheet
from harness.store import baselines
from harness.store.results import SCHEMA, load_results, results_file

GATES = (Gate("map", max_drop=0.002), Gate("size_bytes", max_rise=0.01))
"""The gates of a suite that declares none: a drop of 0.2 AP points or a rise of 1 % in size is a regression."""

COLUMNS = (
    Column("mAP A", 3),
    Column("mAP B", 2),
    Column("Δ", 1),
    Column("MB A", 5),
    Column("MB B", 4),
    Column("p50 ms A", 7),
    Column("p50 ms B", 6),
    Column("verdict", justify="left"),
)

Key = tuple[str, str]  # suite, cell id


@dataclass(frozen=True)
class Compared:
    """One cell on both sides: `old` is side A, `new` is side B; None on a side that does not have the cell."""

    key: Key
    old: Observation | None
    new: Observation | None
    status: Status  # the worst of its verdicts
    detail: str  # every verdict that is neither `unchanged` nor `met`, in one line

    def both(self, metric: str) -> list[float | None]:
        """The metric on side A and on side B; None on a side that does not have it."""
        return [side.metrics.get(metric) if side else None for side in (self.old, self.new)]


@dataclass(frozen=True)
class OneSide:
    """One side of a comparison."""

    observed: Mapping[Key, Observation]  # by suite and cell
    gates: Mapping[str, tuple[Gate, ...]] = field(default_factory=dict)  # against a baseline, by suite
    age: str = ""  # what a reader must know of a file that an older quantgate wrote


def load_side(source: Path) -> OneSide:
    """The measurements and gates of a results.json, of a results folder, or of a folder of baselines without gates.

    Raises:
        ConfigError: `source` is none of the three, or a file of it is damaged.
    """
    file = results_file(source)
    if not file.is_file():
        return OneSide(_accepted(source))
    read = load_results(file)
    return OneSide(
        {(row.suite, row.id): row.measured for row in read.cells if row.measured and row.measured.metrics},
        {suite: tuple(one for one in gates if one.against == "baseline") for suite, gates in read.gates.items()},
        f"{file} is older: schema {read.schema}, this quantgate writes {SCHEMA}" if read.schema < SCHEMA else "",
    )


def _accepted(folder: Path) -> dict[Key, Observation]:
    """The accuracy baselines of one kind of machine: this machine's kind, or else the only kind in the folder.

    Raises:
        ConfigError: there are no baselines, there are several kinds but not this machine's, or a file is damaged.
    """
    every = baselines.baseline_files(folder) if folder.is_dir() else []
    files = [file for file in every if file.shelf == "accuracy"]
    kinds, own = sorted({file.kind for file in files}), fingerprint.isa()
    if not kinds:
        raise ConfigError(
            f"{folder} holds neither a results.json nor baselines; give a file or folder that a run wrote"
        )
    if own not in kinds and len(kinds) > 1:
        raise ConfigError(f"{folder} has baselines of {', '.join(kinds)} and none of this machine's {own}")
    chosen = own if own in kinds else kinds[0]
    found = {(file.suite, file.cell): baselines.load_baseline(file) for file in files if file.kind == chosen}
    return {key: accepted for key, accepted in found.items() if accepted}


def compare_results(one: OneSide, other: OneSide) -> list[Compared]:
    """Every cell of either side, judged, in the order of suites and cells.

    A cell that only side A has is `missing`; a cell that only side B has is `no-baseline`. The gates of side B judge;
    a suite without any is judged by `GATES`.
    """
    old, new, rules = one.observed, other.observed, other.gates
    rows = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if after is None:
            rows.append(Compared(key, before, None, "missing", "missing: only in A"))
        elif before is None:
            rows.append(Compared(key, None, after, "no-baseline", "no-baseline: only in B"))
        else:
            known = baselines.comparable(before, after, "accuracy")
            verdicts = judge_gates(after, known, None, rules.get(key[0]) or GATES, "accuracy")
            telling = [verdict for verdict in verdicts if verdict.status not in ("unchanged", "met")]
            status = worst([verdict.status for verdict in verdicts])
            rows.append(Compared(key, before, after, status, "; ".join(map(verdict_line, telling))))
    return rows


def comparison_sheet(rows: list[Compared]) -> Sheet:
    """mAP, size and median latency on both sides, a section per suite, the worst cells first. Latency is not judged."""
    suites: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: severity(row.status)):
        colour = TABLE[row.status].colour
        old, new = row.both("map")
        values = (
            Text(number(old, ".4f")),
            Text(number(new, ".4f")),
            Text(difference(new, old), colour if row.status in FAILING else ""),
            *(Text(megabytes(value)) for value in row.both("size_bytes")),
            *(Text(milliseconds(value)) for value in row.both("latency_p50_ms")),
            Text(row.status, colour),
        )
        suites.setdefault(row.key[0], []).append(Row(Text(row.key[1]), values))
    return Sheet("", COLUMNS, [Section(suite, shown) for suite, shown in suites.items()])
