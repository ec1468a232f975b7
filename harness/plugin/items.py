"""The tests that a suite becomes: one per cell and phase, and one for its baselines. `cell_run` measures and judges."""

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
    """Why a test fails, in words: pytest shows them without a traceback."""


class SuiteItem(pytest.Item):
    """What all tests of a suite have in common."""

    suite: Suite
    state: RunState

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What pytest shows of a failure: the message alone where a gate, the user or a plugin is to blame."""
        if isinstance(excinfo.value, CellFailure | ConfigError | pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """File, line and name that head the test in pytest's reports; no line, since nobody has written the test."""
        return self.path, None, self.name


def named(parent: pytest.Collector, name: str) -> dict[str, str]:
    """The arguments that name a test in the module `parent`.

    The id is given as text, which pytest takes apart. The id that pytest 9.2 makes of a name with brackets equals none
    that it reads from its cache, so that --lf, --ff and --sw would find no test.
    """
    return {"name": name, "nodeid": f"{parent.nodeid}::{name}"}


class CellTest(SuiteItem):
    """`test_accuracy[cell]` or `test_latency[cell]`."""

    cell: Cell
    phase: Phase

    @classmethod
    def of(cls, parent: pytest.Collector, suite: Suite, cell: Cell, phase: Any, state: RunState) -> CellTest:
        """The test of one phase of a cell, with the phase as its marker. `parent` is the module of the suite."""
        item: CellTest = cls.from_parent(parent, **named(parent, f"test_{phase}[{cell.id}]"))
        item.suite, item.cell, item.phase, item.state = suite, cell, phase, state
        item.add_marker(phase)
        return item

    def runtest(self) -> None:
        """Measure and judge the cell, publish the record, and end as the verdicts say.

        The metrics that baselines keep become properties of the test in JUnit XML.

        Raises:
            CellFailure: the cell could not be measured, or fails a gate.
            ConfigError: the record cannot be written.
        """
        record = CellRun(self.state, self.suite, self.path.parent, self.cell, self.phase).record()
        record.publish(self.state.settings.run)
        stored = STORED[self.phase]
        self.user_properties += [(name, value) for name, value in record.measured.metrics.items() if name in stored]
        self._conclude(record.measured, record.verdicts)

    def _conclude(self, measured: Measurement, verdicts: Sequence[Verdict]) -> None:
        """Pass, skip or fail: an unavailable cell is skipped, and the statuses of `RunState.failing` fail."""
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
        """Why the cell may not be unavailable, as the message goes on; empty where it may."""
        base = self.state.base
        if base and base.target(self.suite.name, self.cell):
            return f" but measured on the base {base.title}"
        if self.cell.backend in self.state.require_backends and can_be_had(self.cell):
            return " but required"
        return ""


def can_be_had(cell: Cell) -> bool:
    """Whether an unavailable cell could be had: a missing package can be installed, a missing kernel cannot."""
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
        """The test of a suite's baselines. `parent` is the module of the suite."""
        item: BaselineTest = cls.from_parent(parent, **named(parent, f"test_baselines[{suite.name}]"))
        item.suite, item.state = suite, state
        return item

    def runtest(self) -> None:
        """Delete the baselines of cells that have left the suite where the run updates them.

        Raises:
            CellFailure: cells have left the suite, and the run does not update the baselines.
        """
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
    """The line of `file` that assigns the module-level variable `name` last, counted from 1.

    1 where no line assigns it, since it comes from elsewhere.
    """
    found = 1
    for statement in ast.parse(file.read_bytes()).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = statement.lineno
    return found
