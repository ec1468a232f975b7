"""What accepting measurements does to baseline files: first a plan that can be shown, then the writing.

A run accepts its own measurements (`--qg-baseline-update`), `quantgate baseline accept` the measurements of a
results.json.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.measurement import Incomparable, Measurement, Observation
from harness.core.metrics import STORED, TRACED, Phase
from harness.core.processes import NAMES
from harness.core.suite import Gate
from harness.core.verdict import verdict_line
from harness.judge import latency
from harness.store import anchors, baselines, results
from harness.store.baselines import BaselineFile
from harness.store.results import CellResult, Recorded

PHASES: tuple[tuple[Phase, str], ...] = (("accuracy", "map"), ("latency", "latency_p50_ms"))
"""The phases, and the metric that a measured phase always has."""


@dataclass(frozen=True)
class BaselineChange:
    """One baseline file as it is and as it is to be."""

    file: BaselineFile
    old: Observation | None
    new: Observation
    reason: str  # why it is accepted, empty where nobody says
    happened: str  # to a gated latency, in words: "occasion 2, 10 processes"

    @property
    def needed(self) -> bool:
        """Whether the file does not hold these bytes already."""
        text = baselines.to_text(self.file, self.new, self.reason)
        return not (self.file.path.exists() and self.file.path.read_text() == text)

    def write(self) -> bool:
        """Replace the file in one step. Returns False where the file holds these bytes already."""
        return baselines.save_baseline(self.file, self.new, self.reason)


def phases(result: CellResult) -> tuple[Phase, ...]:
    """The phases of a cell that a baseline may hold: none of a cell that failed."""
    if result.measured is None or result.measured.failure or result.status == "error":
        return ()
    return tuple(phase for phase, metric in PHASES if result.metric(metric) is not None)


def has_recording(measured: Measurement, gates: Sequence[Gate]) -> bool:
    """Whether a later run can be held against this latency.

    Where a gate judges latency, that takes processes of both references. A run that judges has processes of one
    reference, or of none; only --qg-baseline-update records both.
    """
    return not _rules(measured, gates) or all(f"log_ratio_{name}" in measured.samples for name in NAMES)


def plan_change(file: BaselineFile, measured: Measurement, gates: Sequence[Gate], reason: str = "") -> BaselineChange:
    """What becomes of one baseline file; a gated latency adds an occasion to the occasions that are there.

    `measured` may hold both phases; `gates` are the suite's. A reason stays as long as what it explains: the same
    numbers, or the same level of a latency.

    Raises:
        ConfigError: the file of a gated latency is damaged; other damaged files are written anew.
    """
    other: Phase = "latency" if file.shelf == "accuracy" else "accuracy"
    traced = {key: value for key, value in measured.provenance.items() if key not in TRACED[other]}
    new, happened = replace(measured, provenance=traced), ""
    gated = file.shelf == "latency" and bool(latency.gated(new))
    old = _stored(file, strict=gated)
    if gated:
        new, happened = latency.extended(old, new, _rules(measured, gates)["latency"])
    unchanged = old is not None and baselines.to_text(file, old) == baselines.to_text(file, new)
    kept = baselines.reason(file) if unchanged or _same_level(old, new) else ""
    return BaselineChange(file, old, new, kept if unchanged else reason or kept, happened)


def _stored(file: BaselineFile, strict: bool) -> Observation | None:
    try:
        return baselines.load_baseline(file)
    except ConfigError:
        if strict:
            raise
        return None


def _rules(measured: Measurement, gates: Sequence[Gate]) -> dict[str, float]:
    return latency.limits([gate for gate in gates if gate.against == "baseline" and gate.applies(measured.cell)])


def _same_level(old: Observation | None, new: Observation) -> bool:
    """Whether a gated latency goes on where the baseline was: they share an occasion."""
    before, after = (latency.gated(one).get("occasions", ()) for one in (old, new))
    return any(occasion in before for occasion in after)


# What a results.json from elsewhere offers


DEFAULT_ROOT = Path("baselines")
KINDS = {"accuracy": "isa", "latency": "machine_class"}
"""The entry of `environment` in a results.json that is the kind of machine of a phase's baselines."""


@dataclass(frozen=True)
class Offer:
    """What would be written, and what would not be and why."""

    changes: tuple[BaselineChange, ...]
    left: tuple[str, ...]  # lines
    warnings: tuple[str, ...]  # what accepting loses or does not cure, lines


def offer(file: Path, root: Path, chosen: Callable[[CellResult], bool], reason: str) -> Offer:
    """The offer of the chosen cells of a results.json (or its folder).

    Raises:
        ConfigError: no cell is chosen, one of them failed or did not finish, or the run scored other data than its
            suites declare.
    """
    file = file / "results.json" if file.is_dir() else file
    known = results.load_results(file)
    _check_data(file, known, root)
    _check_names(file, known)
    cells = [result for result in known.cells if chosen(result)]
    if not cells:
        raise ConfigError(f"{file} has no such cell; it has {', '.join(sorted({one.id for one in known.cells}))}")
    if broken := [result for result in cells if result.status == "error"]:
        said = "; ".join(f"{result.id}: {result.reason}" for result in broken)
        without = " or ".join(result.id for result in broken)
        raise ConfigError(
            f"{file}: nothing is accepted of a cell that failed ({said}); leave it out: -k 'not ({without})'"
        )
    changes: list[BaselineChange] = []
    left: list[str] = []
    for result in cells:
        _add(known, root, result, reason, changes, left)
    return Offer(tuple(changes), tuple(left), tuple(_warnings(changes, cells)))


def _check_data(file: Path, known: Recorded, root: Path) -> None:
    """As for --qg-baseline-update: results of other data must not replace the suite's baselines."""
    command = str(known.environment.get("command", ""))
    elsewhere = any(word.partition("=")[0] == "--qg-dataset" for word in shlex.split(command))
    if elsewhere and root == DEFAULT_ROOT:
        raise ConfigError(
            f"{file} was measured with --qg-dataset: it would replace the suite's baselines by those of other data; "
            f"name a folder of their own with --baselines"
        )


def _check_names(file: Path, known: Recorded) -> None:
    """Names become paths, and the file comes from elsewhere."""
    names = [str(known.environment[key]) for key in KINDS.values()]
    names += [name for result in known.cells for name in (result.suite, result.cell.id if result.cell else result.id)]
    if odd := [name for name in names if name.startswith(".") or not name or "/" in name or "\\" in name]:
        raise ConfigError(
            f"{file} names {odd[0]!r}, which is no name of a suite, cell or machine; was it tampered with?"
        )


def _add(
    known: Recorded, root: Path, result: CellResult, reason: str, changes: list[BaselineChange], left: list[str]
) -> None:
    found = phases(result)
    if not found:
        left.append(f"{result.id}: {result.status}: {result.reason or 'nothing was measured'}")
    for phase in found:
        assert result.measured is not None
        gates, kind = known.gates[result.suite], str(known.environment[KINDS[phase]])
        if phase == "latency" and not has_recording(result.measured, gates):
            left.append(
                f"{result.id}: latency: this run did not record the processes that judge it; accept the results of a "
                f"run with --qg-baseline-update"
            )
            continue
        changes.append(
            plan_change(BaselineFile(root, result.suite, phase, kind, result.id), result.measured, gates, reason)
        )


def _warnings(changes: list[BaselineChange], cells: list[CellResult]) -> Iterator[str]:
    measured = {(result.suite, result.id): result.measured for result in cells}
    for change in changes:
        file = change.file
        phase: Phase = "accuracy" if file.shelf == "accuracy" else "latency"
        now = measured[file.suite, file.cell]
        known = baselines.comparable(change.old, now, phase) if now else None
        if isinstance(known, Incomparable):
            yield f"{file.cell}: not comparable with what it replaces: {known.why}"
        if lost := [name for name in STORED[phase] if _has(change.old, name) and not _has(change.new, name)]:
            yield f"{file.cell}: {', '.join(lost)} will be gone: this run has no value"
        if phase == "latency" and change.old and anchors.anchor_of(file).path.exists():
            yield f"{file.cell}: its anchor stays, and latency_creep is judged against it: quantgate anchor show"
    for result in cells:
        for verdict in result.verdicts:
            if verdict.status == "missed":
                yield f"{result.id}: fails on, whatever the baseline: {verdict_line(verdict)}"


def _has(measured: Observation | None, metric: str) -> bool:
    return measured is not None and measured.metrics.get(metric) is not None
