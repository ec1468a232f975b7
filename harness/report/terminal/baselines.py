"""Baselines in the terminal: all of them, one of them whole, what accepting results changes, and the anchors."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harness.core.measurement import Observation
from harness.judge import latency
from harness.report.common.numbers import NONE, megabytes, milliseconds, number
from harness.report.common.wording import dotted
from harness.store.accept import BaselineChange
from harness.store.anchors import Anchor
from harness.store.baselines import BaselineFile
from harness.store.history_db import cpu_ratio
from harness.store.inventory import NOT_COMMITTED, Entry

PROSE = ("anchor", "reason", "file")
"""Columns that wrap before the id of a cell does."""


def listings(entries: Sequence[Entry]) -> Iterator[Table]:
    """A table of baselines for each suite, phase and kind of machine."""
    return _tables([(_title(one.file), _entry(one)) for one in entries])


def change_tables(planned: Sequence[BaselineChange]) -> Iterator[Table]:
    """A table of changes for each suite, phase and kind of machine."""
    return _tables([(_title(one.file), _change(one)) for one in planned])


def whole(entry: Entry) -> Iterator[Text | Table]:
    """The path of a baseline file and all that it holds; samples are summarized."""
    yield Text(str(entry.file.path), "bold")
    drawn = Table(box=None, show_header=False, pad_edge=False)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    accepted = entry.accepted
    known = {"accepted": entry.when, "because": entry.reason or NONE, "anchor": entry.anchor or NONE}
    known |= {name: _plain(value) for name, value in accepted.metrics.items()}
    known |= {f"AP of {name}": _plain(value) for name, value in accepted.per_class.items()}
    known |= {name: _summary(values) for name, values in accepted.samples.items()}
    known |= {name: _json(value) for name, value in dotted(accepted.provenance)}
    for name, value in known.items():
        drawn.add_row(name, Text(value))
    yield drawn


def anchors(known: Sequence[Anchor]) -> Table:
    """A row for each anchor: its release, and how far the accepted baseline has moved since."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("cell", "release", "processes", "baseline since"):
        drawn.add_column(name)
    for one in known:
        drawn.add_row(one.name, one.release, str(one.processes), one.moved or NONE)
    return drawn


def _title(file: BaselineFile) -> str:
    return f"{file.suite}: {file.shelf} on {file.kind}"


def _tables(rows: Sequence[tuple[str, Mapping[str, Text]]]) -> Iterator[Table]:
    """A table for each title, from pairs of a title and a row by column; columns without any text are left out."""
    for title, several in itertools.groupby(sorted(rows, key=lambda row: row[0]), lambda row: row[0]):
        cells = [row for _, row in several]
        names = [name for name in cells[0] if any(row[name] for row in cells)]
        drawn = Table(
            title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
        )
        wrapping = [name for name in names if name in PROSE] or ["cell"]
        for name in names:
            drawn.add_column(name, overflow="fold", no_wrap=name not in wrapping)
        for row in cells:
            drawn.add_row(*(row[name] for name in names))
        yield drawn


def _entry(entry: Entry) -> dict[str, Text]:
    """A row of `listings`, by column."""
    return {
        "cell": Text(entry.file.cell),
        "when": Text(entry.when, "yellow" if entry.when == NOT_COMMITTED else ""),
        **{column: Text(said) for column, said in _values(entry.accepted).items()},
        **_gated(entry.accepted),
        "anchor": Text(entry.anchor),
        "reason": Text(entry.reason),
    }


def _gated(accepted: Observation) -> dict[str, Text]:
    """The level of a gated latency as a ratio to the network reference, and the processes behind it, by column.

    The texts are empty for a baseline without a gated latency.
    """
    ratio = cpu_ratio(accepted.samples)
    if ratio is None:
        return {"× network": Text(), "processes": Text()}
    occasions = latency.gated(accepted)["occasions"]
    processes = f"{latency.process_count(occasions)} on {len(occasions)}"
    few = bool(latency.immature(accepted))
    return {
        "× network": Text(number(ratio, ".3f")),
        "processes": Text(f"{processes}, too few", "yellow") if few else Text(processes),
    }


def _change(change: BaselineChange) -> dict[str, Text]:
    """A row of `change_tables`, by column: a value, or the old and the new value where they differ."""
    before, after = _values(change.old) if change.old else {}, _values(change.new)
    moved = {
        name: value if before.get(name, value) == value else f"{before[name] or NONE} → {value or NONE}"
        for name, value in after.items()
    }
    happened = "new" if change.old is None else "changed" if change.needed else "unchanged"
    return {
        "cell": Text(change.file.cell),
        **{name: Text(value) for name, value in moved.items()},
        "file": Text(change.happened or happened, "green" if change.needed else "dim"),
    }


def _values(accepted: Observation) -> dict[str, str]:
    """The numbers that a reader looks for, by column; empty texts for numbers that the baseline does not have."""
    values = {
        "mAP": number(accepted.metrics.get("map"), ".4f"),
        "MB": megabytes(accepted.metrics.get("size_bytes")),
        "p50 ms": milliseconds(accepted.metrics.get("latency_p50_ms")),
    }
    return {column: "" if value == NONE else value for column, value in values.items()}


def _summary(values: Sequence[float]) -> str:
    """How many samples there are, and their minimum, median and maximum."""
    if not values:
        return NONE
    return f"{len(values)} values, {min(values):g} … {statistics.median(values):g} … {max(values):g}"


def _json(value: Any) -> str:
    """A value of the provenance: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: float | None) -> str:
    """A number with as many digits as it needs; whole numbers with commas between thousands."""
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
