"""Score a cell, time a group of siblings. Every result is kept on disk at once and shared by the workers of a run."""

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
from harness.measure.accuracy.score import ScoreJob
from harness.measure.accuracy.score_cache import REUSED, Scores, dataset_file, detections_file
from harness.measure.latency import fresh_processes, timed_section
from harness.measure.latency.references import identities
from harness.measure.place import Place

OnProgress = Callable[[str, Progress | None], None]


class Runner(Place):
    """Measures cells on this machine.

    Several processes share one `Settings.run`: each cell is measured once, by the process that comes first.
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

    def accuracy(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        """mAP and size of a cell; a failure is a measurement too."""
        return self._once(suite, cell, "accuracy", lambda: self._score(suite, home, cell))

    def help_with_accuracy(self, suite: Suite, home: Path, cell: Cell) -> None:
        """Measure a cell that no process is measuring yet; otherwise do nothing."""
        with file_lock(self._kept(suite, cell, "accuracy").with_suffix(".lock"), wait=False) as ours:
            if ours:
                self._measure(suite, cell, "accuracy", lambda: self._score(suite, home, cell))

    def latency(self, suite: Suite, home: Path, cell: Cell, selected: Sequence[Cell]) -> Measurement:
        """Timing of a cell, interleaved with its selected siblings on the same backend, fp32 always among them."""
        group = [
            other for other in suite.cells if siblings(cell, other) and (other in selected or other.precision == "fp32")
        ]
        name = f"{group[0].sibling('group').id}.lock"
        with file_lock(self.settings.run / suite.name / name):
            if not self._kept(suite, cell, "latency").exists():
                self._time(suite, home, group)
        return self._once(suite, cell, "latency", lambda: _not_timed(cell))

    def target(self, suite: Suite, home: Path, cell: Cell) -> Target:
        """What the processes of `replicates` open."""
        return _target(cell, self._finder.inputs(suite, home, cell))

    def replicates(
        self, turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int]
    ) -> list[Replicate]:
        """Fresh processes that measure pairs, in this order (`replicates.measure`)."""
        return fresh_processes.measure_replicates(
            turns, references, repeats, self._lock, self._log, self.settings.timeout_s
        )

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> CellInputs:
        """See `Place.inputs`."""
        return self._finder.inputs(suite, home, cell)

    def run_job(self, job: Job, label: str) -> Any:
        """See `Place.run_job`. `label` names the job in progress lines and its log."""
        self._say(label, Progress(0, 0))
        try:
            with Child(job, self._log(label), self.settings.timeout_s) as child:
                return child.heavy_answer(self._lock, lambda progress: self._say(label, progress))
        finally:
            self._say(label, None)

    # One measurement per cell and phase

    def _kept(self, suite: Suite, cell: Cell, phase: Phase) -> Path:
        return self.settings.run / suite.name / f"{cell.id}.{phase}.json"

    def _once(self, suite: Suite, cell: Cell, phase: Phase, measure: Callable[[], Measurement]) -> Measurement:
        path = self._kept(suite, cell, phase)
        with file_lock(path.with_suffix(".lock")):
            self._measure(suite, cell, phase, measure)
        return measurement.measurement_from_json(json.loads(path.read_text()))

    def _measure(self, suite: Suite, cell: Cell, phase: Phase, measure: Callable[[], Measurement]) -> None:
        """Measure and keep, unless it is kept already; the caller holds the lock."""
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
        return self.settings.run / "logs" / f"{re.sub('[^A-Za-z0-9~.]+', '-', label)}-{os.getpid()}.log"

    # Phases

    def _score(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        inputs = self._finder.inputs(suite, home, cell)
        _target(cell, inputs).publish(self.settings.run, suite.name)
        start = time.monotonic()
        cache, run, wanted = self.settings.cache, self.settings.run, resampled_metrics(suite)
        scores = Scores(cache, cell, inputs.artifact, inputs.provenance, wanted)
        scored = None if self.settings.fresh else scores.reuse()
        reused = (REUSED,) * bool(scored)
        if scored is None:
            found = run / suite.name / f"{cell.id}.detections.npz"
            job = ScoreJob(
                cell, inputs.artifact, inputs.data, str(inputs.pixels), suite.decoding, str(found), wanted,
                suite.operating_conf,
            )  # fmt: skip
            scored = self.run_job(job, f"score {cell}")
            scores.keep(scored, found)
            found.unlink()
        kept = detections_file(cache, scored.detections)
        files.write_bytes(detections_file(run, scored.detections), kept.read_bytes(), "--qg-results-dir")
        if not (known := dataset_file(run, inputs.data.digest)).exists():
            files.write_text(known, json.dumps(to_coco(inputs.data)), "--qg-results-dir")
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
                *reused,
                *contradiction(cell, scored.executed, promised),
                *_unknown(scored.unknown),
            ),
        )

    def _time(self, suite: Suite, home: Path, group: Sequence[Cell]) -> None:
        """Time a group of siblings and keep a measurement of each."""
        found: dict[Cell, CellInputs] = {}
        for cell in group:
            try:
                found[cell] = self._finder.inputs(suite, home, cell)
            except QuantgateError as error:
                self._keep(suite, "latency", measurement.failure(cell, error))
        for measured in timed_section.time_siblings(suite, found, self._lock, self._log, self.settings.timeout_s):
            self._keep(suite, "latency", measured)


def _target(cell: Cell, inputs: CellInputs) -> Target:
    return Target(cell, inputs.artifact, str(inputs.pixels), identities(cell, inputs.runtime))


def _not_timed(cell: Cell) -> Measurement:
    raise CellError(f"{cell} was not timed with its group")


def siblings(one: Cell, other: Cell) -> bool:
    """Same model, backend, device, image size and batch; only the precision differs."""
    return one.sibling("") == other.sibling("")


def _unknown(classes: Sequence[str]) -> tuple[str, ...]:
    """A note about classes that nothing can be found of; a spelling is the usual reason."""
    shown = ", ".join(classes[:4]) + (f" and {len(classes) - 4} more" if len(classes) > 4 else "")
    return (f"the model does not know these classes of the data set, they score 0: {shown}",) if classes else ()
