"""What the tasks share: layouts of outputs, detections, and the protocol of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset, Image
from harness.tasks.preprocess import Fit

Layout = Literal["raw", "e2e", "yolov5", "yolox"]
"""`raw`: [N, 4 + classes, anchors], centre-size boxes (YOLOv8, YOLO11, YOLO26 one-to-many); needs NMS.
`e2e`: [N, max_det, 6], corner boxes, score, class (YOLO26 end to end).
`yolov5`: [N, anchors, 5 + classes], centre-size boxes, objectness, class scores; three anchors a cell.
`yolox`: the same columns, one anchor a cell, boxes relative to their cell (YOLOX exported without decoding); its input
is BGR in 0–255. It is letterboxed centred as every family here, where YOLOX's own demo pads right and below."""

LAYOUTS: tuple[Layout, ...] = Layout.__args__  # type: ignore[attr-defined]

Floats = NDArray[np.float32]
Mask = NDArray[np.int32]
"""COCO's run lengths, not compressed: pixels off and on in turn, column by column, beginning with those off."""


@dataclass(frozen=True)
class Content:
    """What a model's file says of itself."""

    classes: int | None = None  # how many; None: it does not say
    task: str = "detect"
    points: tuple[int, int] = (0, 0)  # of "pose": key points, and the numbers that each has: x, y and maybe visibility


@dataclass(frozen=True)
class OutputLayout:
    """How the outputs of a model are read."""

    layout: Layout
    output: int  # which of the outputs holds the detections
    classes: int | None  # as many as its shape tells; e2e's does not
    extra: int = 0  # numbers of a detection behind its classes: mask coefficients, or its key points
    protos: int | None = None  # the output with the masks' prototypes [N, extra, S / 4, S / 4]
    points: tuple[int, int] = (0, 0)  # as of Content
    task: str = "detect"


@dataclass(frozen=True)
class Candidates:
    """The detections of one image after NMS, in pixels of the network's input."""

    boxes: Floats  # [K, 4] x1, y1, x2, y2
    scores: Floats  # [K]
    classes: NDArray[np.int64]  # [K]
    extra: Floats  # [K, E] mask coefficients or key points


@dataclass(frozen=True)
class Detections:
    """What a detector says about one image, best first."""

    boxes: Floats  # [K, 4] x1, y1, x2, y2 in pixels of the original image
    scores: Floats  # [K]
    classes: NDArray[np.int64]  # [K] index into the model's names
    masks: tuple[Mask, ...] | None = None  # of a segmentation model, one a detection
    points: Floats | None = None  # of a pose model: [K, P, 3] x, y in pixels, and visibility from 0 to 1


class Task(Protocol):
    """What a model finds besides boxes, and everything that depends on it. `detect.Detect` has the defaults."""

    name: str  # as Ultralytics calls it
    truth: str  # the entry of a COCO annotation that is its ground truth
    iou_type: str  # of pycocotools' COCOeval
    stats: Sequence[str]  # names of COCOeval.stats, in its order

    def check(self, said: Content) -> None:
        """Raise ConfigError where a model's file does not say what the task needs."""
        ...

    def finds(self, said: Content) -> str:
        """What an output holds besides boxes, for a message: " and mask coefficients"."""
        ...

    def extra(self, said: Content, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None] | None:
        """The numbers behind the classes of a detection, and the output with prototypes; None where they are absent."""
        ...

    def shape(
        self, chosen: Candidates, boxes: Floats, outputs: Sequence[NDArray[Any]], at: int, read: OutputLayout,
        place: Fit, size: int, original: tuple[int, int],
    ) -> dict[str, Any]:  # fmt: skip
        """The fields of `Detections` besides boxes, scores and classes.

        Args:
            chosen: candidates of the image.
            boxes: [K, 4] their boxes in pixels of the original image.
            outputs: of the network, for the whole batch.
            at: which image of the batch.
            read: how the outputs are read.
            place: where the image lies in the letterbox.
            size: side of the network's input, pixels.
            original: width and height of the image, pixels.
        """
        ...

    def ground_truth(self, dataset: Dataset) -> list[Mapping[str, Any]]:
        """The annotations with everything that models of this task are scored by.

        Where the source gave no area, it is the area of the mask or box, or what key points leave of the box.

        Raises:
            ConfigError: an object lacks it.
        """
        ...

    def expect(self, dataset: Dataset, said: Content) -> None:
        """Raise ConfigError where the model cannot be scored on this data set."""
        ...

    def declared_sigmas(self, dataset: Dataset) -> tuple[float, ...]:
        """The part of `Dataset.sigmas` that scores this task."""
        ...

    def oks_sigmas(self, dataset: Dataset) -> NDArray[np.float64] | None:
        """How far each key point may be off; None for COCO's own, and for tasks without key points."""
        ...

    def counted(self, annotations: Sequence[dict[str, Any]]) -> None:
        """Add to annotations the entries by which COCO knows what to ignore."""
        ...

    def annotation(self, image: Image, found: Detections, k: int, bbox: Sequence[float]) -> dict[str, Any]:
        """Where detection `k` is, as `COCO.loadRes` would add it; `bbox` is x, y, width, height in pixels."""
        ...

    def pack(self, found: Sequence[Detections]) -> dict[str, NDArray[Any]]:
        """Arrays for a file, besides boxes, scores and classes; empty without detections of this task."""
        ...

    def unpack(self, stored: Mapping[str, NDArray[Any]], found: Sequence[Detections]) -> list[Detections]:
        """The detections with what `pack` stored; unchanged where it stored nothing."""
        ...
