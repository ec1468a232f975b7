"""`yolo val` of Ultralytics and quantgate find the same mAP on the same labels, where pycocotools scores both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from coco import by_pycocotools

from harness import Suite, matrix
from harness.core.dataset import Dataset
from harness.inputs.datasets.loading import load_scored
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS, cache_folder
from harness.measure.runner import Runner
from harness.tasks.base import Detections

SHARED = Path(__file__).parents[3] / "shared"
YOLO26N = Path(os.environ.get("QUANTGATE_WEIGHTS", SHARED / "weights")) / "yolo26n.pt"
COCO256 = Path(os.environ.get("QUANTGATE_DATA", SHARED / "data")) / "coco256"

VAL = """
import sys
from ultralytics import YOLO
weights, data, size, project = sys.argv[1:]
YOLO(weights).val(
    data=data, imgsz=int(size), rect=False, conf=0.001, iou=0.7, max_det=300, batch=1, workers=0, device="cpu",
    save_json=True, plots=False, project=project, name="val",
)
"""


def digits(root: Path) -> Path:
    """The bundled data in YOLO form: split folders below `images` and `labels`."""
    return as_yolo(root, "images/val", "labels/val", {"train": "images/val", "val": "images/val"})


def roboflow(root: Path) -> Path:
    """The same as Roboflow exports it: a folder for each split, and paths that lead out of the folder."""
    return as_yolo(root, "valid/images", "valid/labels", {"train": "../valid/images", "val": "../valid/images"})


def coco256(root: Path) -> Path:
    """A copy of the COCO images, since Ultralytics writes beside the labels."""
    if not (YOLO26N.exists() and COCO256.exists()):
        pytest.skip(f"needs {YOLO26N} and {COCO256}; set QUANTGATE_WEIGHTS and QUANTGATE_DATA")
    for kind in ("images", "labels"):
        shutil.copytree(COCO256 / kind / "val2017", root / kind / "val2017")
    names = yaml.safe_load((COCO256 / "coco256.yaml").read_text())["names"]
    return declared(root, names, {"train": "images/val2017", "val": "images/val2017"})


def as_yolo(root: Path, images: str, labels: str, splits: dict[str, str]) -> Path:
    """The bundled data set, copied into these folders."""
    made = load_scored(BUNDLED_DATA["digits"])
    (root / images).mkdir(parents=True)
    (root / labels).mkdir(parents=True)
    numbers = {number: at for at, number in enumerate(sorted(made.categories))}
    for image in made.images:
        shutil.copy(image.path, root / images)
        rows = []
        for row in made.annotations:
            if row["image_id"] == image.id:
                x, y, w, h = row["bbox"]
                centre = ((x + w / 2) / image.width, (y + h / 2) / image.height)
                rows.append(
                    f"{numbers[row['category_id']]} {centre[0]} {centre[1]} {w / image.width} {h / image.height}"
                )
        (root / labels / f"{Path(image.path).stem}.txt").write_text("\n".join(rows))
    return declared(root, [made.categories[number] for number in sorted(made.categories)], splits)


def declared(root: Path, names: object, splits: dict[str, str]) -> Path:
    """A data.yaml."""
    (root / "data.yaml").write_text(yaml.safe_dump({"names": names, **splits}))
    return root / "data.yaml"


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("make", "weights", "size"),
    [
        (digits, BUNDLED_WEIGHTS["yolo26n-digits"], 256),
        (roboflow, BUNDLED_WEIGHTS["yolo26n-digits"], 256),
        (coco256, YOLO26N, 640),
    ],
    ids=["digits", "roboflow", "coco256"],
)
def test_map_is_that_of_yolo_val(tmp_path: Path, make, weights: Path, size: int) -> None:
    data = make(tmp_path / "data")
    cells = matrix(str(weights), "fp32", "onnxruntime", imgsz=size)
    measured = Runner(Settings(tmp_path / "run", cache_folder())).accuracy(
        Suite("c", str(data), cells), tmp_path, cells[0]
    )
    assert measured.failure is None, measured.failure
    environment = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_AUTOINSTALL": "false"}
    command = [sys.executable, "-c", VAL, str(weights), str(data), str(size), str(tmp_path / "runs")]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-2000:]
    made = load_scored(data)
    found = detections_of(next((tmp_path / "runs").rglob("predictions.json")), made)
    theirs = by_pycocotools(made, found, [made.categories[number] for number in sorted(made.categories)])[0]
    print(json.dumps({"data": make.__name__, "quantgate": measured.metrics["map"], "yolo val": theirs}))
    assert measured.metrics["map"] == pytest.approx(theirs, abs=0.001)


def detections_of(predictions: Path, made: Dataset) -> list[Detections]:
    """What Ultralytics has found, image by image. Its category ids start at 1."""
    rows: dict[str, list[list[float]]] = {}
    for row in json.loads(predictions.read_text()):
        x, y, w, h = row["bbox"]
        rows.setdefault(row["file_name"], []).append([x, y, x + w, y + h, row["score"], row["category_id"] - 1])
    tables = [np.array(rows.get(Path(image.path).name, []), np.float32).reshape(-1, 6) for image in made.images]
    return [Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64)) for table in tables]
