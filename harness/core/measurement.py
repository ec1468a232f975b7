"""What was built for a cell, and what was observed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.cell import Cell
from harness.core.status import SEVERITY, Status


@dataclass(frozen=True)
class Artifact:
    """The built file(s) of a cell in the cache."""

    path: str  # the file or folder that the runtime opens
    key: str  # hash of everything that shaped it
    size_bytes: int  # what a deployment ships: all its files
    meta: Mapping[str, Any] = field(default_factory=dict)  # names, layout, recipe, versions, weights hash
    built: bool = False  # True when this run built it, False when it came from the cache


@dataclass(frozen=True)
class Measurement:
    """What was observed for a cell. A baseline is a committed measurement, not another type."""

    cell: Cell
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # None: defined, but nothing to measure
    per_class: Mapping[str, float | None] = field(default_factory=dict)  # AP by class name
    instances: Mapping[str, int] = field(default_factory=dict)  # objects of the scored data by class name
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)  # raw values, e.g. milliseconds per call
    executed: Mapping[str, int] = field(default_factory=dict)  # multiply-accumulates by the type they executed in
    provenance: Mapping[str, Any] = field(default_factory=dict)  # hashes, recipe, versions, data, decoding
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds per phase
    notes: Sequence[str] = ()  # what a reader of the table must know
    failure: tuple[Status, str] | None = None  # ("error" | "unavailable", reason) instead of metrics

    def merged(self, other: Measurement) -> Measurement:
        """The phases of one cell as one measurement; the worse failure wins."""
        failures = sorted(filter(None, (self.failure, other.failure)), key=lambda f: SEVERITY.index(f[0]))
        return Measurement(
            cell=self.cell,
            metrics={**self.metrics, **other.metrics},
            per_class={**self.per_class, **other.per_class},
            instances={**self.instances, **other.instances},
            samples={**self.samples, **other.samples},
            executed={**self.executed, **other.executed},
            provenance={**self.provenance, **other.provenance},
            timings={k: self.timings.get(k, 0) + other.timings.get(k, 0) for k in {**self.timings, **other.timings}},
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            failure=failures[0] if failures else None,
        )
