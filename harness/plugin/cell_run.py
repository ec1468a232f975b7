"""One phase of one cell in a run: measure it, judge it, and explain what was lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import ConfigError, QuantgateError
from harness.core.measurement import Baseline, Measurement, Observation, failure
from harness.core.metrics import METRICS, Phase
from harness.core.suite import Gate, Suite
from harness.core.verdict import Verdict
from harness.judge import gates, latency
from harness.judge.gates import by_processes, judge_gates, without_baseline
from harness.measure import sequential
from harness.measure.accuracy import fp32_sibling
from harness.measure.explain.explain import explain
from harness.plugin.session import RunState
from harness.store import anchors, baselines
from harness.store.base_revision import Base, other_versions
from harness.store.baselines import BaselineFile
from harness.store.records import Record


@dataclass(frozen=True)
class CellRun:
    """What one test does: `record()` measures and judges one phase of one cell."""

    state: RunState
    suite: Suite
    home: Path  # folder of the suite's file
    cell: Cell
    phase: Phase

    def record(self) -> Record:
        """Measure and judge. What goes wrong with the cell stands in the record; nothing is raised for it."""
        measured = self._related(self._measured())
        baseline: Baseline = None
        try:
            baseline = self._baseline(measured)
        except ConfigError as error:  # a damaged baseline costs its cell the verdict, not the measurement
            measured = dataclasses.replace(measured, failure=(error.status, str(error)))
        verdicts = () if measured.failure else self._judged(measured, baseline)
        if self.phase == "latency" and not measured.failure:
            with self.state.live.phase(f"gate {self.cell} by fresh processes"):
                measured, by_clock = self._gated(measured, baseline)
            verdicts = (*verdicts, *by_clock)
        accepted = dict(baseline.metrics) if isinstance(baseline, Observation) else None
        if self.state.base:
            measured = other_versions(measured, baseline)
        measured, explained = self._explained(measured, verdicts)
        return Record(self.suite.name, self.phase, measured, verdicts, accepted, explained)

    # Measure

    def _measured(self) -> Measurement:
        place, home = self.state.place, self.home
        if self.phase == "accuracy":
            return place.accuracy(self.suite, home, self.cell)
        self._heavy_work_first()
        timed = [one for one in self.state.selected if one.suite is self.suite and one.phase == "latency"]
        with self.state.live.phase(f"time {self.cell} and its siblings"):
            return place.latency(self.suite, home, self.cell, [one.cell for one in timed])

    def _heavy_work_first(self) -> None:
        """Score every selected cell, so that nothing heavy is left while cells are timed.

        xdist may have dealt the tests to its workers in any order: first take over the cells that no process is
        scoring yet, then wait for the others.
        """
        scored = [one for one in self.state.selected if one.phase == "accuracy"]
        for measure in (self.state.place.help_with_accuracy, self.state.place.accuracy):
            for one in scored:
                measure(one.suite, one.home, one.cell)

    @property
    def _sibling(self) -> Cell | None:
        """The fp32 cell of the suite that this cell is held against; None for fp32 itself and where there is none."""
        return self.suite.fp32_of(self.cell)

    def _related(self, measured: Measurement) -> Measurement:
        """With the metrics that compare the cell's detections with the detections of its fp32 sibling."""
        if self.phase != "accuracy" or measured.failure or not self._sibling:
            return measured
        sibling = self.state.place.accuracy(self.suite, self.home, self._sibling)
        return fp32_sibling.related(measured, sibling, self.state.settings.run, self.suite.operating_conf)

    def _explained(
        self, measured: Measurement, verdicts: Sequence[Verdict]
    ) -> tuple[Measurement, dict[str, Any] | None]:
        """Where the accuracy went, for a cell that fails an accuracy gate; a note where that cannot be told."""
        lost = any(verdict.status in ("regressed", "missed") for verdict in verdicts)
        if not (self.state.explain and lost and self.phase == "accuracy"):
            return measured, None
        try:
            return measured, dataclasses.asdict(explain(self.state.place, self.suite, self.home, self.cell))
        except QuantgateError as error:
            return dataclasses.replace(measured, notes=(*measured.notes, f"not explained: {error}")), None

    # Judge by one number

    @property
    def _gates(self) -> tuple[Gate, ...]:
        """The gates of the suite, and for a cell with an fp32 sibling the gates that every such cell has."""
        return gates.all_gates(self.suite) if self._sibling else tuple(self.suite.gates)

    def _judged(self, measured: Measurement, baseline: Baseline) -> tuple[Verdict, ...]:
        """The verdicts of all gates but those that need fresh processes."""
        alike = None
        if self.phase == "accuracy":
            accepted = baseline if isinstance(baseline, Observation) else None
            settings = self.state.settings
            alike = fp32_sibling.matched_share_with_baseline(measured, accepted, settings.run, settings.cache)
        verdicts = judge_gates(measured, baseline, self._reference(), self._gates, self.phase, alike)
        asked = any(verdict.against == "baseline" for verdict in verdicts)
        if self.state.require_baseline and self.phase == "accuracy" and not asked:
            verdicts = (*verdicts, *without_baseline(measured, baseline))
        return self._pointed(measured, verdicts) if baseline is None else verdicts

    def _reference(self) -> Measurement | None:
        """The measurement of the fp32 sibling; None where no gate asks for it."""
        place, home = self.state.place, self.home
        asking = [gate for gate in self._gates if gate.against == "fp32" and METRICS[gate.metric].phase == self.phase]
        sibling = self._sibling
        if sibling is None or not any(gate.applies(self.cell) for gate in asking):
            return None
        if self.phase == "accuracy":
            return place.accuracy(self.suite, home, sibling)
        return place.latency(self.suite, home, sibling, [self.cell])

    # Judge by fresh processes

    def _gated(self, measured: Measurement, baseline: Baseline) -> tuple[Measurement, tuple[Verdict, ...]]:
        """Latency against the baseline, where a gate asks for it: fresh processes until the stop rule has judged."""
        asking = [gate for gate in self.suite.gates if by_processes(gate)]
        rules = latency.limits([gate for gate in asking if gate.applies(self.cell)])
        if not rules:
            return measured, ()
        cells = sum(_gates_latency(asking, cell) for cell in self.suite.cells)
        try:
            if self.state.base:
                new, verdicts = self._against_base(self.state.base, rules, cells)
            else:
                new, verdicts = self._against_baseline(measured, baseline, rules, cells)
        except QuantgateError as error:
            return measured.merged(failure(self.cell, error)), ()
        return measured.merged(new), verdicts

    def _against_base(self, base: Base, rules: dict[str, float], cells: int) -> sequential.Judged:
        """Judge against the base; `cells` of the suite are gated so. An anchor is a stored baseline: there is none."""
        rules = {metric: limit for metric, limit in rules.items() if metric != "latency_creep"}
        theirs = base.target(self.suite.name, self.cell)
        if theirs is None:
            lacks = base.lacks(self.suite.name, self.cell)
            return Measurement(self.cell), (sequential.without("no-baseline", rules, lacks),)
        own = self.state.place.target(self.suite, self.home, self.cell)
        return sequential.against_base(self.state.place, own, theirs, base.side, rules, cells)

    def _against_baseline(
        self, measured: Measurement, baseline: Baseline, rules: dict[str, float], cells: int
    ) -> sequential.Judged:
        """Judge against the stored baseline, or record a new occasion where the run updates it."""
        file, place = self._file(measured), self.state.place
        if self.state.update:
            own = place.target(self.suite, self.home, self.cell)
            recording = Verdict("latency", "baseline", "unchanged", 1.0, 1.0, "a recording", "accepted")
            return sequential.record(place, own, baselines.load_baseline(file)), (recording,)
        if not isinstance(baseline, Observation):
            absent = sequential.without("no-baseline", rules, "accept this one with --qg-baseline-update")
            return Measurement(self.cell), self._pointed(measured, [absent])
        anchor = baselines.load_baseline(anchors.anchor_of(file))
        own = place.target(self.suite, self.home, self.cell)
        return sequential.against_baseline(place, own, rules, baseline, anchor, cells)

    # The baseline

    def _file(self, measured: Measurement) -> BaselineFile:
        """Where the baseline of this cell, phase and kind of machine lies."""
        assert measured.machine is not None
        kind = measured.machine.kind(self.phase)
        return BaselineFile(self.state.baselines, self.suite.name, self.phase, kind, self.cell.id)

    def _baseline(self, measured: Measurement) -> Baseline:
        """The accepted measurement; in a run with `--qg-baseline-update` it is what was just measured.

        Raises:
            ConfigError: the baseline is damaged.
        """
        if measured.failure:
            return None
        if self.state.update:
            return measured
        accepted = baselines.load_baseline(self._file(measured))
        return baselines.comparable(accepted, measured, self.phase)

    def _pointed(self, measured: Measurement, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts, where every `no-baseline` says why there is none.

        Against a base that is what the base lacks. Otherwise the kinds of machine are named that have a baseline.
        """
        if self.state.base:
            lacks = self.state.base.lacks(self.suite.name, self.cell)
            return tuple(_detailed(verdict, lacks) for verdict in verdicts)
        file = self._file(measured)
        kinds = baselines.elsewhere(file)
        known = f" ({file.kind} has none, {', '.join(kinds)} has)" if kinds else ""
        return tuple(_detailed(verdict, verdict.detail + known) for verdict in verdicts)


def _detailed(verdict: Verdict, detail: str) -> Verdict:
    """The verdict with this detail where it says that there is no baseline; else the verdict itself."""
    return dataclasses.replace(verdict, detail=detail) if verdict.status == "no-baseline" else verdict


def _gates_latency(asking: Sequence[Gate], cell: Cell) -> bool:
    """Whether one of the gates judges the latency of `cell` by fresh processes."""
    return any(gate.metric == "latency" and gate.applies(cell) for gate in asking)
