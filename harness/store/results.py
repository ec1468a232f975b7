"""What a run found, cell by cell: merged from the records of its workers, written as `results.json`, and read back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.files import ASSETS, write_text
from harness.core.measurement import Machine, Measurement, cell_from_json, cell_to_json, upgraded
from harness.core.status import Status, worst
from harness.core.suite import Gate, Suite
from harness.core.verdict import Verdict, verdict_from_json
from harness.store.records import Record

SCHEMA = 2  # version of `results.json`; 1 had one number for the size of the input
SCHEMA_FILE = ASSETS / "results.schema.json"
"""The JSON schema of `results.json`."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell that was selected to run, and its selected phases."""

    cell: Cell
    phases: tuple[str, ...]  # accuracy, latency


@dataclass(frozen=True)
class Plan:
    """What a run set out to do with one suite; a planned test without a record did not finish."""

    suite: str
    file: str  # the suite's file, relative to where pytest was started
    gates: tuple[Gate, ...]
    cells: tuple[PlannedCell, ...]
    stale: tuple[str, ...] = ()  # ids of cells that have a baseline and are not in the suite; filled on a full run
    threads: int = 1  # of the timed sections
    line: int = 1  # of the file: where the suite is declared, counted from 1
    accepted: str = "the baselines have"  # subject and verb of the sentence about a stale cell

    def publish(self, run: Path) -> None:
        """Write the plan into the folder of its run. Raises ConfigError where it cannot be written."""
        write_text(run / f"{self.suite}.plan.json", json.dumps(dataclasses.asdict(self)), "--qg-results-dir")

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan that `publish` has written."""
        data = json.loads(path.read_text())
        cells = tuple(PlannedCell(cell_from_json(c["cell"]), tuple(c["phases"])) for c in data["cells"])
        gates = tuple(Gate(**gate) for gate in data["gates"])
        return cls(**{**data, "cells": cells, "gates": gates, "stale": tuple(data["stale"])})


@dataclass(frozen=True)
class CellResult:
    """What a run found of one cell: one row of the table."""

    suite: str
    id: str
    cell: Cell | None  # None for a missing cell: only its id is known
    status: Status
    reason: str | None  # why it failed, could not run, did not finish or is missing; None for any other cell
    measured: Measurement | None  # None for a missing cell
    verdicts: tuple[Verdict, ...] = ()
    baseline: dict[str, float | None] | None = None  # the accepted metrics that it was compared with
    file: str = ""  # the suite's file, as its plan names it
    explanation: dict[str, Any] | None = None  # where the accuracy went (`measure.explain.explain.from_json` reads it)

    def metric(self, name: str) -> float | None:
        """The value of a metric; None where it was not measured or there was nothing to measure."""
        return self.measured.metrics.get(name) if self.measured else None


def gather(run: Path) -> tuple[list[Plan], list[CellResult]]:
    """What the processes of a run have published in its folder: the plans, sorted by suite, and the cells' results."""
    plans = [Plan.read(path) for path in sorted(run.glob("*.plan.json"))]
    return plans, [result for plan in plans for result in _of_suite(run, plan)]


def _of_suite(run: Path, plan: Plan) -> list[CellResult]:
    results = [_of_cell(run, plan, planned) for planned in plan.cells]
    reason = f"{plan.accepted} this cell and the suite has not"
    gone = [CellResult(plan.suite, cell, None, "missing", reason, None, file=plan.file) for cell in plan.stale]
    return results + gone


def _of_cell(run: Path, plan: Plan, planned: PlannedCell) -> CellResult:
    """The records of a cell's phases as one result. A phase without a record is an error, worse than any verdict."""
    cell = planned.cell
    records = {phase: Record.read(Record.path(run, plan.suite, phase, cell)) for phase in planned.phases}
    measured = Measurement(cell)
    verdicts: tuple[Verdict, ...] = ()
    baseline: dict[str, float | None] | None = None
    explanation: dict[str, Any] | None = None
    for record in filter(None, records.values()):
        measured = measured.merged(record.measured)
        verdicts = (*verdicts, *record.verdicts)
        explanation = record.explanation or explanation
        if record.baseline is not None:
            baseline = {**(baseline or {}), **record.baseline}
    statuses: list[Status] = [verdict.status for verdict in verdicts]
    reason = None
    unfinished = [phase for phase, record in records.items() if record is None]
    if unfinished:
        statuses.append("error")
        reason = f"test_{' and test_'.join(unfinished)} did not finish (interrupted, or its worker died)"
    if measured.failure:
        status, reason = measured.failure
        statuses.append(status)
    status = worst(statuses)
    return CellResult(plan.suite, cell.id, cell, status, reason, measured, verdicts, baseline, plan.file, explanation)


def intervals(run: Path) -> list[dict[str, Any]]:
    """Which process held the machine, and when (seconds of its monotonic clock); a half-written line is left out."""
    log = run / "intervals.jsonl"
    if not log.exists():
        return []
    lines = log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def results_to_json(
    plans: Sequence[Plan],
    results: Sequence[CellResult],
    machine: Machine,
    command: str,
    held: Sequence[dict[str, Any]] = (),
    stable: Sequence[str] = (),
    run: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `results.json`, a stable interface that `assets/results.schema.json` describes.

    `plans` and `results` come from `gather`, `held` from `intervals`. `stable` says in lines what makes latency
    unreliable on the machine. `run` has the id, start and commit of the run.
    """
    return {
        "schema": SCHEMA,
        "run": run,
        "environment": {**dataclasses.asdict(machine), "command": command},
        "stability": list(stable),
        "suites": [
            {
                "name": plan.suite,
                "file": plan.file,
                "line": plan.line,
                "threads": plan.threads,
                "gates": [dataclasses.asdict(gate) for gate in plan.gates],
            }
            for plan in plans
        ],
        "cells": [_cell_to_json(result) for result in results],
        "intervals": list(held),
    }


def _cell_to_json(result: CellResult) -> dict[str, Any]:
    measured = result.measured
    return {
        "suite": result.suite,
        "id": result.id,
        "cell": cell_to_json(result.cell) if result.cell else None,
        "status": result.status,
        "reason": result.reason,
        "metrics": dict(measured.metrics) if measured else {},
        "per_class": dict(measured.per_class) if measured else {},
        "instances": dict(measured.instances) if measured else {},
        "executed": dict(measured.executed) if measured else {},
        "samples": {name: list(values) for name, values in measured.samples.items()} if measured else {},
        "verdicts": [dataclasses.asdict(verdict) for verdict in result.verdicts],
        "baseline": result.baseline,
        "explanation": result.explanation,
        "provenance": dict(measured.provenance) if measured else {},
        "timings": dict(measured.timings) if measured else {},
        "notes": list(measured.notes) if measured else [],
    }


@dataclass(frozen=True)
class Recorded:
    """A whole `results.json`."""

    cells: Sequence[CellResult]
    suites: Sequence[Mapping[str, Any]]  # name, file, line, threads and gates of each suite
    gates: Mapping[str, tuple[Gate, ...]]  # by name of the suite
    environment: Mapping[str, Any]  # machine class, instruction set, command, …
    run: Mapping[str, Any]  # id, started, commit, dirty; empty in results of an older quantgate
    stability: Sequence[str] = ()  # what made latency unreliable on the machine
    schema: int = SCHEMA  # version of the file


def results_file(place: Path) -> Path:
    """The `results.json` that a user named by its own path or by the folder that holds it. It may not exist."""
    return place / "results.json" if place.is_dir() else place


def read_cells(path: Path) -> list[CellResult]:
    """The cells of a `results.json`. Raises ConfigError as `load_results` does."""
    return list(load_results(path).cells)


def load_results(path: Path) -> Recorded:
    """All of a `results.json`.

    Raises:
        ConfigError: the file cannot be read, is not a results.json, or has a newer schema.
    """
    try:
        data = json.loads(path.read_text())
        if data["schema"] not in range(1, SCHEMA + 1):
            raise ConfigError(f"{path} has schema {data['schema']}, this quantgate reads up to {SCHEMA}; upgrade it")
        files = {suite["name"]: suite["file"] for suite in data["suites"]}
        cells = [_cell_from_json(entry, files) for entry in data["cells"]]
        gates = {suite["name"]: tuple(Gate(**gate) for gate in suite["gates"]) for suite in data["suites"]}
        run, stable = data.get("run") or {}, data.get("stability", ())
        return Recorded(cells, data["suites"], gates, data["environment"], run, stable, data["schema"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is not a results.json: {type(error).__name__} {error}") from None


def _cell_from_json(entry: dict[str, Any], files: Mapping[str, str]) -> CellResult:
    cell = cell_from_json(entry["cell"]) if entry["cell"] else None
    measured = None
    if cell:
        kept = {
            name: entry[name]
            for name in ("metrics", "per_class", "instances", "samples", "executed", "provenance", "timings", "notes")
        }
        kept["provenance"] = upgraded(kept["provenance"])
        measured = Measurement(cell, **kept)
    verdicts = tuple(map(verdict_from_json, entry["verdicts"]))
    return CellResult(
        entry["suite"], entry["id"], cell, entry["status"], entry["reason"], measured, verdicts, entry["baseline"],
        files.get(entry["suite"], ""), entry["explanation"],
    )  # fmt: skip


def plan_of(suite: Suite, file: str, phases: dict[Cell, tuple[str, ...]], stale: Sequence[str], threads: int) -> Plan:
    """The plan of a suite whose cells were selected with these `phases`. The other arguments are fields of `Plan`."""
    cells = tuple(PlannedCell(cell, phases[cell]) for cell in suite.cells if cell in phases)
    return Plan(suite.name, file, tuple(suite.gates), cells, tuple(stale), threads)
