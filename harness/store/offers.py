"""What a results.json from elsewhere offers to accept, by the rules of a run that accepts its own measurements."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.measurement import Measurement
from harness.core.metrics import STORED
from harness.judge.gates import Incomparable, say
from harness.store import accept, baselines, results
from harness.store.accept import Change
from harness.store.results import CellResult, Recorded

DEFAULT_ROOT = Path("baselines")
KINDS = {"accuracy": "isa", "latency": "machine_class"}
"""What of the environment is the key of a phase's baselines, as `baselines.kind_key` says of this machine."""


@dataclass(frozen=True)
class Offer:
    """What would be written, and what would not be and why."""

    changes: tuple[Change, ...]
    left: tuple[str, ...]  # lines
    warnings: tuple[str, ...]  # what accepting loses or does not cure, lines


def of(file: Path, root: Path, chosen: Callable[[CellResult], bool], reason: str) -> Offer:
    """The offer of the chosen cells of a results.json (or its folder).

    Raises:
        ConfigError: no cell is chosen, one of them failed or did not finish, or the run scored other data than its
            suites declare.
    """
    file = file / "results.json" if file.is_dir() else file
    known = results.load(file)
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
    changes: list[Change] = []
    left: list[str] = []
    for result in cells:
        _offer(known, root, result, reason, changes, left)
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


def _offer(
    known: Recorded, root: Path, result: CellResult, reason: str, changes: list[Change], left: list[str]
) -> None:
    found = accept.phases(result)
    if not found:
        left.append(f"{result.id}: {result.status}: {result.reason or 'nothing was measured'}")
    for phase in found:
        assert result.measured is not None
        gates, kind = known.gates[result.suite], str(known.environment[KINDS[phase]])
        if phase == "latency" and not accept.recorded(result.measured, gates):
            left.append(
                f"{result.id}: latency: this run did not record the processes that judge it; accept the results of a "
                f"run with --qg-baseline-update"
            )
            continue
        changes.append(accept.plan(root, result.suite, phase, result.measured, gates, kind, reason))


def _warnings(changes: list[Change], cells: list[CellResult]) -> Iterator[str]:
    for change in changes:
        comparable = baselines.comparable(change.old, change.new, change.phase)
        if isinstance(comparable, Incomparable):
            yield f"{change.new.cell}: not comparable with what it replaces: {comparable.why}"
        if lost := [name for name in STORED[change.phase] if _has(change.old, name) and not _has(change.new, name)]:
            yield f"{change.new.cell}: {', '.join(lost)} will be gone: this run has no value"
        anchor = baselines.anchor_path(change.root, change.suite, change.new.cell, change.kind)
        if change.phase == "latency" and change.old and anchor.exists():
            yield f"{change.new.cell}: its anchor stays, and latency_creep is judged against it: quantgate anchor show"
    for result in cells:
        for verdict in result.verdicts:
            if verdict.status == "missed":
                yield f"{result.id}: fails on, whatever the baseline: {say(verdict)}"


def _has(measured: Measurement | None, metric: str) -> bool:
    return measured is not None and measured.metrics.get(metric) is not None
