"""The cache of artifacts and preprocessed images: one build per key, whole or absent.

A key is a hash of everything that shapes the content, so an entry never grows stale.
"""

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
from harness.core.cell import Cell, Qat, Size, size_text
from harness.core.dataset import Dataset, Image
from harness.core.errors import ConfigError, Unavailable, first_line
from harness.core.files import file_lock
from harness.core.measurement import Artifact
from harness.inputs.builds import BuildJob
from harness.inputs.pixels import LetterboxJob, intact, pixels_key
from harness.machine.fingerprint import version
from harness.machine.worker import Job
from harness.recipes import beside
from harness.recipes.base import BuildInputs, Recipe
from harness.recipes.registry import recipe, source_of, steps

RunJob = Callable[[Job, str], Any]
"""Runs a heavy job in a child process and returns its result. The text names the job in the progress line."""


@dataclass(frozen=True)
class Training:
    """How an int8-qat cell is fine-tuned, with the data set or the ready checkpoint found and hashed."""

    qat: Qat  # as declared, but `checkpoint` is the path of the file that was found
    data: Dataset | None  # labelled images to fine-tune on; None where a checkpoint is ready
    digest: str  # hash of the images and labels, or of the ready checkpoint

    @property
    def key(self) -> dict[str, Any]:
        """What shapes the trained weights: the content of files, not their places."""
        if self.qat.checkpoint:
            return {"checkpoint": self.digest}
        settings = asdict(self.qat)
        del settings["checkpoint"]
        return {**settings, "data": self.digest}


class Cache:
    """A folder of artifacts and preprocessed images that several processes, runs and projects share."""

    def __init__(self, root: Path, run_job: RunJob) -> None:
        """Make the folder. Raises ConfigError where it cannot be written."""
        self.root, self._run_job = root, run_job
        with _writing(root):
            for part in ("artifacts", "pixels", "scores", "weights", "data", "locks"):
                (root / part).mkdir(parents=True, exist_ok=True)

    def artifact(
        self, cell: Cell, weights: Path, calibration: Dataset | None, training: Training | None = None
    ) -> Artifact:
        """The artifact of a cell, built if it is absent or damaged.

        Raises:
            ConfigError: there are no calibration images for a calibrated recipe, the recipe wrote no model, or a file
                cannot be read or written.
            Unavailable: the recipe does not exist or lacks a tool, or the device of a compiled artifact is absent.
        """
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
        self, made_by: Recipe, cell: Cell, weights: Path, pixels: Path | None, training: Training | None,
        runs: bool = True,
    ) -> Artifact:  # fmt: skip
        """The artifact that `made_by` makes, after the intermediate artifacts that it starts from; `cell` `runs` it."""
        source = Artifact(str(weights), file_digest(weights), 0)
        if below := source_of(made_by, weights):
            source = self._build(below, cell, weights, pixels, training, runs=False)
        pixels = pixels if made_by.calibrated else None
        training = training if made_by.trained else None
        hardware = _hardware(cell) if made_by.compiled else ""
        inputs = BuildInputs(
            weights, Path(source.path), cell.imgsz, cell.batch, cell.head == "e2e", pixels, device=cell.device,
            qat=training.qat if training else None, training=training.data if training else None,
            family="" if cell.head == "e2e" else cell.head,
            timings=self.root / "timings" / re.sub(r"[^A-Za-z0-9.]+", "-", hardware) if hardware else None,
        )  # fmt: skip
        shaped_by = {
            "recipe": asdict(made_by),
            "source": source.key,
            "imgsz": cell.imgsz,
            "batch": cell.batch,
            "head": inputs.end_to_end,
            "calibration": pixels.stem if pixels else None,
            **({"family": inputs.family} if pixels and inputs.family else {}),
            "training": training.key if training else None,
            "tools": {tool: version(tool) for tool in made_by.tools},
            "hardware": hardware,
        }
        key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()[:24]
        job = BuildJob(made_by, inputs, "", cell if runs else None)
        return self._read_or_build(job, f"{cell}", key, {**source.meta, "shaped_by": shaped_by})

    def _read_or_build(self, job: BuildJob, name: str, key: str, meta: dict[str, Any]) -> Artifact:
        """The artifact under `key`, built if it is absent or damaged.

        `job` lacks its folder. `name` is the cell's. `meta` is the artifact's metadata before the build.
        """
        entry = job.recipe.entry
        folder = self.root / "artifacts" / key
        with _writing(self.root), file_lock(self.root / "locks" / key):
            found = _read(folder, entry, key)
            if found:
                return found
            shutil.rmtree(folder, ignore_errors=True)
            with self._scratch(folder) as scratch, self._alone(job.inputs):
                start = time.monotonic()
                added = self._run_job(replace(job, folder=str(scratch)), f"build {name}")
                _describe(scratch, {**meta, **added, "build_s": round(time.monotonic() - start, 3)})
            built = _read(folder, entry, key)
        if built is None:
            raise ConfigError(f"{name}: {job.recipe.build} wrote no {entry}")
        return replace(built, built=True)

    def _alone(self, inputs: BuildInputs) -> AbstractContextManager[object]:
        """Let one build at a time measure kernels on the hardware. The wait is here, outside the child's time limit."""
        return file_lock(self.root / "locks" / inputs.timings.name) if inputs.timings else nullcontext()

    def pixels(self, images: Sequence[Image], size: Size) -> Path:
        """The file of letterboxed `images`, uint8 [N, 3, H, W] of `size`, decoded if it is absent or truncated.

        Raises:
            ConfigError: an image cannot be decoded, or the cache cannot be written.
        """
        key = pixels_key(images, size)
        path = self.root / "pixels" / f"{key}.npy"
        with _writing(self.root), file_lock(self.root / "locks" / key):
            if not intact(path, (len(images), 3, *size)):
                for left in path.parent.glob(f".*-{path.name}"):
                    left.unlink(missing_ok=True)
                scratch = path.with_name(f".{os.getpid()}-{path.name}")
                try:
                    said = f"decode {len(images)} images at {size_text(size)} px"
                    self._run_job(LetterboxJob(images, size, str(scratch)), said)
                    os.replace(scratch, path)
                finally:
                    scratch.unlink(missing_ok=True)
        return path

    @contextmanager
    def _scratch(self, target: Path) -> Iterator[Path]:
        """An empty folder that becomes `target` in one step, or disappears where the block raises."""
        for left in target.parent.glob(f".*-{target.name}"):  # left by a killed process, whose lock this process holds
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
    """Turn the OSError of a full or read-only cache into a ConfigError."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"cache folder {root} cannot be written: {error.strerror}; name another with --qg-cache-dir"
        ) from None


def _hardware(cell: Cell) -> str:
    """The hardware that a compiled artifact of the cell is good for.

    Raises:
        Unavailable: the device is absent or does not answer.
    """
    try:
        return cast(Compiling, backend(cell.backend)).hardware(cell)
    except Unavailable:
        raise
    except RuntimeError as error:
        raise Unavailable(f"{cell.device} does not say what it is: {first_line(error)}") from None


def file_digest(path: Path) -> str:
    """SHA-256 of a model file together with the files beside it that belong to it: weights and class names.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content)
        for companion in beside.companions(path, content):
            if companion.is_file():
                digest.update(companion.read_bytes())
        return digest.hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _describe(folder: Path, meta: dict[str, Any]) -> None:
    """Write `artifact.json`: the metadata, and the digest of every file in `folder`."""
    files = {file.name: file_digest(file) for file in sorted(folder.iterdir()) if file.is_file()}
    (folder / "artifact.json").write_text(json.dumps({"files": files, "meta": meta}, indent=1, sort_keys=True))


def _read(folder: Path, entry: str, key: str) -> Artifact | None:
    """The artifact in `folder`, or None where it is absent or a file differs from what was written."""
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
