"""What a run came to: everything that the terminal shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.measurement import Machine
from harness.core.status import FAILING, Status
from harness.report.common.view import View
from harness.store.results import CellResult, Plan


@dataclass(frozen=True)
class Accepted:
    """What a run with --qg-baseline-update did to the baselines."""

    folder: Path
    written: int  # files
    unchanged: int
    occasions: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what became of gated latencies → cell ids


@dataclass(frozen=True)
class Outcome:
    """A finished run, as its media show it."""

    plans: Sequence[Plan]
    results: Sequence[CellResult]
    view: View
    machine: Machine
    commit: str = ""  # of the code around the suites, short; "-dirty" behind it where tracked files differ
    failing: frozenset[Status] = FAILING  # the statuses that fail in this run
    stability: Sequence[str] = ()  # what makes latency unreliable here
    again: Sequence[str] = ("pytest",)  # the command that repeats a cell, less its tests
    results_file: Path = Path(".quantgate/results.json")
    accepted: Accepted | None = None
    problem: str = ""  # why the results could not be written

    def suites(self) -> Iterator[tuple[Plan, list[CellResult]]]:
        """Each suite's plan and its results."""
        for plan in self.plans:
            yield plan, [result for result in self.results if result.suite == plan.suite]
