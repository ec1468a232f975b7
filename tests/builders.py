"""Small valid objects that the tests vary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import settings

from harness.core.cell import Cell
from harness.core.dataset import Dataset, Image
from harness.core.measurement import Machine, Measurement
from harness.inputs.builds import BuildJob
from harness.inputs.datasets.loading import load_calibration
from harness.inputs.datasets.yolo import read_yolo
from harness.inputs.pixels import read_image
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS
from harness.machine.child import Child
from harness.machine.fingerprint import cpu_flags
from harness.recipes.base import BuildInputs, Recipe
from harness.tasks.base import Detections
from harness.tasks.preprocess import letterbox

MACHINE = Machine("made-avx2-2c", "Made", "avx2", 2, 1 << 30, "Linux", "3.11")
FP32 = Cell("yolo26n", "fp32", "onnxruntime")
INT8 = FP32.sibling("int8")
TESTS = Path(__file__).parent
VNNI = bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & cpu_flags())
needs_vnni = pytest.mark.skipif(not VNNI, reason="x86 kernels of int8 saturate without VNNI, and give other numbers")
quick = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def measurement(cell: Cell = INT8, **metrics: float | None) -> Measurement:
    """What an accuracy phase brings, with `metrics` on top."""
    return Measurement(
        cell,
        metrics={"map": 0.4185, "map_50": 0.6, "size_bytes": 1000, **metrics},
        per_class={"cat": 0.5, "dog": None},
        provenance={"dataset": "d1", "decoding": {"conf": 0.001}, "imgsz": [640, 640], "images": 128},
    )


def dataset(
    images: int = 2, annotations: Sequence[tuple[int, int, Sequence[float]]] = (), names: Sequence[str] = ("cat", "dog")
) -> Dataset:
    """`annotations` are (image id, category id, bbox xywh); image ids start at 1 and category ids at 10."""
    rows = [
        {"id": n, "image_id": i, "category_id": c, "bbox": list(box), "area": box[2] * box[3], "iscrowd": 0}
        for n, (i, c, box) in enumerate(annotations, 1)
    ]
    shown = tuple(Image(i, f"{i}.png", 200, 100, f"{i:064x}") for i in range(1, images + 1))
    return Dataset("made", shown, {10 + k: name for k, name in enumerate(names)}, rows)


def detections(*rows: Sequence[float]) -> Detections:
    """Rows of x1, y1, x2, y2, score, class."""
    table = np.asarray(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def picture(path: Path, seed: int = 0, width: int = 64, height: int = 48) -> Path:
    """A PNG whose bytes depend on `seed`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def yolo(root: Path, images: dict[str, str | None], names: Any = ("cat", "dog"), **splits: Any) -> Path:
    """A YOLO data set: `images` maps `val/a` to the rows of its label file, None for no label file."""
    for number, (name, rows) in enumerate(images.items()):
        picture(root / "images" / f"{name}.png", number)
        if rows is not None:
            label = root / "labels" / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(rows)
    file = root / "data.yaml"
    declared = splits or {"train": "images/train", "val": "images/val"}
    names = list(names) if isinstance(names, tuple) else names
    file.write_text(yaml.safe_dump({**declared, "names": names}))
    return file


def coco(root: Path, **changes: Any) -> Path:
    """A COCO JSON of two images, one crowd region and one official area, with top level `changes`."""
    for number in (1, 2):
        picture(root / "images" / f"{number}.png", number)
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in (1, 2)],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "area": 123.5, "iscrowd": 0},
            {"id": 6, "image_id": 1, "category_id": 7, "bbox": [0, 0, 30, 30], "area": 900, "iscrowd": 1},
        ],
    }
    file = root / "instances_val.json"
    file.write_text(json.dumps({**content, **changes}))
    return file


def scored(file: Path) -> Dataset:
    """The val split of a YOLO YAML."""
    return read_yolo(file, "val")


def boxes(dataset: Dataset) -> list[tuple[float, ...]]:
    """The boxes of all objects, x, y, width and height in pixels."""
    return [tuple(round(value, 3) for value in row["bbox"]) for row in dataset.annotations]


def null_weights(path: Path, **script: Any) -> Path:
    """Weights for the null backend."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"names": ["cat", "dog"], "detections": [[8, 8, 24, 24, 0.9, 0]], **script}))
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digits(folder: Path, images: int = 8, **changes: Any) -> BuildInputs:
    """What builds of the bundled detector read: the first calibration images at its size."""
    source = load_calibration(BUNDLED_DATA["digits"], explicit=False)
    assert source is not None
    folder.mkdir(parents=True, exist_ok=True)
    np.save(
        folder / "pixels.npy", np.stack([letterbox(read_image(image), (256, 256)) for image in source.images[:images]])
    )
    weights = BUNDLED_WEIGHTS["yolo26n-digits"]
    return replace(BuildInputs(weights, weights, (256, 256), 1, False, folder / "pixels.npy"), **changes)


def built(recipe: Recipe, inputs: BuildInputs, folder: Path) -> Path:
    """Build as the harness does: in a child, whose libraries warn and set their switches there."""
    folder.mkdir(parents=True, exist_ok=True)
    with Child(BuildJob(recipe, inputs, str(folder)), folder.with_suffix(".log"), limit_s=600) as child:
        child.answer()
    return folder
