"""What a suite says about its models and images besides the matrix: calibration, training, decoding."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Literal

from harness.core.errors import ConfigError


@dataclass(frozen=True)
class Calibration:
    """The images that static int8 is calibrated on. All of it is in the artifact's key and in the results."""

    images: int = 64  # how many; fewer are an error
    data: str = ""  # a data set, a folder or a .txt list of images; empty: the train split of the suite's data set
    order: Literal["id", "random"] = "id"  # which of them: the first by image id, or a draw by `seed`
    seed: int = 0
    allow_overlap: bool = False  # scored images may be among them, with a note in the table

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ConfigError(f"{self}: calibrate on one image or more")
        if self.order not in ("id", "random"):
            raise ConfigError(f"{self}: order is 'id' or 'random'")


@dataclass(frozen=True)
class Qat:
    """Quantization-aware training of a model: how its `int8-qat` cells are fine-tuned from the fp32 checkpoint."""

    epochs: int = 5
    data: str = ""  # a data set with a train split; empty: the suite's own
    lr: float = 2e-5  # peak learning rate of AdamW; about what the float training ended with
    batch: int = 16  # training images per step
    images: int = 0  # the first N training images, 0 for all of them
    seed: int = 0
    checkpoint: str = ""  # a checkpoint that was trained so already, by path or bundled name: nothing is trained

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or self.images < 0 or not 0 < self.lr < 1:
            raise ConfigError(f"{self}: epochs and batch must be ≥ 1, images ≥ 0, lr between 0 and 1")


@dataclass(frozen=True)
class Model:
    """A model of a matrix that carries more than its name."""

    weights: str | PathLike[str]  # as matrix() takes it: a path or a name, ":HEAD" behind it
    qat: Qat | None = None  # what its int8-qat cells are made by


@dataclass(frozen=True)
class Decoding:
    """Post-processing thresholds, the same for every backend."""

    conf: float = 0.001  # keep candidates above this score
    iou: float = 0.7  # NMS overlap, intersection over union
    max_det: int = 300  # detections kept per image


Task = Literal["detect", "segment", "pose"]
"""What a model finds beside boxes: nothing, masks, key points. Ultralytics' names."""

TASKS: tuple[Task, ...] = Task.__args__  # type: ignore[attr-defined]

Layout = Literal["raw", "e2e", "yolov5", "yolox"]
"""`raw`: [N, 4 + classes, anchors], centre-size boxes (YOLOv8, YOLO11, YOLO26 one-to-many); needs NMS.
`e2e`: [N, max_det, 6], corner boxes, score, class (YOLO26 end to end).
`yolov5`: [N, anchors, 5 + classes], centre-size boxes, objectness, class scores; three anchors a cell.
`yolox`: the same columns, one anchor a cell, boxes relative to their cell (YOLOX exported without decoding); its input
is BGR in 0–255. It is letterboxed centred as every family here, where YOLOX's own demo pads right and below."""

LAYOUTS: tuple[Layout, ...] = Layout.__args__  # type: ignore[attr-defined]
