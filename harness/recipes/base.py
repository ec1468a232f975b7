"""What a recipe is, and what its build function reads. Nothing here imports a toolchain."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Qat
from harness.core.dataset import Dataset
from harness.tasks.preprocess import normalize

Advance = Callable[[int, int], None]
"""`done` of `total` units of a long build: a sign of life, and the bar that the user sees."""


def silent(done: int, total: int) -> None:
    """For builds that nobody watches."""


@dataclass(frozen=True)
class BuildInputs:
    """What a build function reads. It writes `model.*` into a folder and nothing else."""

    weights: Path  # the checkpoint as the user gave it
    source: Path  # the artifact this one is made from: the exported ONNX graph, or the checkpoint itself
    imgsz: int
    batch: int
    end_to_end: bool  # YOLO26's one-to-one head instead of raw output
    calibration: Path | None  # .npy of letterboxed bytes [N, 3, S, S], for static int8
    qat: Qat | None = None  # for int8-qat
    training: Dataset | None = None  # labelled images that int8-qat fine-tunes on
    device: str = "cpu"  # what a compiled artifact is compiled on
    timings: Path | None = None  # file in which builds for the same hardware keep what they have timed
    advance: Advance = silent  # called by builds that may outlast the limit of a silent child

    def batches(self, size: int = 0) -> Iterator[NDArray[np.float32]]:
        """Calibration images [N, 3, S, S] in [0, 1], `size` at a time (0: the cell's batch); the build's progress."""
        assert self.calibration is not None
        pixels = np.load(self.calibration, mmap_mode="r")
        for start in range(0, len(pixels), size or self.batch):
            self.advance(start, len(pixels))
            yield normalize(pixels[start : start + (size or self.batch)])


@dataclass(frozen=True)
class Recipe:
    """How one precision is made for one backend."""

    build: str  # "module:function" below harness.recipes, or of another package
    entry: str  # the file the runtime opens
    stored: str  # numeric type of the weights in the file
    executes: str  # numeric type that convolutions are expected to run in
    source: str = "onnx"  # "checkpoint", or the name of an intermediate artifact in SOURCES
    params: Mapping[str, Any] = field(default_factory=dict)  # passed to the function; part of the key
    calibrated: bool = False
    trained: bool = False  # fine-tuned as the cell's Qat says
    version: int = 1  # raise it when the function changes what it makes
    tools: tuple[str, ...] = ()  # distributions whose version shapes the result
    compiled: bool = False  # for the hardware it is built on, as the backend's `hardware` names it; part of the key

    def run(self, inputs: BuildInputs, folder: Path) -> dict[str, Any]:
        """Build into `folder`; returns what the function adds to the artifact's metadata."""
        module, _, function = self.build.partition(":")
        own = importlib.util.find_spec(f"harness.recipes.{module.partition('.')[0]}")
        found = importlib.import_module(f"harness.recipes.{module}" if own else module)
        build: Callable[..., dict[str, Any]] = getattr(found, function)
        return build(inputs, folder, **self.params)


Table = Mapping[tuple[str, str], Recipe]
"""(backend, precision) → recipe."""

EXPORT = ("ultralytics", "torch", "onnx", "onnxslim")
"""Distributions whose version shapes the exported graph, and so everything made from it."""

BESIDE = {".xml": (".bin",), ".onnx": (".onnx.data", ".onnx_data")}
"""Suffix of a model's file → suffixes of the files that hold its weights, where those are not in it."""
