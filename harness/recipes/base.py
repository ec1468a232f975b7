"""What a recipe is, and what its build function reads. Nothing here imports a toolchain.

A build function is called as `function(inputs, folder, **params)`. It writes the artifact into `folder`, which exists
and is empty, and returns what it adds to the artifact's metadata: a dictionary that JSON can hold.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Qat, Size
from harness.core.dataset import Dataset
from harness.tasks.preprocess import normalize

Advance = Callable[[int, int], None]
"""Reports `done` of `total` units of a long build: moves the user's progress bar, and shows that the child is alive."""


def silent(done: int, total: int) -> None:
    """Report nothing: for builds that nobody watches."""


@dataclass(frozen=True)
class BuildInputs:
    """What a build function reads."""

    weights: Path  # the checkpoint or model file, as the user gave it
    source: Path  # the file to build from: the exported ONNX graph, another intermediate artifact, or `weights` itself
    imgsz: Size  # height H and width W of the network input, pixels
    batch: int  # images per call
    end_to_end: bool  # the network ends in YOLO26's one-to-one head, not in raw output
    calibration: Path | None  # .npy of letterboxed images, uint8 [N, 3, H, W]; for recipes that are `calibrated`
    qat: Qat | None = None  # how to fine-tune; for recipes that are `trained`
    training: Dataset | None = None  # labelled images to fine-tune on; None where `qat` names a ready checkpoint
    device: str = "cpu"  # the device that a compiled artifact is compiled for
    timings: Path | None = None  # kernel timings of earlier builds for the same hardware; the build adds its own
    advance: Advance = silent  # for builds that may take longer than a child is allowed to stay silent

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the network's input: [N, 3, H, W]."""
        return (self.batch, 3, *self.imgsz)

    def batches(self, size: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield the calibration images as float32 [n, 3, H, W] in [0, 1], and report the images done as progress.

        `size` is the number of images n, 0 for the batch of the cell. The last batch may be smaller.
        """
        assert self.calibration is not None
        pixels = np.load(self.calibration, mmap_mode="r")
        size = size or self.batch
        for start in range(0, len(pixels), size):
            self.advance(start, len(pixels))
            yield normalize(pixels[start : start + size])


@dataclass(frozen=True)
class Recipe:
    """How one precision is made for one backend. Every field is part of the artifact's key.

    So are the installed versions of `tools`, and the hardware that a compiled artifact is built for.
    """

    build: str  # "module:function", the module in harness.recipes or, by its full name, in another package
    entry: str  # name of the file that the runtime opens
    stored: str  # numeric type of the weights in the file: f32, f16, bf16, i8, or "as read" (see ready.py)
    executes: str  # numeric type that convolutions should run in: f32, tf32, f16, bf16, i8, i16, or "as read"
    source: str = "onnx"  # what it is built from: an intermediate artifact by its name in SOURCES, or "checkpoint"
    params: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments of the build function
    calibrated: bool = False  # the function reads calibration images
    trained: bool = False  # the function fine-tunes as the cell's Qat says
    version: int = 1  # raise it when the function changes what it makes
    tools: tuple[str, ...] = ()  # distributions whose version shapes the result
    compiled: bool = False  # good for one kind of hardware, as the backend's `hardware` names it

    def run(self, inputs: BuildInputs, folder: Path) -> dict[str, Any]:
        """Build into `folder`, which exists, and return what the function adds to the artifact's metadata."""
        module, _, function = self.build.partition(":")
        own = importlib.util.find_spec(f"harness.recipes.{module.partition('.')[0]}")
        found = importlib.import_module(f"harness.recipes.{module}" if own else module)
        build: Callable[..., dict[str, Any]] = getattr(found, function)
        return build(inputs, folder, **self.params)


Table = Mapping[tuple[str, str], Recipe]
"""(backend, precision) → the recipe that makes it."""

EXPORT = ("ultralytics", "torch", "onnx", "onnxslim")
"""Distributions whose version shapes the exported ONNX graph, and so everything made from it."""

BESIDE = {".xml": (".bin",), ".onnx": (".onnx.data", ".onnx_data")}
"""Suffix of a model file → suffixes of the files beside it that may hold its weights."""
