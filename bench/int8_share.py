"""How much of a detector runs in int8 with the recipes, and how large the file becomes; neither depends on weights.

    python bench/int8_share.py FILE.onnx …

FILE.onnx is a float graph with a static input, as `yolo export format=onnx` writes it. Calibrated on noise.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.judge.attestation import share
from harness.recipes.base import BuildInputs
from harness.recipes.registry import RECIPES

BACKENDS = ("onnxruntime", "openvino")
IMAGES = 4


def measured(file: Path, runtime: str, folder: Path) -> tuple[float, float]:
    """The share of multiply-accumulates that ran in int8, and the size of the files over the float graph's."""
    _, _, height, width = (dim.dim_value for dim in onnx.load(file).graph.input[0].type.tensor_type.shape.dim)
    size = height, width
    noise = np.random.default_rng(0).integers(0, 255, (IMAGES, 3, *size), dtype=np.uint8)
    np.save(folder / "pixels.npy", noise)
    made = folder / runtime
    made.mkdir()
    recipe = RECIPES[runtime, "int8"]
    recipe.run(BuildInputs(file, file, size, 1, False, folder / "pixels.npy"), made)
    cell = Cell(file.stem, "int8", runtime, imgsz=size)
    session = backend(runtime).open(Artifact(str(made / recipe.entry), "", 0), cell, 1)
    stored = sum(one.stat().st_size for one in made.iterdir())
    return share(session.executed(), "i8") or 0.0, stored / file.stat().st_size


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for runtime in BACKENDS:
            with tempfile.TemporaryDirectory() as scratch:
                ran, stored = measured(Path(name), runtime, Path(scratch))
            print(f"{Path(name).stem:20} {runtime:12} int8 {ran:.3f}  size {stored:.3f}", flush=True)
