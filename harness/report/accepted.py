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

from harness import gating
from harness.acceptance import Change
from harness.report.tables import NONE
from harness.shelf import NOT_COMMITTED, Entry
from harness.types import Measurement


def listings(entries: Sequence[Entry]) -> Iterator[Table]:
    """A table for each suite, phase and kind of machine; columns that are empty in all rows are left out."""

    def group(entry: Entry) -> tuple[str, str, str]:
        return entry.suite, entry.phase, entry.kind

    for (suite, phase, kind), several in itertools.groupby(sorted(entries, key=group), group):
        rows = [_row(entry) for entry in several]
        names = [name for name in rows[0] if any(row[name] for row in rows)]
        drawn = _table(*names)
        drawn.title, drawn.title_justify = f"{suite}: {phase} on {kind}", "left"
        for row in rows:
            drawn.add_row(*(row[name] for name in names))
        yield drawn


def _row(entry: Entry) -> dict[str, Text]:
    """By column. The level of a gated latency is where it lies against the reference, by so many processes."""
    metrics, logs = entry.measured.metrics, entry.measured.samples.get("log_ratio_network")
    occasions = gating.gated(entry.measured).get("occasions", ())
    young = logs and gating.immature(entry.measured)
    processes = f"{sum(one['processes'] for one in occasions)} on {len(occasions)}"
    return {
        "cell": Text(entry.cell),
        "when": Text(entry.when, "yellow" if entry.when == NOT_COMMITTED else ""),
        "mAP": Text(_said(metrics, "map", "{:.4f}")),
        "MB": Text(_said(metrics, "size_bytes", "{:.2f}", 1e6)),
        "p50 ms": Text(_said(metrics, "latency_p50_ms", "{:.2f}")),
        "× network": Text(f"{math.exp(statistics.fmean(logs)):.3f}" if logs else ""),
        "processes": Text(f"{processes}, too few" if young else processes, "yellow" if young else "")
        if logs
        else Text(),
        "anchor": Text(entry.anchor),
        "reason": Text(entry.reason),
    }


def whole(entry: Entry) -> Iterator[Text | Table]:
    """Everything in one file; of long samples how many there are and where they lie."""
    yield Text(str(entry.file), "bold")
    drawn = Table(box=None, show_header=False, pad_edge=False)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    measured = entry.measured
    known: dict[str, Any] = {"accepted": entry.when, "because": entry.reason or NONE, "anchor": entry.anchor or NONE}
    known |= {name: _number(value) for name, value in measured.metrics.items()}
    known |= {f"AP of {name}": _number(value) for name, value in measured.per_class.items()}
    known |= {name: _summary(values) for name, values in measured.samples.items()}
    known |= dict(_flat(measured.provenance))
    for name, value in known.items():
        drawn.add_row(name, Text(str(value)))
    yield drawn


def changes(planned: Sequence[Change]) -> Table:
    """What becomes of each file."""
    drawn = _table("cell", "phase", "machine", "was", "becomes", "")
    for change in planned:
        said = change.happened or ("new" if change.old is None else "changed" if change.needed else "unchanged")
        drawn.add_row(
            f"{change.suite}/{change.new.cell}", change.phase, change.kind, _values(change.old), _values(change.new),
            Text(said, "green" if change.needed else "dim"),
        )  # fmt: skip
    return drawn


def _table(*names: str) -> Table:
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        drawn.add_column(name, overflow="fold")
    return drawn


def _values(measured: Measurement | None) -> str:
    """mAP and size, or p50."""
    metrics = measured.metrics if measured else {}
    said = (
        _said(metrics, "map", "mAP {:.4f}"),
        _said(metrics, "size_bytes", "{:.2f} MB", 1e6),
        _said(metrics, "latency_p50_ms", "p50 {:.2f} ms"),
    )
    return ", ".join(filter(None, said)) or NONE


def _said(metrics: Mapping[str, float | None], name: str, form: str, unit: float = 1.0) -> str:
    value = metrics.get(name)
    return "" if value is None else form.format(value / unit)


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
