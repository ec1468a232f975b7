"""What the processes of a run have published in its folder, merged: the plans, and one result for each cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.measurement import Measurement
from harness.core.status import Status, worst
from harness.core.verdict import Verdict
from harness.store.records import Record
from harness.store.results import CellResult, Plan, PlannedCell


def gather(run: Path, failed: Mapping[str, str] | None = None) -> tuple[list[Plan], list[CellResult]]:
    """What the processes of a run have published in its folder: the plans, sorted by suite, and the cells' results.

    `failed` has the tests that pytest has reported as failed, by id, and why: without a record they did not finish.
    """
    plans = [Plan.read(path) for path in sorted(run.glob("*.plan.json"))]
    return plans, [result for plan in plans for result in _of_suite(run, plan, failed or {})]


def _of_suite(run: Path, plan: Plan, failed: Mapping[str, str]) -> list[CellResult]:
    results = [_of_cell(run, plan, planned, failed) for planned in plan.cells]
    reason = f"{plan.accepted} this cell and the suite has not"
    gone = [CellResult(plan.suite, cell, None, "missing", reason, None, file=plan.file) for cell in plan.stale]
    return results + gone


def _of_cell(run: Path, plan: Plan, planned: PlannedCell, failed: Mapping[str, str]) -> CellResult:
    """The records of a cell's phases as one result.

    A phase without a record is an error, worse than any verdict, where its test has failed. Else it was not run.
    """
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
    absent = [phase for phase, record in records.items() if record is None]
    unfinished = {phase: failed[test] for phase in absent if (test := plan.test(cell, phase)) in failed}
    if unfinished:
        statuses.append("error")
        reason = "; ".join(f"test_{phase} did not finish: {why}" for phase, why in unfinished.items())
    elif absent:
        statuses.append("not-run")
        verb = "was" if len(absent) == 1 else "were"
        reason = f"test_{' and test_'.join(absent)} {verb} not run to the end (skipped, interrupted, or after -x)"
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
