"""What a cell needs before it can run: data, weights, calibration images, artifact; each found, checked and traced."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness import records, sources
from harness.artifacts import Cache, RunJob, digest, version
from harness.backends import backend
from harness.datasets import Dataset, load_calibration, load_scored, overlap
from harness.errors import CellError, ConfigError, Unavailable
from harness.locks import file_lock
from harness.precision import recipe
from harness.types import Artifact, Cell, Suite
from harness.worker import Channel, Job


@dataclass(frozen=True)
class Settings:
    """Where a run reads and writes."""

    run: Path  # this run's records, logs and detections
    cache: Path
    weights: tuple[Path, ...] = ()  # folders searched for checkpoints
    data: tuple[Path, ...] = ()  # folders searched for data sets
    dataset: Path | None = None  # replaces the scored images of every suite
    calibration: Path | None = None  # replaces the calibration images of every suite
    timeout_s: float = 600  # without a sign of life from a child
    fresh: bool = False  # score again what an earlier run has scored


@dataclass(frozen=True)
class Inputs:
    """What a cell needs before it can open a session."""

    data: Dataset
    artifact: Artifact
    pixels: Path
    provenance: dict[str, Any]
    notes: tuple[str, ...]
    build_s: float


@dataclass(frozen=True)
class LoadJob:
    """Read and hash a data set."""

    source: Path
    purpose: Literal["scored", "calibration", "train split"]

    def run(self, channel: Channel) -> Dataset | None:
        if self.purpose == "scored":
            data: Dataset | None = load_scored(self.source)
        else:
            data = load_calibration(self.source, explicit=self.purpose == "calibration")
        if data:
            _ = data.digest  # computed here, and carried along
        return data


class Finder:
    """Finds the inputs of cells; everything that takes time happens in children, once per run or once per cache."""

    def __init__(self, settings: Settings, run_job: RunJob) -> None:
        self.settings = settings
        self._run_job = run_job
        self._cache = Cache(settings.cache, run_job)
        self._load = functools.cache(self._load_once)
        self._digest = functools.cache(digest)

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> Inputs:
        """Everything a session needs; raises Unavailable or ConfigError with one line."""
        made_by = recipe(cell)
        runtime = backend(cell.backend).probe(cell)
        data = self._data(suite, home)
        weights = self._weights(cell, home)
        calibration: Dataset | None = None
        notes: tuple[str, ...] = ()
        if made_by.calibrated:
            calibration, notes = self._calibration(suite, home, data)
        start = time.monotonic()
        artifact = self._cache.artifact(cell, weights, calibration)
        built = time.monotonic() - start if artifact.built else 0.0
        provenance = {
            "weights": self._digest(weights)[:16],
            "dataset": data.digest,
            "images": len(data.images),
            "imgsz": cell.imgsz,
            "decoding": dict(suite.decoding.__dict__),
            "recipe": made_by.build,
            "calibration": {"dataset": calibration.digest, "images": len(calibration.images)} if calibration else None,
            "versions": {tool: version(tool) for tool in made_by.tools} | {cell.backend: runtime},
        }
        return Inputs(data, artifact, self._cache.pixels(data.images, cell.imgsz), provenance, notes, built)

    def _data(self, suite: Suite, home: Path) -> Dataset:
        data = self._load(LoadJob(self.settings.dataset or self._data_source(suite, home), "scored"))
        assert data is not None
        return data

    def _load_once(self, job: LoadJob) -> Dataset | None:
        """Load a data set once per run; the other processes of the run read what the first has kept."""
        name = hashlib.sha256(repr(job).encode()).hexdigest()[:16]
        kept = self.settings.run / f"data-{name}.pickle"
        with file_lock(kept.with_suffix(".lock")):
            if not kept.exists():
                data = self._run_job(job, f"read {job.source.name}")
                records.write_bytes(kept, pickle.dumps(data), "--qg-results-dir")
        found: Dataset | None = pickle.loads(kept.read_bytes())
        return found

    def _data_source(self, suite: Suite, home: Path) -> Path:
        found = sources.find_data(suite.datasets, home, self.settings.data)
        if found:
            return found
        names = sources.downloadable(suite.datasets)
        return Path(self._download(sources.DownloadData(names, str(self.settings.cache / "data")), "-".join(names)))

    def _weights(self, cell: Cell, home: Path) -> Path:
        declared = cell.weights or cell.model.partition(":")[0]
        folder = self.settings.cache / "weights"
        found = sources.find_weights(declared, home, (*self.settings.weights, folder))
        if found:
            return found
        name = declared.removesuffix(".pt")
        return Path(self._download(sources.DownloadWeights(name, str(folder)), name))

    def _download(self, job: Job, name: str) -> str:
        """Download once per run, also when it fails: a machine that is offline stays offline for the other cells."""
        answer = self.settings.run / f"download-{name}.json"
        with file_lock(answer.with_suffix(".lock")):
            if not answer.exists():
                try:
                    result = [self._run_job(job, f"download {name}"), None]
                except (Unavailable, CellError) as error:
                    result = [None, str(error)]
                records.write_text(answer, json.dumps(result), "--qg-results-dir")
        path, reason = json.loads(answer.read_text())
        if path is None:
            raise Unavailable(reason)
        return str(path)

    def _calibration(self, suite: Suite, home: Path, scored: Dataset) -> tuple[Dataset, tuple[str, ...]]:
        """The first images of the train split; scored images among them are an error unless the suite allows it."""
        named = self.settings.calibration
        if named is None and suite.calibration_data:
            named = sources.find_data([suite.calibration_data], home, self.settings.data)
        source = named or self._data_source(suite, home)
        everything = self._load(LoadJob(source, "calibration" if named else "train split"))
        if everything is None or not everything.images:
            raise ConfigError(f"{source} has no images to calibrate on (no train split); give --qg-calibration PATH")
        chosen = Dataset(everything.name, everything.images[: suite.calibration])
        shared = overlap(chosen, scored)
        if shared and not suite.allow_calibration_overlap:
            raise ConfigError(
                f"{len(shared)} of {len(chosen.images)} calibration images are also scored (first: {shared[0]}), which "
                f"flatters int8; give --qg-calibration PATH, or say allow_calibration_overlap=True in the suite"
            )
        notes = [f"calibrated on {len(shared)} of the scored images"] * bool(shared)
        if len(chosen.images) < suite.calibration:
            notes.append(f"calibrated on {len(chosen.images)} images, {suite.calibration} were asked for")
        return chosen, tuple(notes)
