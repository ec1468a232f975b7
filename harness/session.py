"""The state of one pytest process: its options, what it selected, what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import baselines
from harness.inputs import Settings
from harness.results import CellResult, Plan
from harness.runner import Runner
from harness.sides import Base
from harness.types import FAILING, Status, Suite
from harness.worker import Progress

if TYPE_CHECKING:
    from harness.items import CellTest


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
    terminal: Any  # pytest's terminal reporter, None in an xdist worker
    base: Base | None = None  # of `quantgate gate`, instead of stored baselines
    suites: dict[str, Path] = field(default_factory=dict)  # name → file
    selected: Sequence[CellTest] = ()
    plans: Sequence[Plan] = ()
    results: Sequence[CellResult] = ()
    updated: dict[str, list[str]] | None = None
    stability: Sequence[str] = ()  # what makes latency unreliable here, when the run began
    recorded: dict[str, list[str]] = field(default_factory=dict)  # what became of gated latencies → cells
    problem: str = ""  # why the results could not be written

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
        return Runner(self.settings, self._live)

    def _live(self, label: str, progress: Progress | None) -> None:
        """A line behind the cursor that the next output overwrites; on terminals only."""
        if self.terminal is None or not self.terminal.isatty:
            return
        writer = self.terminal._tw
        room = writer.fullwidth - writer.width_of_current_line - 2
        text = f" {label} {progress.done}/{progress.total}" if progress else ""
        writer._file.write(f"\x1b7{text[: max(room, 0)]}\x1b[K\x1b8")
        writer._file.flush()
