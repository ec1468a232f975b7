"""The artifact that was built for a cell, what a run observed of it, and both as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.cell import Cell, Qat, as_size
from harness.core.errors import QuantgateError
from harness.core.metrics import Phase
from harness.core.status import Status, severity


@dataclass(frozen=True)
class Artifact:
    """What was built for a cell: a file or a folder in the artifact cache."""

    path: str  # the file or folder that the runtime opens
    key: str  # hash of everything that shaped the artifact
    size_bytes: int  # of all files that a deployment ships
    meta: Mapping[str, Any] = field(default_factory=dict)  # names, layout, recipe, versions, weights hash
    built: bool = False  # True: built by this run; False: from the cache


ONE_PLACE = "all boxes lie within two pixels: they are no detections"
"""The note of a cell whose boxes cannot be detections; such a cell gets no star."""

MACHINE_KIND: Mapping[Phase, str] = {"accuracy": "isa", "latency": "machine_class"}
"""The field of `Machine` that is the key of a phase's baselines. The `environment` of a results.json and the runs of
the history have it under the same name."""


@dataclass(frozen=True)
class Machine:
    """The machine that measured a cell. It carries no host name and no user name."""

    machine_class: str  # processor, instruction set, cores; machines of one class should be equally fast
    cpu: str  # name of the processor
    isa: str  # the instruction set that decides which int8 kernels run
    cores: int
    memory_bytes: int
    system: str  # operating system
    python: str  # version

    def kind(self, phase: Phase) -> str:
        """The key of this machine's baselines: its instruction set for accuracy, its machine class for latency."""
        kind: str = getattr(self, MACHINE_KIND[phase])
        return kind


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The numbers of a measurement without its cell. A baseline file holds an observation."""

    metrics: Mapping[str, float | None] = field(default_factory=dict)  # None: there was nothing to measure
    per_class: Mapping[str, float | None] = field(default_factory=dict)  # AP by class name
    instances: Mapping[str, int] = field(default_factory=dict)  # objects of the scored data by class name
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)  # raw values, e.g. milliseconds per call
    executed: Mapping[str, int] = field(default_factory=dict)  # multiply-accumulates by executed numeric type
    provenance: Mapping[str, Any] = field(default_factory=dict)  # hashes, recipe, versions, data, decoding


@dataclass(frozen=True)
class Measurement(Observation):
    """What a run observed of a cell, or why it observed nothing."""

    cell: Cell
    timings: Mapping[str, float] = field(default_factory=dict, kw_only=True)  # seconds per phase
    notes: Sequence[str] = field(default=(), kw_only=True)  # what a reader of the table must know
    failure: tuple[Status, str] | None = field(default=None, kw_only=True)  # ("error" | "unavailable", the reason)
    machine: Machine | None = field(default=None, kw_only=True)  # None: read from a file that does not say

    def merged(self, other: Measurement) -> Measurement:
        """Both phases of one cell as one measurement. Entries of `other` win, times add up, the worse failure stays."""
        failures = sorted(filter(None, (self.failure, other.failure)), key=lambda f: severity(f[0]))
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
            machine=self.machine or other.machine,
        )


def measurement_to_json(measured: Measurement) -> dict[str, Any]:
    """A measurement as data for JSON, which `measurement_from_json` reads."""
    return dataclasses.asdict(measured)


def measurement_from_json(data: dict[str, Any]) -> Measurement:
    """The measurement that `measurement_to_json` wrote."""
    failure, machine = data.get("failure"), data.get("machine")
    return Measurement(
        **{
            **data,
            "cell": cell_from_json(data["cell"]),
            "failure": tuple(failure) if failure else None,
            "machine": Machine(**machine) if machine else None,
        }
    )


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """A cell as data for JSON, which `cell_from_json` reads."""
    return {**dataclasses.asdict(cell), "imgsz": list(cell.imgsz)}


def cell_from_json(data: dict[str, Any]) -> Cell:
    """The cell that `cell_to_json` wrote, or an older quantgate, to which a size was one number."""
    float_cell = cell_from_json(data["float_cell"]) if data.get("float_cell") else None
    return Cell(**{**data, "qat": Qat(**data["qat"]) if data.get("qat") else None, "float_cell": float_cell})


def upgraded(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance as this version writes it: an older one wrote the size of the input as the side of a square."""
    size = provenance.get("imgsz")
    return {**provenance, **({"imgsz": list(as_size(size))} if size else {})}


def failure(cell: Cell, error: QuantgateError) -> Measurement:
    """The measurement of a cell that could not be measured: the status of the error, and its message as the reason."""
    return Measurement(cell, failure=(error.status, str(error)))


@dataclass(frozen=True)
class Incomparable:
    """A baseline that cannot be compared with the measurement; `why` names what differs between the two."""

    why: str


Baseline = Observation | Incomparable | None
"""The baseline of a cell: the accepted observation, one that cannot be compared, or None where no file exists."""
