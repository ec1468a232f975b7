"""The state of one pytest process: its options, what it selected, what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.status import FAILING, Status
from harness.core.suite import Suite
from harness.inputs.finder import Settings
from harness.measure.runner import Runner
from harness.report.common.view import View
from harness.report.terminal.progress import Live
from harness.store import baselines
from harness.store.base_revision import Base
from harness.store.git import Revision
from harness.store.results import CellResult, Plan, Recorded

if TYPE_CHECKING:
    from harness.plugin.items import CellTest


@dataclass
class Session:
    """The state of one pytest process; the only mutable thing, filled by the hooks of `plugin.py` in their order."""

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
    html: Path | None = None  # where the HTML report goes
    markdown: Path | None = None  # where results go as Markdown
    base: Base | None = None  # of `quantgate gate`, instead of stored baselines
    suites: dict[str, Path] = field(default_factory=dict)  # name → file
    lines: dict[str, int] = field(default_factory=dict)  # name → line of the file, counted from 1
    selected: Sequence[CellTest] = ()
    plans: Sequence[Plan] = ()
    results: Sequence[CellResult] = ()
    found: Recorded | None = None  # plans and results, as results.json has them
    updated: dict[str, list[str]] | None = None
    stability: Sequence[str] = ()  # what makes latency unreliable here, when the run began
    recorded: dict[str, list[str]] = field(default_factory=dict)  # what became of gated latencies → cells
    problem: str = ""  # why the results could not be written
    forgotten: str = ""  # why the run is not in the history
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    revision: Revision | None = None  # of the code around the suites, when they were collected

    @property
    def failing(self) -> frozenset[Status]:
        """The statuses that fail in this run."""
        absent: frozenset[Status] = frozenset({"no-baseline", "incomparable"})
        unsure: frozenset[Status] = frozenset({"inconclusive"})
        failing = FAILING | absent if self.require_baseline else FAILING
        return failing | unsure if self.inconclusive_fails else failing

    def stale(self, suite: Suite) -> Sequence[str]:
        """Cells that this run is held against and the suite has not."""
        if self.base:
            return self.base.removed(suite.name, suite.cells)
        return sorted({file.stem for file in self.stale_files(suite)})

    def stale_files(self, suite: Suite) -> Sequence[Path]:
        """Their baselines, of any machine."""
        return baselines.stale(self.baselines, suite.name, {cell.id for cell in suite.cells})

    @cached_property
    def runner(self) -> Runner:
        return Runner(self.settings, self.live.show)
