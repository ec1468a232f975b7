"""Finds and checks what a cell needs before it can run: scored images, weights, calibration images, artifact."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.backends.registry import backend
from harness.core import files
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import CellError, ConfigError, Unavailable, Unsupported
from harness.core.files import file_lock
from harness.core.measurement import Artifact
from harness.core.suite import Suite
from harness.inputs import calibration, sources
from harness.inputs.artifact_cache import Cache, RunJob, Training, file_digest
from harness.inputs.datasets.loading import load_calibration, load_scored, overlap
from harness.machine.fingerprint import version
from harness.machine.worker import Channel, Job
from harness.recipes.base import Recipe
from harness.recipes.registry import recipe, steps
from harness.tasks.outputs import content
from harness.tasks.registry import of_task, task


@dataclass(frozen=True)
class Settings:
    """Where a run reads and writes, and how it treats its child processes."""

    run: Path  # folder of this run's records, logs and detections
    cache: Path  # folder of artifacts and other results that runs share
    weights: tuple[Path, ...] = ()  # folders searched for checkpoints
    data: tuple[Path, ...] = ()  # folders searched for data sets
    dataset: Path | None = None  # replaces the scored images of every suite
    calibration: Path | None = None  # replaces the calibration images of every suite
    timeout_s: float = 600  # seconds that a child may stay silent
    fresh: bool = False  # score again what an earlier run has scored


@dataclass(frozen=True)
class CellInputs:
    """What a cell needs before it can open a session."""

    data: Dataset  # the scored images, with the ground truth of the model's task
    artifact: Artifact
    pixels: Path  # .npy of the scored images, uint8 [N, 3, H, W]
    provenance: dict[str, Any]  # what the results say about where the numbers come from
    notes: tuple[str, ...]  # what a reader of the table must know
    build_s: float  # seconds that this run spent on building the artifact; 0 if it was in the cache
    recipe: Recipe
    runtime: str  # version of the cell's runtime


@dataclass(frozen=True)
class LoadJob:
    """Read and hash a data set."""

    source: Path
    purpose: Literal["scored", "calibration", "train split"]  # "calibration": the user named the source for it

    def run(self, channel: Channel) -> Dataset | None:
        """Return the data set; None where the source has no images for this purpose."""
        if self.purpose == "scored":
            data: Dataset | None = load_scored(self.source)
        else:
            data = load_calibration(self.source, explicit=self.purpose == "calibration")
        if data:
            _ = data.digest  # cached in the object, which is pickled with it
        return data


class Finder:
    """Finds the inputs of cells. Slow work happens in child processes, once per run or once per cache."""

    def __init__(self, settings: Settings, run_job: RunJob) -> None:
        """Make the cache folder. Raises ConfigError where it cannot be written."""
        self.settings = settings
        self._run_job = run_job
        self._cache = Cache(settings.cache, run_job)
        self._load = functools.cache(self._load_once)
        self._digest = functools.cache(file_digest)

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> CellInputs:
        """The inputs of a cell of `suite`, whose file lies in the folder `home`.

        Raises:
            ConfigError: data, weights or calibration images are wrong or cannot be found.
            Unavailable: this machine cannot build or run the cell, or a download failed.
        """
        made_by, runtime = runnable(cell)
        data = self._data(suite, home)
        weights = self._weights(cell, home)
        calibrated_on: Dataset | None = None
        notes: tuple[str, ...] = ()
        if any(step.calibrated for step in steps(made_by)):
            calibrated_on, notes = self._calibration(suite, home, data)
            _expect_whole_batches(cell, len(calibrated_on.images))
        training = self._training(suite, home, cell, data) if any(step.trained for step in steps(made_by)) else None
        start = time.monotonic()
        artifact = self._cache.artifact(cell, weights, calibrated_on, training)
        built = time.monotonic() - start if artifact.built else 0.0
        data = _of_task(cell, data, artifact)
        provenance = {
            "weights": self._digest(weights)[:16],
            "dataset": data.digest,
            "images": len(data.images),
            "imgsz": list(cell.imgsz),
            "decoding": asdict(suite.decoding),
            "operating_conf": suite.operating_conf,
            "recipe": made_by.build,
            "calibration": calibration.traced(calibrated_on, suite.calibration) if calibrated_on else None,
            "training": training.key if training else None,
            "precision": artifact.meta.get("precision"),
            "versions": {tool: version(tool) for tool in made_by.tools} | {cell.backend: runtime},
        }
        pixels = self._cache.pixels(data.images, cell.imgsz)
        notes = (*data.notes, *notes, *artifact.meta.get("notes", ()))
        return CellInputs(data, artifact, pixels, provenance, notes, built, made_by, runtime)

    def _data(self, suite: Suite, home: Path) -> Dataset:
        """The scored images."""
        data = self._load(LoadJob(self.settings.dataset or self._data_source(suite.datasets, home), "scored"))
        assert data is not None
        return data

    def _load_once(self, job: LoadJob) -> Dataset | None:
        """Load a data set once per run: the first process keeps it in a file, the others read the file."""
        name = hashlib.sha256(repr(job).encode()).hexdigest()[:16]
        kept = self.settings.run / f"data-{name}.pickle"
        with file_lock(kept.with_suffix(".lock")):
            if not kept.exists():
                data = self._run_job(job, f"read {job.source.name}")
                files.write_bytes(kept, pickle.dumps(data), "--qg-results-dir")
        found: Dataset | None = pickle.loads(kept.read_bytes())
        return found

    def _data_source(self, wanted: Sequence[str], home: Path) -> Path:
        """The first of the named data sets that is on this machine, or else one that is downloaded now."""
        found = sources.find_data(wanted, home, self.settings.data)
        if found:
            return found
        names = sources.downloadable(wanted)
        return Path(self._download(sources.DownloadData(names, str(self.settings.cache / "data")), "-".join(names)))

    def _weights(self, cell: Cell, home: Path) -> Path:
        """The checkpoint or model file of a cell, downloaded if need be."""
        declared = cell.weights or cell.model.partition(":")[0]
        folder = self.settings.cache / "weights"
        found = sources.find_weights(declared, home, (*self.settings.weights, folder))
        if found:
            return found
        name = declared.removesuffix(".pt")
        return Path(self._download(sources.DownloadWeights(name, str(folder)), name))

    def _download(self, job: Job, name: str) -> str:
        """Run a download once per run and return its path. If it fails, it fails for all other cells at once."""
        answer = self.settings.run / f"download-{name}.json"
        with file_lock(answer.with_suffix(".lock")):
            if not answer.exists():
                try:
                    result = [self._run_job(job, f"download {name}"), None]
                except (Unavailable, CellError) as error:
                    result = [None, str(error)]
                files.write_text(answer, json.dumps(result), "--qg-results-dir")
        path, reason = json.loads(answer.read_text())
        if path is None:
            raise Unavailable(reason)
        return str(path)

    def _calibration(self, suite: Suite, home: Path, scored: Dataset) -> tuple[Dataset, tuple[str, ...]]:
        """The images that the suite's Calibration declares, and the notes on them, from where this run says."""
        named = self.settings.calibration
        if named is None and suite.calibration.data:
            named = self._data_source([suite.calibration.data], home)
        source = named or self._data_source(suite.datasets, home)
        everything = self._load(LoadJob(source, "calibration" if named else "train split"))
        return calibration.choose(source, everything, suite.calibration, scored)

    def _training(self, suite: Suite, home: Path, cell: Cell, scored: Dataset) -> Training:
        """What the Qat of a cell names: a ready checkpoint, or a data set to fine-tune on."""
        qat = cell.qat
        assert qat is not None  # else recipe() would have raised
        if qat.checkpoint:
            checkpoint = sources.find_weights(qat.checkpoint, home, self.settings.weights)
            if checkpoint is None:
                raise ConfigError(f"{cell}: QAT checkpoint {qat.checkpoint} not found; nothing downloads it")
            return Training(replace(qat, checkpoint=str(checkpoint)), None, self._digest(checkpoint))
        data = self._data_source([qat.data] if qat.data else suite.datasets, home)
        images = self._load(LoadJob(data, "train split"))
        if images is None or not images.annotations:
            raise ConfigError(
                f"{cell}: {data} has no labelled train split to fine-tune on; name a data set in Qat(data=…)"
            )
        if qat.images > len(images.images):
            raise ConfigError(f"{cell}: {data} has {len(images.images)} training images and Qat asks for {qat.images}")
        if shared := overlap(images, scored):
            raise ConfigError(
                f"{cell}: {len(shared)} training images of {data} are also scored (first: {shared[0]}), which flatters "
                f"int8-qat; name another data set in Qat(data=…)"
            )
        return Training(qat, images, images.digest)


def runnable(cell: Cell) -> tuple[Recipe, str]:
    """The recipe of a cell and the version of its runtime.

    Raises:
        Unavailable: something is missing; the line names what building needs and what running needs.
    """
    try:
        made_by = recipe(cell)
    except Unsupported:
        raise
    except Unavailable as error:
        try:
            backend(cell.backend).probe(cell)
        except Unavailable as other:
            raise Unavailable(f"{other}; {error}" if str(other) != str(error) else str(error)) from None
        raise
    return made_by, backend(cell.backend).probe(cell)


def _of_task(cell: Cell, data: Dataset, artifact: Artifact) -> Dataset:
    """The data set with the ground truth of the task that the artifact's metadata names."""
    try:
        said = content(artifact.meta)
        scored = of_task(data, said.task)
        task(said.task).expect(scored, said)
        return scored
    except ConfigError as error:
        raise ConfigError(f"{cell}: {error}") from None


def _expect_whole_batches(cell: Cell, images: int) -> None:
    """Raise ConfigError where the last images would fill no batch: quantizers would leave them out."""
    if images % cell.batch:
        whole = max(1, images // cell.batch) * cell.batch
        raise ConfigError(
            f"{cell}: {images} calibration images are no whole batches of {cell.batch}; say Calibration(images={whole})"
        )
