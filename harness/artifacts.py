"""Content-addressed cache of artifacts and preprocessed images: one build per key, never half-written."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets import Dataset, Image
from harness.errors import ConfigError
from harness.families import DECODING_VERSION, letterbox
from harness.locks import file_lock
from harness.precision import ONNX_GRAPH, Inputs, Recipe, recipe
from harness.types import Artifact, Cell
from harness.worker import Channel, Job

RunJob = Callable[[Job, str], Any]
"""Run a heavy job in a child; the text is what a progress line calls it."""


OPENCV = ("python", "python-headless", "contrib-python", "contrib-python-headless")
"""Distributions that bring cv2, whose resizing and JPEG decoder shape the pixels."""


@dataclass(frozen=True)
class BuildJob:
    """Build one artifact into an empty folder."""

    recipe: Recipe
    inputs: Inputs
    folder: str

    def run(self, channel: Channel) -> dict[str, Any]:
        return self.recipe.run(self.inputs, Path(self.folder))


@dataclass(frozen=True)
class LetterboxJob:
    """Decode and letterbox images into one .npy of bytes [N, 3, S, S]."""

    images: Sequence[Image]
    size: int
    target: str

    def run(self, channel: Channel) -> None:
        shape = (len(self.images), 3, self.size, self.size)
        with open(self.target, "wb") as file:  # written and not mapped: a full disk is an error, not a signal
            np.lib.format.write_array_header_1_0(
                file,
                {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape},
            )
            for done, image in enumerate(self.images, 1):
                file.write(letterbox(read_image(image), self.size).tobytes())
                channel.progress(done, len(self.images))


def read_image(image: Image) -> Any:
    """Decode to BGR in the orientation that the ground truth was drawn in.

    OpenCV turns an image by its EXIF orientation; a COCO JSON usually has the size before that. The size tells.
    """
    import cv2

    flags = (cv2.IMREAD_COLOR, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    pictures = (cv2.imread(image.path, flag) for flag in flags)
    sizes = []
    for picture in pictures:
        if picture is None:
            raise ConfigError(f"image {image.path} cannot be decoded")
        sizes.append((picture.shape[1], picture.shape[0]))
        if sizes[-1] == (image.width, image.height):
            return picture
    raise ConfigError(
        f"image {image.path} has {sizes[0][0]}×{sizes[0][1]} pixels, its data set says {image.width}×{image.height}"
    )


class Cache:
    """A folder that several processes, runs and users' projects share."""

    def __init__(self, root: Path, run_job: RunJob) -> None:
        self.root, self._run_job = root, run_job
        with _writing(root):
            for part in ("artifacts", "pixels", "scores", "weights", "data", "locks"):
                (root / part).mkdir(parents=True, exist_ok=True)

    def artifact(self, cell: Cell, weights: Path, calibration: Dataset | None) -> Artifact:
        """The artifact of a cell, built where it is not in the cache or where it is damaged."""
        made_by = recipe(cell)
        pixels = None
        if made_by.calibrated:
            if calibration is None or not calibration.images:
                raise ConfigError(
                    f"{cell}: static int8 needs calibration images, and there are none; give --qg-calibration PATH"
                )
            pixels = self.pixels(calibration.images, cell.imgsz)
        source = Artifact(str(weights), digest(weights), 0)
        if made_by.source == "onnx":
            source = self._build(ONNX_GRAPH, cell, weights, source, None)
        return self._build(made_by, cell, weights, source, pixels)

    def _build(self, made_by: Recipe, cell: Cell, weights: Path, source: Artifact, pixels: Path | None) -> Artifact:
        inputs = Inputs(weights, Path(source.path), cell.imgsz, cell.batch, cell.model.endswith(":e2e"), pixels)
        shaped_by = {
            "recipe": asdict(made_by),
            "source": source.key,
            "imgsz": cell.imgsz,
            "batch": cell.batch,
            "head": inputs.end_to_end,
            "calibration": pixels.stem if pixels else None,
            "tools": {tool: version(tool) for tool in made_by.tools},
        }
        key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()[:24]
        return self._read_or_build(made_by, cell, inputs, key, {**source.meta, "shaped_by": shaped_by})

    def _read_or_build(self, made_by: Recipe, cell: Cell, inputs: Inputs, key: str, meta: dict[str, Any]) -> Artifact:
        folder = self.root / "artifacts" / key
        with _writing(self.root), file_lock(self.root / "locks" / key):
            found = _read(folder, made_by.entry, key)
            if found:
                return found
            shutil.rmtree(folder, ignore_errors=True)
            start = time.monotonic()
            with self._scratch(folder) as scratch:
                added = self._run_job(BuildJob(made_by, inputs, str(scratch)), f"build {cell}")
                _describe(scratch, {**meta, **added, "build_s": round(time.monotonic() - start, 3)})
            built = _read(folder, made_by.entry, key)
        if built is None:
            raise ConfigError(f"{cell}: {made_by.build} wrote no {made_by.entry}")
        return replace(built, built=True)

    def pixels(self, images: Sequence[Image], size: int) -> Path:
        """Letterboxed bytes of `images`, decoded once per (images, size)."""
        shown = [(image.digest, image.width, image.height) for image in images]
        opencv = [version(f"opencv-{name}") for name in OPENCV]
        text = json.dumps([size, DECODING_VERSION, opencv, shown])
        key = hashlib.sha256(text.encode()).hexdigest()[:24]
        path = self.root / "pixels" / f"{key}.npy"
        with _writing(self.root), file_lock(self.root / "locks" / key):
            if not _intact(path, (len(images), 3, size, size)):
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


def digest(path: Path) -> str:
    """sha256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def version(tool: str) -> str | None:
    """Version of an installed distribution."""
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None


def _describe(folder: Path, meta: dict[str, Any]) -> None:
    files = {file.name: digest(file) for file in sorted(folder.iterdir()) if file.is_file()}
    (folder / "artifact.json").write_text(json.dumps({"files": files, "meta": meta}, indent=1, sort_keys=True))


def _read(folder: Path, entry: str, key: str) -> Artifact | None:
    """The artifact in `folder`, or None where it is absent or any file differs from what was written."""
    try:
        card = json.loads((folder / "artifact.json").read_text())
        files: dict[str, str] = card["files"]
        intact = entry in files and all(digest(folder / name) == value for name, value in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not intact:
        return None
    size = sum((folder / name).stat().st_size for name in files)
    return Artifact(str(folder / entry), key, size, card["meta"])


def _intact(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        return bool(np.load(path, mmap_mode="r").shape == shape)
    except (OSError, ValueError, EOFError):
        return False
