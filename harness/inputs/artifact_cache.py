"""Content-addressed cache of artifacts and preprocessed images: one build per key, never half-written."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from harness.backends.base import Compiling
from harness.backends.registry import backend
from harness.core.cell import Cell, Qat
from harness.core.dataset import Dataset, Image
from harness.core.errors import ConfigError, Unavailable, first_line
from harness.core.files import file_lock
from harness.core.measurement import Artifact
from harness.inputs.pixels import LetterboxJob, intact, pixels_key
from harness.machine.fingerprint import version
from harness.machine.worker import Channel, Job
from harness.recipes.base import BESIDE, BuildInputs, Recipe
from harness.recipes.registry import recipe, source_of, steps

RunJob = Callable[[Job, str], Any]
"""Run a heavy job in a child; the text is what a progress line calls it."""


@dataclass(frozen=True)
class Training:
    """What int8-qat is fine-tuned by, found and hashed."""

    qat: Qat  # its checkpoint is the path that was found
    data: Dataset | None  # labelled images, or None where a checkpoint is ready
    digest: str  # of the training images and labels, or of the checkpoint

    @property
    def key(self) -> dict[str, Any]:
        """What shapes the result: not where files lie, but what is in them."""
        if self.qat.checkpoint:
            return {"checkpoint": self.digest}
        settings = asdict(self.qat)
        del settings["checkpoint"]
        return {**settings, "data": self.digest}


@dataclass(frozen=True)
class BuildJob:
    """Build one artifact into an empty folder."""

    recipe: Recipe
    inputs: BuildInputs
    folder: str

    def run(self, channel: Channel) -> dict[str, Any]:
        return self.recipe.run(replace(self.inputs, advance=channel.progress), Path(self.folder))


class Cache:
    """A folder that several processes, runs and users' projects share."""

    def __init__(self, root: Path, run_job: RunJob) -> None:
        self.root, self._run_job = root, run_job
        with _writing(root):
            for part in ("artifacts", "pixels", "scores", "weights", "data", "locks"):
                (root / part).mkdir(parents=True, exist_ok=True)

    def artifact(
        self, cell: Cell, weights: Path, calibration: Dataset | None, training: Training | None = None
    ) -> Artifact:
        """The artifact of a cell, built where it is not in the cache or where it is damaged."""
        made_by = recipe(cell)
        pixels = None
        if any(step.calibrated for step in steps(made_by)):
            if calibration is None or not calibration.images:
                raise ConfigError(
                    f"{cell}: static int8 needs calibration images, and there are none; give --qg-calibration PATH"
                )
            pixels = self.pixels(calibration.images, cell.imgsz)
        return self._build(made_by, cell, weights, pixels, training)

    def _build(
        self, made_by: Recipe, cell: Cell, weights: Path, pixels: Path | None, training: Training | None
    ) -> Artifact:
        """Build what `made_by` is made from, then the artifact itself."""
        source = Artifact(str(weights), file_digest(weights), 0)
        if below := source_of(made_by, weights):
            source = self._build(below, cell, weights, pixels, training)
        pixels = pixels if made_by.calibrated else None
        training = training if made_by.trained else None
        hardware = _hardware(cell) if made_by.compiled else ""
        inputs = BuildInputs(
            weights, Path(source.path), cell.imgsz, cell.batch, cell.head == "e2e", pixels, device=cell.device,
            timings=self.root / "timings" / re.sub(r"[^A-Za-z0-9.]+", "-", hardware) if hardware else None,
        )  # fmt: skip
        if training:
            inputs = replace(inputs, qat=training.qat, training=training.data)
        shaped_by = {
            "recipe": asdict(made_by),
            "source": source.key,
            "imgsz": cell.imgsz,
            "batch": cell.batch,
            "head": inputs.end_to_end,
            "calibration": pixels.stem if pixels else None,
            "training": training.key if training else None,
            "tools": {tool: version(tool) for tool in made_by.tools},
            "hardware": hardware,
        }
        key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()[:24]
        return self._read_or_build(made_by, cell, inputs, key, {**source.meta, "shaped_by": shaped_by})

    def _read_or_build(
        self, made_by: Recipe, cell: Cell, inputs: BuildInputs, key: str, meta: dict[str, Any]
    ) -> Artifact:
        folder = self.root / "artifacts" / key
        with _writing(self.root), file_lock(self.root / "locks" / key):
            found = _read(folder, made_by.entry, key)
            if found:
                return found
            shutil.rmtree(folder, ignore_errors=True)
            with self._scratch(folder) as scratch, self._alone(inputs):
                start = time.monotonic()
                added = self._run_job(BuildJob(made_by, inputs, str(scratch)), f"build {cell}")
                _describe(scratch, {**meta, **added, "build_s": round(time.monotonic() - start, 3)})
            built = _read(folder, made_by.entry, key)
        if built is None:
            raise ConfigError(f"{cell}: {made_by.build} wrote no {made_by.entry}")
        return replace(built, built=True)

    def _alone(self, inputs: BuildInputs) -> AbstractContextManager[object]:
        """Compilers that time kernels would time each other's: one at a time on a device, waiting outside the child."""
        return file_lock(self.root / "locks" / inputs.timings.name) if inputs.timings else nullcontext()

    def pixels(self, images: Sequence[Image], size: int) -> Path:
        """Letterboxed bytes of `images`, decoded once per (images, size)."""
        key = pixels_key(images, size)
        path = self.root / "pixels" / f"{key}.npy"
        with _writing(self.root), file_lock(self.root / "locks" / key):
            if not intact(path, (len(images), 3, size, size)):
                for left in path.parent.glob(f".*-{path.name}"):
                    left.unlink(missing_ok=True)
                scratch = path.with_name(f".{os.getpid()}-{path.name}")
                try:
                    self._run_job(LetterboxJob(images, size, str(scratch)), f"decode {len(images)} images at {size} px")
                    os.replace(scratch, path)
                finally:
                    scratch.unlink(missing_ok=True)
        return path

    @contextmanager
    def _scratch(self, target: Path) -> Iterator[Path]:
        """A folder that becomes `target` in one step, or disappears."""
        for left in target.parent.glob(f".*-{target.name}"):  # by a killed process: its lock is ours now
            shutil.rmtree(left, ignore_errors=True)
        scratch = target.with_name(f".{os.getpid()}-{target.name}")
        scratch.mkdir(parents=True)
        try:
            yield scratch
            os.replace(scratch, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """A full or read-only cache is one line."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"cache folder {root} cannot be written: {error.strerror}; name another with --qg-cache-dir"
        ) from None


def _hardware(cell: Cell) -> str:
    """What a compiled artifact is good for; a device that does not answer is one that is not there."""
    try:
        return cast(Compiling, backend(cell.backend)).hardware(cell)
    except Unavailable:
        raise
    except RuntimeError as error:
        raise Unavailable(f"{cell.device} does not say what it is: {first_line(error)}") from None


NAMES = "metadata.yaml"
"""File beside an OpenVINO IR in which Ultralytics keeps the class names."""


def file_digest(path: Path) -> str:
    """sha256 of a file, and of the files beside it that belong to it."""
    companions = [path.with_suffix(suffix) for suffix in BESIDE.get(path.suffix, ())]
    if path.suffix == ".xml":
        companions.append(path.parent / NAMES)
    try:
        content = hashlib.sha256(path.read_bytes())
        for companion in filter(Path.is_file, companions):
            content.update(companion.read_bytes())
        return content.hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _describe(folder: Path, meta: dict[str, Any]) -> None:
    files = {file.name: file_digest(file) for file in sorted(folder.iterdir()) if file.is_file()}
    (folder / "artifact.json").write_text(json.dumps({"files": files, "meta": meta}, indent=1, sort_keys=True))


def _read(folder: Path, entry: str, key: str) -> Artifact | None:
    """The artifact in `folder`, or None where it is absent or any file differs from what was written."""
    try:
        card = json.loads((folder / "artifact.json").read_text())
        files: dict[str, str] = card["files"]
        intact = entry in files and all(file_digest(folder / name) == value for name, value in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not intact:
        return None
    size = sum((folder / name).stat().st_size for name in files)
    return Artifact(str(folder / entry), key, size, card["meta"])
