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

    folder: Path  # of the baselines
    written: int  # files
    unchanged: int  # files that held these bytes already
    occasions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # what happened to gated latencies, in words → ids of the cells
    refused: Sequence[str] = ()  # ids of the cells that have no mAP to accept


@dataclass(frozen=True)
class Outcome:
    """A finished run, as the terminal shows it."""

    plans: Sequence[Plan]  # what the run set out to do, one plan for each suite
    results: Sequence[CellResult]  # of all suites
    view: View
    machine: Machine
    commit: str = ""  # of the code around the suites, short; "-dirty" behind it where tracked files differ
    failing: frozenset[Status] = FAILING  # the statuses that fail in this run
    stability: Sequence[str] = ()  # what makes latency unreliable here
    again: Sequence[str] = ("pytest",)  # the words of the command that repeats a cell, before the names of its tests
    results_file: Path = Path(".quantgate/results.json")
    accepted: Accepted | None = None  # None: the run accepted nothing
    problem: str = ""  # why the results could not be written; empty where they were

    def suites(self) -> Iterator[tuple[Plan, list[CellResult]]]:
        """The plan of each suite, and the results of its cells."""
        for plan in self.plans:
            yield plan, [result for result in self.results if result.suite == plan.suite]
