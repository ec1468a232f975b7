"""Baselines in the terminal: all of them, one of them whole, and what accepting results changes."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harness.core.measurement import Observation
from harness.judge import latency
from harness.report.common.tables import NONE
from harness.store.accept import BaselineChange
from harness.store.anchors import Anchor
from harness.store.baselines import BaselineFile
from harness.store.inventory import NOT_COMMITTED, Entry

PROSE = ("anchor", "reason", "file")
"""Columns that wrap before an id of a cell does."""


def listings(entries: Sequence[Entry]) -> Iterator[Table]:
    """A table for each suite, phase and kind of machine."""
    return _tables([(_title(one.file), _entry(one)) for one in entries])


def change_tables(planned: Sequence[BaselineChange]) -> Iterator[Table]:
    """What becomes of each file, in such tables."""
    return _tables([(_title(one.file), _change(one)) for one in planned])


def whole(entry: Entry) -> Iterator[Text | Table]:
    """Everything in one file; of long samples how many there are and where they lie."""
    yield Text(str(entry.file.path), "bold")
    drawn = Table(box=None, show_header=False, pad_edge=False)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    accepted = entry.accepted
    known: dict[str, Any] = {"accepted": entry.when, "because": entry.reason or NONE, "anchor": entry.anchor or NONE}
    known |= {name: _number(value) for name, value in accepted.metrics.items()}
    known |= {f"AP of {name}": _number(value) for name, value in accepted.per_class.items()}
    known |= {name: _summary(values) for name, values in accepted.samples.items()}
    known |= dict(_flat(accepted.provenance))
    for name, value in known.items():
        drawn.add_row(name, Text(str(value)))
    yield drawn


def _title(file: BaselineFile) -> str:
    return f"{file.suite}: {file.shelf} on {file.kind}"


def _tables(rows: Sequence[tuple[str, Mapping[str, Text]]]) -> Iterator[Table]:
    """A table for each title; columns that are empty in all of its rows are left out."""
    for title, several in itertools.groupby(sorted(rows, key=lambda row: row[0]), lambda row: row[0]):
        cells = [row for _, row in several]
        names = [name for name in cells[0] if any(row[name] for row in cells)]
        drawn = Table(
            title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
        )
        yielding = [name for name in names if name in PROSE] or ["cell"]
        for name in names:
            drawn.add_column(name, overflow="fold", no_wrap=name not in yielding)
        for row in cells:
            drawn.add_row(*(row[name] for name in names))
        yield drawn


def _entry(entry: Entry) -> dict[str, Text]:
    """By column. The level of a gated latency is where it lies against the reference, by so many processes."""
    logs = entry.accepted.samples.get("log_ratio_network")
    processes = Text()
    if logs:
        occasions = latency.gated(entry.accepted)["occasions"]
        young = bool(latency.immature(entry.accepted))
        said = f"{sum(one['processes'] for one in occasions)} on {len(occasions)}"
        processes = Text(f"{said}, too few" if young else said, "yellow" if young else "")
    return {
        "cell": Text(entry.file.cell),
        "when": Text(entry.when, "yellow" if entry.when == NOT_COMMITTED else ""),
        **{column: Text(said) for column, said in _values(entry.accepted).items()},
        "× network": Text(f"{math.exp(statistics.fmean(logs)):.3f}" if logs else ""),
        "processes": processes,
        "anchor": Text(entry.anchor),
        "reason": Text(entry.reason),
    }


def _change(change: BaselineChange) -> dict[str, Text]:
    """By column: the value, or both where it moves."""
    before, after = _values(change.old) if change.old else {}, _values(change.new)
    moved = {
        name: value if before.get(name, value) == value else f"{before[name] or NONE} → {value or NONE}"
        for name, value in after.items()
    }
    said = change.happened or ("new" if change.old is None else "changed" if change.needed else "unchanged")
    return {
        "cell": Text(change.file.cell),
        **{name: Text(value) for name, value in moved.items()},
        "file": Text(said, "green" if change.needed else "dim"),
    }


def _values(accepted: Observation) -> dict[str, str]:
    """The numbers that a reader looks for, by column."""
    forms = {
        "mAP": ("map", "{:.4f}", 1.0),
        "MB": ("size_bytes", "{:.2f}", 1e6),
        "p50 ms": ("latency_p50_ms", "{:.2f}", 1.0),
    }
    values = {column: (accepted.metrics.get(name), form, unit) for column, (name, form, unit) in forms.items()}
    return {
        column: "" if value is None else form.format(value / unit) for column, (value, form, unit) in values.items()
    }


def _summary(values: Sequence[float]) -> str:
    return (
        f"{len(values)} values, {min(values):g} … {statistics.median(values):g} … {max(values):g}" if values else NONE
    )


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Nested provenance as `versions.onnx`, `calibration.images`."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else f"{value:,}"


def anchors(known: Sequence[Anchor]) -> Table:
    """Every anchor with its release, and how far the accepted baseline has moved since."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("cell", "release", "processes", "baseline since"):
        drawn.add_column(name)
    for one in known:
        drawn.add_row(one.name, one.release, str(one.processes), one.moved or NONE)
    return drawn
