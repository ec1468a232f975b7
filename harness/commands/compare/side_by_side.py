"""Two results, or two folders of baselines, side by side, judged by the same rules as a run against its baseline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from harness.core.errors import ConfigError
from harness.core.measurement import Measurement, Observation
from harness.core.status import FAILING, TABLE, Status, severity, worst
from harness.core.suite import Gate
from harness.core.verdict import verdict_line
from harness.judge.gates import judge_gates
from harness.machine import fingerprint
from harness.report.common.numbers import difference, megabytes, milliseconds, number
from harness.report.common.tables import Column, Row, Section, Sheet
from harness.store import baselines, results

GATES = (Gate("map", max_drop=0.002), Gate("size_bytes", max_rise=0.01))
"""What counts as a regression where no suite says so: 0.2 AP points, 1 % of the size."""

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
    """One cell on both sides."""

    key: Key
    old: Observation | None
    new: Observation | None
    status: Status
    detail: str


def load_side(source: Path) -> dict[Key, Observation]:
    """Measurements of a `results.json`, of a results folder, or of a baseline folder, by suite and cell.

    Raises:
        ConfigError: it is none of them, or damaged.
    """
    if source.is_dir() and (source / "results.json").exists():
        source = source / "results.json"
    if source.is_file():
        return {(r.suite, r.id): r.measured for r in results.read_cells(source) if r.measured and r.measured.metrics}
    return _folder(source)


def _folder(source: Path) -> dict[Key, Observation]:
    """The baselines of one kind of machine: of this one, or of the only one there is; two kinds are never mixed."""
    files = [file for file in baselines.baseline_files(source) if file.shelf == "accuracy"] if source.is_dir() else []
    kinds, own = sorted({file.kind for file in files}), fingerprint.isa()
    if not kinds:
        raise ConfigError(
            f"{source} holds neither a results.json nor baselines; give a file or folder that a run wrote"
        )
    if own not in kinds and len(kinds) > 1:
        raise ConfigError(f"{source} has baselines of {', '.join(kinds)} and none of this machine's {own}")
    chosen = own if own in kinds else kinds[0]
    found = {(file.suite, file.cell): baselines.load_baseline(file) for file in files if file.kind == chosen}
    return {key: accepted for key, accepted in found.items() if accepted}


def declared_gates(source: Path) -> dict[str, tuple[Gate, ...]]:
    """The baseline gates that each suite of a `results.json` declared; empty for a folder of baselines."""
    file = source / "results.json" if source.is_dir() else source
    if not file.exists():
        return {}
    try:
        declared = {
            suite["name"]: [Gate(**gate) for gate in suite["gates"]] for suite in json.loads(file.read_text())["suites"]
        }
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{file} is not a results.json: {type(error).__name__} {error}") from None
    return {name: tuple(gate for gate in rules if gate.against == "baseline") for name, rules in declared.items()}


def compare_results(
    old: Mapping[Key, Observation], new: Mapping[Key, Observation], rules: Mapping[str, tuple[Gate, ...]]
) -> list[Compared]:
    """The union of cells; one that only the old side has is `missing`, one that only the new side has `no-baseline`.

    `rules` are the gates by suite; a suite without any is judged by `GATES`.
    """
    rows = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if after is None:
            rows.append(Compared(key, before, None, "missing", "missing: only in A"))
        elif before is None:
            rows.append(Compared(key, None, after, "no-baseline", "no-baseline: only in B"))
        else:
            known = baselines.comparable(before, after, "accuracy")
            verdicts = judge_gates(_of_cell(after, before), known, None, rules.get(key[0]) or GATES, "accuracy")
            detail = "; ".join(
                verdict_line(verdict) for verdict in verdicts if verdict.status not in ("unchanged", "met")
            )
            rows.append(Compared(key, before, after, worst([v.status for v in verdicts]), detail))
    return rows


def _of_cell(observed: Observation, other: Observation) -> Observation:
    """`observed` with the cell of the other side, where that side alone knows it: gates may be for some cells only."""
    if isinstance(observed, Measurement) or not isinstance(other, Measurement):
        return observed
    return Measurement(
        other.cell, **{part.name: getattr(observed, part.name) for part in dataclasses.fields(Observation)}
    )


def comparison_sheet(rows: list[Compared]) -> Sheet:
    """mAP, size and (shown, not judged) p50 on both sides; a section per suite, the worst cells first."""
    suites: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: severity(row.status)):
        scores, sizes, times = (
            [side.metrics.get(name) if side else None for side in (row.old, row.new)]
            for name in ("map", "size_bytes", "latency_p50_ms")
        )
        moved = Text(difference(scores[1], scores[0]), TABLE[row.status].colour if row.status in FAILING else "")
        values = (
            *(Text(number(value, ".4f")) for value in scores), moved,
            *(Text(megabytes(value)) for value in sizes), *(Text(milliseconds(value)) for value in times),
            Text(row.status, TABLE[row.status].colour),
        )  # fmt: skip
        suites.setdefault(row.key[0], []).append(Row(Text(row.key[1]), values))
    return Sheet("", COLUMNS, [Section(suite, shown) for suite, shown in suites.items()])
