"""What accepting measurements does to baseline files: first a plan that can be shown, then the writing.

A run accepts its own measurements (`--qg-baseline-update`); `quantgate baseline accept` accepts the measurements in a
results.json, which may come from another machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.measurement import MACHINE_KIND, Incomparable, Measurement, Observation
from harness.core.metrics import STORED, TRACED, Phase
from harness.core.processes import REFERENCES
from harness.core.suite import Gate
from harness.core.verdict import verdict_line
from harness.judge import latency
from harness.store import anchors, baselines, results
from harness.store.baselines import BaselineFile
from harness.store.results import CellResult, Recorded

ALWAYS: dict[Phase, str] = {"accuracy": "map", "latency": "latency_p50_ms"}
"""The metric that a measured phase always has."""

DEFAULT_ROOT = Path("baselines")
"""The folder of the suites' own baselines: what `quantgate baseline accept` writes to without `--baselines`."""


# One baseline file


@dataclass(frozen=True)
class BaselineChange:
    """One baseline file as it is, and as it is to be."""

    file: BaselineFile
    old: Observation | None  # what the file holds; None where it does not exist or a damaged accuracy is replaced
    new: Observation
    reason: str  # why `new` is accepted; empty where nobody gave a reason
    happened: str  # what becomes of a gated latency: "occasion 2, 10 processes"; empty for any other file

    @property
    def needed(self) -> bool:
        """Whether `write` would change the file."""
        return not baselines.is_saved(self.file, self.new, self.reason)

    def write(self) -> bool:
        """Replace the file in one step. Returns False where the file holds these bytes already.

        Raises:
            ConfigError: the folder cannot be written.
        """
        return baselines.save_baseline(self.file, self.new, self.reason)


def phases(result: CellResult) -> tuple[Phase, ...]:
    """The phases of a cell that a baseline may hold: none of a cell that failed, or that has nothing to score."""
    if result.measured is None or result.measured.failure or result.status == "error" or unscored(result):
        return ()
    return tuple(phase for phase, metric in ALWAYS.items() if result.metric(metric) is not None)


def unscored(result: CellResult) -> str:
    """Why a cell that should have an mAP has none; empty where it has one, or needs none."""
    return next((one.detail for one in result.verdicts if one.metric == "map" and one.status == "missing"), "")


def has_recording(measured: Measurement, gates: Sequence[Gate]) -> bool:
    """Whether a later run can be held against this latency.

    Where a gate judges latency, that takes processes of both references. A run that judges has processes of one
    reference, or of none; only a run with `--qg-baseline-update` records both.
    """
    return not _rules(measured, gates) or all(f"log_ratio_{name}" in measured.samples for name in REFERENCES)


def plan_change(file: BaselineFile, measured: Measurement, gates: Sequence[Gate], reason: str = "") -> BaselineChange:
    """What becomes of one baseline file. A gated latency adds an occasion to the occasions that the file holds.

    A stored reason stays as long as what it explains: equal numbers, or the same level of a gated latency.

    Args:
        file: the baseline, which need not exist.
        measured: what is accepted; it may hold both phases, and the file takes its own.
        gates: the gates of the suite.
        reason: why the numbers are right.

    Raises:
        ConfigError: the file of a gated latency is damaged; a damaged file of any other kind is written anew.
    """
    other: Phase = "latency" if file.phase == "accuracy" else "accuracy"
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
    """What the file holds; None where it does not exist. A damaged file counts as none, and raises where `strict`."""
    try:
        return baselines.load_baseline(file)
    except ConfigError:
        if strict:
            raise
        return None


def _rules(measured: Measurement, gates: Sequence[Gate]) -> dict[str, float]:
    """The limits of the cell's latency against a baseline, by metric; empty where no gate judges it."""
    return latency.limits([gate for gate in gates if gate.against == "baseline" and gate.applies(measured.cell)])


def _same_level(old: Observation | None, new: Observation) -> bool:
    """Whether a gated latency is still on the level of its baseline, so that they share an occasion."""
    before, after = latency.gated(old).get("occasions", ()), latency.gated(new).get("occasions", ())
    return any(occasion in before for occasion in after)


# A results.json, which may come from elsewhere


@dataclass(frozen=True)
class Offer:
    """What accepting the cells of a results.json would do."""

    changes: tuple[BaselineChange, ...]  # the files that would be written
    left: tuple[str, ...]  # what would not be accepted, and why, in lines
    warnings: tuple[str, ...]  # what accepting loses or does not cure, in lines


def offer(file: Path, root: Path, chosen: Callable[[CellResult], bool], reason: str) -> Offer:
    """What accepting the chosen cells of a results.json would do.

    Args:
        file: the results.json, or its folder.
        root: the folder of the baselines.
        chosen: whether a cell is to be accepted.
        reason: why the numbers are right.

    Raises:
        ConfigError: no cell is chosen, one of them failed or did not finish, the run scored other data than its suites
            declare, or a name in the file could lead out of `root`.
    """
    file = results.results_file(file)
    known = results.load_results(file)
    _check_data(file, known, root)
    _check_names(file, known)
    cells = [result for result in known.cells if chosen(result)]
    if not cells:
        raise ConfigError(f"{file} has no such cell; it has {', '.join(sorted({one.id for one in known.cells}))}")
    _check_cells(file, cells)
    changes = tuple(change for result in cells for change in _changes(known, root, result, reason))
    left = tuple(line for result in cells for line in _left(known, result))
    return Offer(changes, left, tuple(_warnings(changes, cells)))


def _check_cells(file: Path, cells: Sequence[CellResult]) -> None:
    """Refuse cells that failed, and cells without an mAP that should have one."""
    broken = {result.id: result.reason or "" for result in cells if result.status == "error"}
    broken |= {result.id: why for result in cells if (why := unscored(result))}
    if broken:
        said = "; ".join(f"{name}: {why}" for name, why in broken.items())
        without = " or ".join(broken)
        raise ConfigError(
            f"{file}: nothing is accepted of a cell that failed ({said}); leave it out: -k 'not ({without})'"
        )


def _check_data(file: Path, known: Recorded, root: Path) -> None:
    """As for `--qg-baseline-update`: results on other data must not replace the suite's own baselines."""
    command = str(known.environment.get("command", ""))
    elsewhere = any(word.partition("=")[0] == "--qg-dataset" for word in shlex.split(command))
    if elsewhere and root == DEFAULT_ROOT:
        raise ConfigError(
            f"{file} was measured with --qg-dataset: it would replace the suite's baselines by those of other data; "
            f"name a folder of their own with --baselines"
        )


def _check_names(file: Path, known: Recorded) -> None:
    """The file may come from elsewhere, and its names become paths: none of them may lead out of the folder."""
    names = [str(known.environment[key]) for key in MACHINE_KIND.values()]
    names += [name for result in known.cells for name in (result.suite, result.cell.id if result.cell else result.id)]
    if odd := [name for name in names if name.startswith(".") or not name or "/" in name or "\\" in name]:
        raise ConfigError(
            f"{file} names {odd[0]!r}, which is no name of a suite, cell or machine; was it tampered with?"
        )


def _acceptable(known: Recorded, result: CellResult) -> tuple[Phase, ...]:
    """The phases of a cell that can be accepted: a latency only where it can judge later runs."""
    found = phases(result)
    if "latency" in found and result.measured and not has_recording(result.measured, known.gates[result.suite]):
        return tuple(phase for phase in found if phase != "latency")
    return found


def _changes(known: Recorded, root: Path, result: CellResult, reason: str) -> Iterator[BaselineChange]:
    """What becomes of the baseline files of one cell."""
    for phase in _acceptable(known, result):
        assert result.measured is not None
        file = BaselineFile(root, result.suite, phase, str(known.environment[MACHINE_KIND[phase]]), result.id)
        yield plan_change(file, result.measured, known.gates[result.suite], reason)


def _left(known: Recorded, result: CellResult) -> Iterator[str]:
    """What of one cell is not accepted, and why."""
    found = phases(result)
    if not found:
        yield f"{result.id}: {result.status}: {result.reason or 'nothing was measured'}"
    if result.metric("map") is None and result.measured and "map" in result.measured.metrics:
        yield f"{result.id}: accuracy: there is no mAP to accept: the data set has no object with a label"
    if "latency" in found and "latency" not in _acceptable(known, result):
        yield (
            f"{result.id}: latency: this run did not record the processes that judge it; accept the results of a "
            f"run with --qg-baseline-update"
        )


def _warnings(changes: Sequence[BaselineChange], cells: Sequence[CellResult]) -> Iterator[str]:
    for change in changes:
        file = change.file
        known = baselines.comparable(change.old, change.new, file.phase)
        if isinstance(known, Incomparable):
            yield f"{file.cell}: not comparable with what it replaces: {known.why}"
        if lost := [name for name in STORED[file.phase] if _has(change.old, name) and not _has(change.new, name)]:
            yield f"{file.cell}: {', '.join(lost)} will be gone: this run has no value"
        if file.phase == "latency" and change.old and anchors.anchor_of(file).path.exists():
            yield f"{file.cell}: its anchor stays, and latency_creep is judged against it: quantgate anchor show"
    for result in cells:
        for verdict in result.verdicts:
            if verdict.status == "missed":
                yield f"{result.id}: fails on, whatever the baseline: {verdict_line(verdict)}"


def _has(measured: Observation | None, metric: str) -> bool:
    return measured is not None and measured.metrics.get(metric) is not None
