"""Two results, or two folders of baselines, side by side, judged by the same rules as a run against its baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harness import baselines, results
from harness.errors import ConfigError
from harness.report.terminal import NONE, STYLES
from harness.types import Cell, Gate, Measurement, Status, worst
from harness.verdicts import judge

GATES = (Gate("map", max_drop=0.002), Gate("size_bytes", max_rise=0.01))
"""What counts as a regression where no suite says so: 0.2 AP points, 1 % of the size."""

Key = tuple[str, str]  # suite, cell id


@dataclass(frozen=True)
class Compared:
    """One cell on both sides."""

    key: Key
    old: Measurement | None
    new: Measurement | None
    status: Status
    detail: str


def load(source: Path) -> dict[Key, Measurement]:
    """Measurements of a `results.json`, of a results folder, or of a baseline folder, by suite and cell.

    Raises:
        ConfigError: it is none of them, or damaged.
    """
    if source.is_dir() and (source / "results.json").exists():
        source = source / "results.json"
    if source.is_file():
        return {(r.suite, r.id): r.measured for r in results.read(source) if r.measured and r.measured.metrics}
    files = sorted(source.glob(f"*/accuracy/{baselines.kind_key('accuracy')}/*.json")) or sorted(
        source.glob("*/accuracy/*/*.json")
    )
    if not files:
        raise ConfigError(
            f"{source} holds neither a results.json nor baselines; give a file or folder that a run wrote"
        )
    return {(file.parts[-4], file.stem): _baseline(file) for file in files}


def _baseline(file: Path) -> Measurement:
    return baselines.read(file, Cell(file.stem, "", "", ""))


def gates(source: Path) -> tuple[Gate, ...]:
    """The baseline gates that the suites of a `results.json` declared, else the defaults."""
    file = source / "results.json" if source.is_dir() else source
    if not file.exists():
        return GATES
    declared = [Gate(**gate) for suite in json.loads(file.read_text())["suites"] for gate in suite["gates"]]
    return tuple(dict.fromkeys(gate for gate in map(_hashable, declared) if gate.against == "baseline")) or GATES


def _hashable(gate: Gate) -> Gate:
    return Gate(**{**gate.__dict__, "precisions": tuple(gate.precisions), "backends": tuple(gate.backends)})


def compare(old: Mapping[Key, Measurement], new: Mapping[Key, Measurement], rules: tuple[Gate, ...]) -> list[Compared]:
    """The union of cells; one that only the old side has is `missing`, one that only the new side has `no-baseline`."""
    rows = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if after is None:
            rows.append(Compared(key, before, None, "missing", "only in A"))
        elif before is None:
            rows.append(Compared(key, None, after, "no-baseline", "only in B"))
        else:
            known = baselines.comparable(before, after, "accuracy")
            verdicts = judge(after, known, None, [gate for gate in rules if gate.applies(after.cell)], "accuracy")
            detail = "; ".join(
                v.detail or f"{v.metric} {v.observed:.6g}, expected {v.expected}"
                for v in verdicts
                if v.status not in ("unchanged", "met")
            )
            rows.append(Compared(key, before, after, worst([v.status for v in verdicts]), detail))
    return rows


def table(rows: list[Compared]) -> Table:
    """mAP, size and (shown, not judged) p50 on both sides."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0))
    drawn.add_column("cell")
    for name in ("mAP A", "mAP B", "Δ", "MB A", "MB B", "p50 A", "p50 B"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    for row in rows:
        pairs = [
            [side.metrics.get(name) if side else None for side in (row.old, row.new)]
            for name in ("map", "size_bytes", "latency_p50_ms")
        ]
        scores, sizes, times = pairs
        change = f"{scores[1] - scores[0]:+.4f}" if None not in scores else NONE  # type: ignore[operator]
        shown = (
            [_number(v, 1, ".4f") for v in scores]
            + [change]
            + [_number(v, 1e6, ".2f") for v in sizes]
            + [_number(v, 1, ".2f") for v in times]
        )
        drawn.add_row("/".join(row.key), *shown, Text(row.status, STYLES[row.status]))
    return drawn


def _number(value: float | None, unit: float, form: str) -> str:
    return NONE if value is None else format(value / unit, form)
