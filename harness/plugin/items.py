"""The tests that a suite turns into, one phase of one cell each. The runner measures, `verdicts` judges."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.core.cell import Cell
from harness.core.errors import CellError, ConfigError, Unavailable, Unsupported
from harness.core.measurement import Measurement
from harness.core.metrics import METRICS, STORED, Phase
from harness.core.suite import Gate, Suite
from harness.core.verdict import Verdict
from harness.inputs.finder import runnable
from harness.judge import latency
from harness.judge.gates import Baseline, absent, by_processes, judge, say
from harness.measure import sequential
from harness.measure.accuracy import fp32_sibling
from harness.measure.runner import Runner
from harness.plugin.session import Session
from harness.store import baselines
from harness.store.base_revision import other_versions
from harness.store.records import Record, failure


class CellFailure(Exception):
    """A test's verdict in words; shown without a traceback."""


class SuiteItem(pytest.Item):
    """What all tests of a suite have in common."""

    suite: Suite
    state: Session

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
    def of(cls, parent: pytest.Collector, suite: Suite, cell: Cell, phase: Any, state: Session) -> CellTest:
        item: CellTest = cls.from_parent(parent, name=f"test_{phase}[{cell.id}]")
        item.suite, item.cell, item.phase, item.state = suite, cell, phase, state
        item.add_marker(phase)
        return item

    def runtest(self) -> None:
        measured = self._related(self._measured())
        baseline: Baseline = None
        try:
            baseline = self._baseline(measured)
        except ConfigError as error:  # a damaged baseline costs its cell the verdict, not the measurement
            measured = dataclasses.replace(measured, failure=("error", str(error)))
        verdicts = () if measured.failure else self._judged(measured, baseline)
        if self.phase == "latency" and not measured.failure:
            with self.state.live.phase(f"gate {self.cell} by fresh processes"):
                measured, by_clock = self._gated(measured, baseline)
            verdicts = (*verdicts, *by_clock)
        accepted = dict(baseline.metrics) if isinstance(baseline, Measurement) else None
        if self.state.base:
            measured = other_versions(measured, baseline)
        measured, explained = self._explained(measured, verdicts)
        Record(self.suite.name, self.phase, measured, verdicts, accepted, explained).publish(self.state.settings.run)
        stored = STORED[self.phase]
        self.user_properties += [(name, value) for name, value in measured.metrics.items() if name in stored]
        self._conclude(measured, verdicts)

    def _measured(self) -> Measurement:
        runner, home = self.state.runner, self.path.parent
        if self.phase == "accuracy":
            return runner.accuracy(self.suite, home, self.cell)
        self._heavy_work_first(runner)
        timed = [item for item in self.state.selected if item.suite is self.suite and item.phase == "latency"]
        with self.state.live.phase(f"time {self.cell} and its siblings"):
            return runner.latency(self.suite, home, self.cell, [item.cell for item in timed])

    def _heavy_work_first(self, runner: Runner) -> None:
        """Timed tests come last, however they were dealt: take over what nobody is scoring, wait for the rest."""
        scored = [item for item in self.state.selected if item.phase == "accuracy"]
        for measure in (runner.help_with_accuracy, runner.accuracy):
            for item in scored:
                measure(item.suite, item.path.parent, item.cell)

    def _judged(self, measured: Measurement, baseline: Baseline) -> tuple[Verdict, ...]:
        settings, accepted = self.state.settings, baseline if isinstance(baseline, Measurement) else None
        alike = (
            fp32_sibling.alike(measured, accepted, settings.run, settings.cache) if self.phase == "accuracy" else None
        )
        verdicts = judge(measured, baseline, self._reference(), self._gates, self.phase, alike)
        asked = any(verdict.against == "baseline" for verdict in verdicts)
        if self.state.require_baseline and self.phase == "accuracy" and not asked:
            verdicts = (*verdicts, *absent(measured, baseline))
        return self._pointed(verdicts) if baseline is None else verdicts

    @property
    def _gates(self) -> tuple[Gate, ...]:
        """Those of the suite, and those that every cell with an fp32 sibling has."""
        return fp32_sibling.gates(self.suite) if self._sibling else tuple(self.suite.gates)

    @property
    def _sibling(self) -> Cell | None:
        """The fp32 cell of the suite that this one is held against, where there is one."""
        sibling = self.cell.sibling("fp32")
        return sibling if sibling != self.cell and sibling in self.suite.cells else None

    def _related(self, measured: Measurement) -> Measurement:
        """With the metrics that compare a cell's detections with those of its fp32 sibling."""
        if self.phase != "accuracy" or measured.failure or not self._sibling:
            return measured
        sibling = self.state.runner.accuracy(self.suite, self.path.parent, self._sibling)
        return fp32_sibling.related(measured, sibling, self.state.settings.run, self.suite.operating_conf)

    def _explained(
        self, measured: Measurement, verdicts: Sequence[Verdict]
    ) -> tuple[Measurement, dict[str, Any] | None]:
        """Where the accuracy went, of a cell that an accuracy gate fails; a note where that cannot be told."""
        lost = any(verdict.status in ("regressed", "missed") for verdict in verdicts)
        if not (self.state.explain and lost and self.phase == "accuracy"):
            return measured, None
        try:
            return measured, dataclasses.asdict(self.state.runner.explain(self.suite, self.path.parent, self.cell))
        except (Unavailable, ConfigError, CellError) as error:
            return dataclasses.replace(measured, notes=(*measured.notes, f"not explained: {error}")), None

    def _gated(self, measured: Measurement, baseline: Baseline) -> tuple[Measurement, tuple[Verdict, ...]]:
        """Latency against the baseline, where a gate asks for it: fresh processes until the stop rule has judged."""
        gates = [gate for gate in self.suite.gates if by_processes(gate)]
        rules = latency.limits([gate for gate in gates if gate.applies(self.cell)])
        if not rules:
            return measured, ()
        runner, home, cell, base = self.state.runner, self.path.parent, self.cell, self.state.base
        family = sum(any(g.metric == "latency" and g.applies(one) for g in gates) for one in self.suite.cells)
        try:
            if base:
                del rules["latency_creep"]  # an anchor is a stored baseline too
                new, verdicts = sequential.against_base(runner, self.suite, home, cell, rules, base, family)
                return measured.merged(new), verdicts
            if self.state.update:
                stored = baselines.load(self.state.baselines, self.suite.name, "latency", cell)
                new = sequential.record(runner, self.suite, home, cell, stored)
                accepted_now = Verdict("latency", "baseline", "unchanged", 1.0, 1.0, "a recording", "accepted")
                return measured.merged(new), (accepted_now,)
            accepted = baseline if isinstance(baseline, Measurement) else None
            anchor = baselines.anchor(self.state.baselines, self.suite.name, cell)
            new, verdicts = sequential.judge(runner, self.suite, home, cell, rules, accepted, anchor, family)
        except (Unavailable, ConfigError, CellError) as error:
            return measured.merged(failure(cell, error)), ()
        return measured.merged(new), self._pointed(verdicts) if accepted is None else verdicts

    def _baseline(self, measured: Measurement) -> Baseline:
        """The accepted measurement; with --qg-baseline-update that is what was just measured."""
        if measured.failure:
            return None
        if self.state.update:
            return measured
        accepted = baselines.load(self.state.baselines, self.suite.name, self.phase, self.cell)
        return baselines.comparable(accepted, measured, self.phase)

    def _pointed(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """Where this kind of machine has no baseline, name those that have one; of a base, say why it has none."""
        if self.state.base:
            lacks = self.state.base.lacks(self.suite.name, self.cell)
            return tuple(
                dataclasses.replace(one, detail=lacks) if one.status == "no-baseline" else one for one in verdicts
            )
        kinds = baselines.elsewhere(self.state.baselines, self.suite.name, self.phase, self.cell)
        if not kinds:
            return tuple(verdicts)
        known = f" ({baselines.kind_key(self.phase)} has none, {', '.join(kinds)} has)"
        return tuple(
            dataclasses.replace(one, detail=one.detail + known) if one.status == "no-baseline" else one
            for one in verdicts
        )

    def _reference(self) -> Measurement | None:
        """The fp32 sibling, where a gate asks for it."""
        runner, home = self.state.runner, self.path.parent
        gates = [gate for gate in self._gates if gate.against == "fp32" and METRICS[gate.metric].phase == self.phase]
        if not any(gate.applies(self.cell) for gate in gates):
            return None
        sibling = self.cell.sibling("fp32")
        if self.phase == "accuracy":
            return runner.accuracy(self.suite, home, sibling)
        return runner.latency(self.suite, home, sibling, [self.cell])

    def _conclude(self, measured: Measurement, verdicts: Sequence[Verdict]) -> None:
        """Pass, skip or fail, as DESIGN.md says of the statuses."""
        if measured.failure:
            status, reason = measured.failure
            needed = self._needed() if status == "unavailable" else ""
            if status == "unavailable" and not needed:
                pytest.skip(reason)
            raise CellFailure(f"{self.cell}: {status}{needed}: {reason}")
        lines = [say(verdict) for verdict in verdicts if verdict.status in self.state.failing]
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
    def of(cls, parent: pytest.Collector, suite: Suite, state: Session) -> BaselineTest:
        item: BaselineTest = cls.from_parent(parent, name=f"test_baselines[{suite.name}]")
        item.suite, item.state = suite, state
        return item

    def runtest(self) -> None:
        stale = self.state.stale(self.suite)
        if stale and self.state.update:
            for file in self.state.stale_files(self.suite):
                file.unlink()
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
