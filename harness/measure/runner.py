"""Measure cells on this machine. Every result is written to disk at once and shared by the workers of a run."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core import files, measurement
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import CellError, ConfigError, QuantgateError
from harness.core.files import file_lock
from harness.core.measurement import Measurement
from harness.core.metrics import Phase
from harness.core.processes import Progress, Replicate, Target, Turn
from harness.core.suite import Suite
from harness.inputs.datasets.coco import to_coco
from harness.inputs.finder import CellInputs, Finder, Settings
from harness.judge.accuracy import resampled_name
from harness.judge.attestation import contradiction, share
from harness.machine.child import Child
from harness.machine.fingerprint import this_machine
from harness.machine.locks import MachineLock
from harness.machine.worker import Job
from harness.measure.accuracy.bootstrap import resampled_metrics
from harness.measure.accuracy.score import Scored, ScoreJob
from harness.measure.accuracy.score_cache import REUSED, Scores, dataset_file, detections_file
from harness.measure.latency import fresh_processes, timed_section
from harness.measure.latency.references import identities
from harness.measure.place import Place

OnProgress = Callable[[str, Progress | None], None]
"""Called with the label of a job and its progress; None at the end of the job."""


class Runner(Place):
    """The local `Place`: measures cells on this machine.

    The workers of a run share the folder `Settings.run`. The first process that asks for a cell and phase measures it;
    all others read its result.

    Args:
        settings: folders and limits of the run.
        on_progress: told how jobs proceed.

    Raises:
        ConfigError: the folder of the run cannot be written.
    """

    def __init__(self, settings: Settings, on_progress: OnProgress = lambda label, progress: None) -> None:
        self.settings = settings
        self._say = on_progress
        try:
            settings.run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"results folder {settings.run} cannot be written: {error.strerror}; name another with --qg-results-dir"
            ) from None
        self._lock = MachineLock(log=settings.run / "intervals.jsonl")
        self._finder = Finder(settings, self.run_job)

    # The methods of a Place

    def accuracy(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        """See `Place.accuracy`. Waits where another worker is measuring the cell."""
        return self._once(suite, cell, "accuracy", lambda: self._score(suite, home, cell))

    def help_with_accuracy(self, suite: Suite, home: Path, cell: Cell) -> None:
        """See `Place.help_with_accuracy`."""
        with file_lock(self._kept(suite, cell, "accuracy").with_suffix(".lock"), wait=False) as ours:
            if ours:
                self._measure(suite, cell, "accuracy", lambda: self._score(suite, home, cell))

    def latency(self, suite: Suite, home: Path, cell: Cell, selected: Sequence[Cell]) -> Measurement:
        """See `Place.latency`. The first worker that asks times the whole group of siblings."""
        group = [
            other for other in suite.cells if siblings(cell, other) and (other in selected or other.precision == "fp32")
        ]

        def not_timed() -> Measurement:
            raise CellError(f"{cell} was not timed with its group")

        with file_lock(self.settings.run / suite.name / f"{group[0].sibling('group').id}.lock"):
            if not self._kept(suite, cell, "latency").exists():
                self._time(suite, home, group)
        return self._once(suite, cell, "latency", not_timed)

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> CellInputs:
        """See `Place.inputs`."""
        return self._finder.inputs(suite, home, cell)

    def target(self, suite: Suite, home: Path, cell: Cell) -> Target:
        """See `Place.target`."""
        return _target(cell, self._finder.inputs(suite, home, cell))

    def replicates(
        self, turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int]
    ) -> list[Replicate]:
        """See `Place.replicates`. All processes measure in one timed section."""
        return fresh_processes.measure_replicates(
            turns, references, repeats, self._lock, self._log, self.settings.timeout_s
        )

    def run_job(self, job: Job, label: str) -> Any:
        """See `Place.run_job`."""
        self._say(label, Progress(0, 0))
        try:
            with Child(job, self._log(label), self.settings.timeout_s) as child:
                return child.heavy_answer(self._lock, lambda progress: self._say(label, progress))
        finally:
            self._say(label, None)

    # One measurement per cell and phase

    def _kept(self, suite: Suite, cell: Cell, phase: Phase) -> Path:
        """The file of a measurement; it exists once the cell has been measured."""
        return self.settings.run / suite.name / f"{cell.id}.{phase}.json"

    def _once(self, suite: Suite, cell: Cell, phase: Phase, measure: Callable[[], Measurement]) -> Measurement:
        """The measurement of a cell: read where it is kept, else measured; waits for a worker that is measuring it."""
        path = self._kept(suite, cell, phase)
        with file_lock(path.with_suffix(".lock")):
            self._measure(suite, cell, phase, measure)
        return measurement.measurement_from_json(json.loads(path.read_text()))

    def _measure(self, suite: Suite, cell: Cell, phase: Phase, measure: Callable[[], Measurement]) -> None:
        """Measure a cell and keep the result, unless it is kept already. The caller holds the lock of the cell."""
        if self._kept(suite, cell, phase).exists():
            return
        try:
            measured = measure()
        except QuantgateError as error:  # what goes wrong costs this cell only
            measured = measurement.failure(cell, error)
        self._keep(suite, phase, measured)

    def _keep(self, suite: Suite, phase: Phase, measured: Measurement) -> None:
        measured = replace(measured, machine=this_machine())
        text = json.dumps(measurement.measurement_to_json(measured))
        files.write_text(self._kept(suite, measured.cell, phase), text, "--qg-results-dir")

    def _log(self, label: str) -> Path:
        """The file to which the child of a job prints."""
        return self.settings.run / "logs" / f"{re.sub('[^A-Za-z0-9~.]+', '-', label)}-{os.getpid()}.log"

    # Phases

    def _score(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        """Measure accuracy, or take it from the cache where an earlier run has scored this artifact on this data."""
        inputs = self._finder.inputs(suite, home, cell)
        _target(cell, inputs).publish(self.settings.run, suite.name)
        start = time.monotonic()
        wanted = resampled_metrics(suite)
        scores = Scores(self.settings.cache, cell, inputs.artifact, inputs.provenance, wanted)
        reused = None if self.settings.fresh else scores.reuse()
        scored = reused or self._scored_anew(suite, cell, inputs, scores, wanted)
        self._publish(scored, inputs.data)
        promised = str(inputs.artifact.meta.get("executes") or inputs.recipe.executes)
        return Measurement(
            cell,
            metrics={
                **scored.metrics,
                "size_bytes": inputs.artifact.size_bytes,
                "attested_share": share(scored.executed, promised),
            },
            per_class=scored.per_class,
            instances=scored.instances,
            samples={resampled_name(name): values for name, values in scored.resampled.items()},
            executed=scored.executed,
            provenance={**inputs.provenance, "detections": scored.detections},
            timings={"build_s": inputs.build_s, "accuracy_s": time.monotonic() - start, "infer_s": scored.infer_s},
            notes=(
                *inputs.notes,
                *([REUSED] if reused else []),
                *contradiction(cell, scored.executed, promised),
                *_unknown_note(scored.unknown),
                *scored.notes,
            ),
        )

    def _scored_anew(
        self, suite: Suite, cell: Cell, inputs: CellInputs, scores: Scores, wanted: Sequence[str]
    ) -> Scored:
        """Score a cell in a child, and keep the score in the cache; `wanted` are the metrics to resample."""
        found = self.settings.run / suite.name / f"{cell.id}.detections.npz"
        job = ScoreJob(
            cell, inputs.artifact, inputs.data, str(inputs.pixels), suite.decoding, str(found), wanted,
            suite.operating_conf,
        )  # fmt: skip
        scored: Scored = self.run_job(job, f"score {cell}")
        scores.keep(scored, found)
        found.unlink()
        return scored

    def _publish(self, scored: Scored, data: Dataset) -> None:
        """Add the detections, and the data set in which they were found, to the results of the run."""
        kept = detections_file(self.settings.cache, scored.detections)
        copied = detections_file(self.settings.run, scored.detections)
        files.write_bytes(copied, kept.read_bytes(), "--qg-results-dir")
        known = dataset_file(self.settings.run, data.digest)
        if not known.exists():
            files.write_text(known, json.dumps(to_coco(data)), "--qg-results-dir")

    def _time(self, suite: Suite, home: Path, group: Sequence[Cell]) -> None:
        """Time a group of siblings, and keep one measurement for each."""
        found: dict[Cell, CellInputs] = {}
        for cell in group:
            try:
                found[cell] = self._finder.inputs(suite, home, cell)
            except QuantgateError as error:
                self._keep(suite, "latency", measurement.failure(cell, error))
        for measured in timed_section.time_siblings(suite, found, self._lock, self._log, self.settings.timeout_s):
            self._keep(suite, "latency", measured)


def siblings(one: Cell, other: Cell) -> bool:
    """Return whether two cells differ in nothing but the precision; a cell is a sibling of itself."""
    return one.sibling("") == other.sibling("")


def _target(cell: Cell, inputs: CellInputs) -> Target:
    return Target(cell, inputs.artifact, str(inputs.pixels), identities(cell, inputs.runtime))


def _unknown_note(classes: Sequence[str]) -> tuple[str, ...]:
    """A note about classes of the data set that the model cannot find; another spelling is the usual reason."""
    shown = ", ".join(classes[:4]) + (f" and {len(classes) - 4} more" if len(classes) > 4 else "")
    return (f"the model does not know these classes of the data set, they score 0: {shown}",) if classes else ()
