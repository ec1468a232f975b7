"""The tests that a suite turns into, one phase of one cell each. The runner measures, `verdicts` judges."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable, Unsupported
from harness.core.measurement import Measurement
from harness.core.metrics import STORED, Phase
from harness.core.suite import Suite
from harness.core.verdict import Verdict, verdict_line
from harness.inputs.finder import runnable
from harness.plugin.cell_run import CellRun
from harness.plugin.session import RunState


class CellFailure(Exception):
    """A test's verdict in words; shown without a traceback."""


class SuiteItem(pytest.Item):
    """What all tests of a suite have in common."""

    suite: Suite
    state: RunState

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CellFailure | ConfigError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class CellTest(SuiteItem):
    """`test_accuracy[cell]` or `test_latency[cell]`."""

    cell: Cell
    phase: Phase

    @classmethod
    def of(cls, parent: pytest.Collector, suite: Suite, cell: Cell, phase: Any, state: RunState) -> CellTest:
        item: CellTest = cls.from_parent(parent, name=f"test_{phase}[{cell.id}]")
        item.suite, item.cell, item.phase, item.state = suite, cell, phase, state
        item.add_marker(phase)
        return item

    def runtest(self) -> None:
        record = CellRun(self.state, self.suite, self.path.parent, self.cell, self.phase).record()
        record.publish(self.state.settings.run)
        stored = STORED[self.phase]
        self.user_properties += [(name, value) for name, value in record.measured.metrics.items() if name in stored]
        self._conclude(record.measured, record.verdicts)

    def _conclude(self, measured: Measurement, verdicts: Sequence[Verdict]) -> None:
        """Pass, skip or fail, as DESIGN.md says of the statuses."""
        if measured.failure:
            status, reason = measured.failure
            needed = self._needed() if status == "unavailable" else ""
            if status == "unavailable" and not needed:
                pytest.skip(reason)
            raise CellFailure(f"{self.cell}: {status}{needed}: {reason}")
        lines = [verdict_line(verdict) for verdict in verdicts if verdict.status in self.state.failing]
        if lines:
            raise CellFailure("\n".join(f"{self.cell}: {line}" for line in lines))

    def _needed(self) -> str:
        """Why the cell may not be unavailable; empty where it may."""
        base = self.state.base
        if base and base.target(self.suite.name, self.cell):
            return f" but measured on the base {base.title}"
        return " but required" if self.cell.backend in self.state.require_backends and can_be_had(self.cell) else ""


def can_be_had(cell: Cell) -> bool:
    """Whether an unavailable cell lacks something that could be installed; a precision that no kernel has does not."""
    try:
        runnable(cell)
    except Unsupported:
        return False
    except Unavailable:
        return True
    return True


class BaselineTest(SuiteItem):
    """`test_baselines[suite]`: every cell that has a baseline is still in the suite."""

    @classmethod
    def of(cls, parent: pytest.Collector, suite: Suite, state: RunState) -> BaselineTest:
        item: BaselineTest = cls.from_parent(parent, name=f"test_baselines[{suite.name}]")
        item.suite, item.state = suite, state
        return item

    def runtest(self) -> None:
        stale = self.state.stale(self.suite)
        if stale and self.state.update:
            for file in self.state.stale_files(self.suite):
                file.path.unlink()
        elif stale and self.state.base:
            raise CellFailure(
                f"{self.suite.name}: removed: {', '.join(stale)}: on the base {self.state.base.title}, not in this "
                f"suite; restore the cells, or allow it with --allow-removed"
            )
        elif stale:
            raise CellFailure(
                f"{self.suite.name}: missing: {', '.join(stale)}: in {self.state.baselines / self.suite.name}, not in "
                f"the suite; restore the cells, or drop their baselines with --qg-baseline-update"
            )


def declared_line(file: Path, name: str) -> int:
    """Where a module-level variable is assigned last, counted from 1; 1 where it comes from elsewhere."""
    found = 1
    for statement in ast.parse(file.read_bytes()).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = statement.lineno
    return found
