"""The state of one pytest process: its options, what it selected, what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from harness.core.cell import Cell
from harness.core.metrics import Phase
from harness.core.status import FAILING, Status
from harness.core.suite import Suite
from harness.inputs.finder import Settings
from harness.measure.place import Place
from harness.measure.runner import Runner
from harness.report.common.view import View
from harness.report.outcome import Accepted, Outcome
from harness.report.terminal.progress import Live
from harness.store import baselines
from harness.store.base_revision import Base
from harness.store.baselines import BaselineFile
from harness.store.git import Revision
from harness.store.results import CellResult, Plan, Recorded


@dataclass(frozen=True)
class Selected:
    """One test that this process may run."""

    suite: Suite
    cell: Cell
    phase: Phase
    home: Path  # folder of the suite's file


@dataclass
class RunState:
    """The state of one pytest process. It is the plugin's only mutable object; the hooks fill it in their order.

    The fields up to `base` come from the options, `suites`, `lines` and `selected` from collection, `ended` and
    `failed` from the reports of its tests. What a run came to (`plans` to `forgotten`) is known at its end, and only to
    the process that reports (`finish.py`).
    """

    settings: Settings
    baselines: Path  # folder of the baselines
    update: bool  # accept what this run measures as the baseline
    require_baseline: bool  # fail where there is no comparable baseline
    explain: bool  # say where the accuracy of a failing cell went
    inconclusive_fails: bool  # fail where the data cannot decide
    require_backends: tuple[str, ...]  # backends that may not be unavailable
    again: tuple[str, ...]  # the command that repeats a cell, without the names of its tests
    view: View  # which cells the terminal shows, in which order
    live: Live  # the line of progress; silent where nobody watches
    history: Path | None  # the file that the run is appended to; None for no history
    outputs: Mapping[str, Path] = field(default_factory=dict)  # option of a medium → the file that it writes
    base: Base | None = None  # the base of `quantgate gate`, instead of stored baselines
    suites: dict[str, Path] = field(default_factory=dict)  # name of a suite → its file
    lines: dict[str, int] = field(default_factory=dict)  # name of a suite → line of its file, counted from 1
    selected: Sequence[Selected] = ()  # the tests that this process may run
    ended: set[str] = field(default_factory=set)  # ids of the tests that pytest has reported as run
    failed: dict[str, str] = field(default_factory=dict)  # those among them that pytest has reported as failed, and why
    plans: Sequence[Plan] = ()
    results: Sequence[CellResult] = ()
    found: Recorded | None = None  # plans and results, as results.json has them
    outcome: Outcome | None = None  # what the terminal draws
    accepted: Accepted | None = None  # what the update did to the baselines
    revision: Revision | None = None  # the commit of the code around the suites
    stability: Sequence[str] = ()  # what made latency unreliable on this machine when the run began
    problem: str = ""  # why the results could not be read or written; fails the run
    forgotten: str = ""  # why the run is not in the history
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def failing(self) -> frozenset[Status]:
        """The statuses that fail in this run."""
        absent: frozenset[Status] = frozenset({"no-baseline", "incomparable"})
        unsure: frozenset[Status] = frozenset({"inconclusive"})
        failing = FAILING | absent if self.require_baseline else FAILING
        return failing | unsure if self.inconclusive_fails else failing

    def stale(self, suite: Suite) -> Sequence[str]:
        """Ids of the cells that the base or the baselines have and that the suite does not declare, sorted."""
        if self.base:
            return self.base.removed(suite.name, suite.cells)
        return sorted({file.cell for file in self.stale_files(suite)})

    def stale_files(self, suite: Suite) -> Sequence[BaselineFile]:
        """The baseline files, of any machine, whose cells the suite does not declare."""
        return baselines.stale(self.baselines, suite.name, {cell.id for cell in suite.cells})

    @cached_property
    def place(self) -> Place:
        """Where this run measures its cells: on this machine."""
        return Runner(self.settings, self.live.show)
