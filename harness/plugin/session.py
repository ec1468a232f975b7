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
    """The state of one pytest process. It is the only mutable object; the hooks fill it in their order."""

    settings: Settings
    baselines: Path
    update: bool
    require_baseline: bool
    explain: bool
    inconclusive_fails: bool
    require_backends: tuple[str, ...]
    again: tuple[str, ...]  # the command that repeats a cell, less its tests
    view: View
    live: Live  # silent where nobody watches
    history: Path | None  # file that the run is appended to
    outputs: Mapping[str, Path] = field(default_factory=dict)  # by option: where a medium writes its file
    base: Base | None = None  # of `quantgate gate`, instead of stored baselines
    suites: dict[str, Path] = field(default_factory=dict)  # name → file
    lines: dict[str, int] = field(default_factory=dict)  # name → line of the file, counted from 1
    selected: Sequence[Selected] = ()
    plans: Sequence[Plan] = ()
    results: Sequence[CellResult] = ()
    found: Recorded | None = None  # plans and results, as results.json has them
    outcome: Outcome | None = None  # what the terminal draws
    accepted: Accepted | None = None
    revision: Revision | None = None  # the commit of the code around the suites
    stability: Sequence[str] = ()  # what makes latency unreliable here, when the run began
    problem: str = ""  # why the results could not be written
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
        """Ids of cells that this run is held against and that the suite does not declare."""
        if self.base:
            return self.base.removed(suite.name, suite.cells)
        return sorted({file.cell for file in self.stale_files(suite)})

    def stale_files(self, suite: Suite) -> Sequence[BaselineFile]:
        """The baselines of those cells, of any machine."""
        return baselines.stale(self.baselines, suite.name, {cell.id for cell in suite.cells})

    @cached_property
    def place(self) -> Place:
        """Where this run measures its cells."""
        return Runner(self.settings, self.live.show)
