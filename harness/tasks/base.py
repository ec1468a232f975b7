"""What the tasks share: the layouts of outputs, detections, and the protocol of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.dataset import Dataset, Image
from harness.tasks.preprocess import Fit

Layout = Literal["raw", "e2e", "yolov5", "yolox"]
"""The family of a detector, told by the layout of its output. N is the batch; an anchor is one candidate box.

`raw`: [N, 4 + classes, anchors], centre-size boxes and class scores (YOLOv8, YOLO11, YOLO26 one-to-many); needs NMS.
`e2e`: [N, max_det, 6], corner boxes, score, class (YOLO26 end to end); needs no NMS.
`yolov5`: [N, anchors, 5 + classes], centre-size boxes, objectness, class scores; three anchors per grid cell.
`yolox`: [N, anchors, 5 + classes], with the columns of `yolov5`; one anchor per grid cell, boxes relative to their cell
(YOLOX exported without decoding). Its input is BGR in 0–255. Its images are letterboxed centred, as for every family
here, where YOLOX's own demo pads right and below.
"""

LAYOUTS: tuple[Layout, ...] = Layout.__args__  # type: ignore[attr-defined]
"""Every layout, in the order of messages."""

Floats = NDArray[np.float32]
"""An array of 32-bit floats."""

Mask = NDArray[np.int32]
"""COCO's run lengths, not compressed: numbers of pixels off and on in turn, column by column; the first are off."""


@dataclass(frozen=True)
class Content:
    """What the file of a model says of it."""

    classes: int | None = None  # number of classes; None: the file does not say
    task: str = "detect"  # name of a task
    points: tuple[int, int] = (0, 0)  # of "pose": key points, and numbers per point: x, y and maybe visibility


@dataclass(frozen=True)
class OutputLayout:
    """How the outputs of a model are read: its layout, and where everything is."""

    layout: Layout
    output: int  # index of the output with the detections
    classes: int | None  # number of classes, as the shape tells it; None: e2e, whose shape does not
    extra: int = 0  # numbers per detection behind its classes: mask coefficients or key points
    protos: int | None = None  # index of the output with mask prototypes [N, extra, H / 4, W / 4]
    points: tuple[int, int] = (0, 0)  # as in Content
    task: str = "detect"  # name of a task


@dataclass(frozen=True)
class Candidates:
    """The K detections of one image after NMS, in pixels of the network's input."""

    boxes: Floats  # [K, 4] x1, y1, x2, y2
    scores: Floats  # [K] from 0 to 1
    classes: NDArray[np.int64]  # [K] index into the model's names
    extra: Floats  # [K, E] mask coefficients or key points


@dataclass(frozen=True)
class Detections:
    """The K detections of one image, the highest score first."""

    boxes: Floats  # [K, 4] x1, y1, x2, y2 in pixels of the original image
    scores: Floats  # [K] from 0 to 1
    classes: NDArray[np.int64]  # [K] index into the model's names
    masks: tuple[Mask, ...] | None = None  # of a segmentation model: one mask per detection
    points: Floats | None = None  # of a pose model: [K, P, 3] x, y in pixels of the image, visibility from 0 to 1


class Task(Protocol):
    """What a model finds besides boxes, and all that depends on it. `detect.Detect` has the defaults."""

    name: str  # Ultralytics' name of the task
    truth: str  # the entry of a COCO annotation that holds the ground truth
    iou_type: str  # the iouType of pycocotools' COCOeval
    stats: Sequence[str]  # names of the numbers in COCOeval.stats, in its order

    def check(self, said: Content) -> None:
        """Check that the file of a model says what the task needs.

        Raises:
            ConfigError: it does not.
        """
        ...

    def finds(self, said: Content) -> str:
        """What an output holds besides boxes and classes, for a message: " and mask coefficients"; may be empty."""
        ...

    def extra(self, said: Content, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None] | None:
        """Where an output holds what the task adds.

        Args:
            said: what the file of the model says.
            shapes: of all outputs.

        Returns:
            How many numbers stand behind the classes of a detection, and the index of the output with prototypes, if
            any; None where the outputs lack what the task needs.
        """
        ...

    def shape(
        self, chosen: Candidates, boxes: Floats, outputs: Sequence[NDArray[Any]], at: int, read: OutputLayout,
        place: Fit, size: Size, original: tuple[int, int],
    ) -> dict[str, Any]:  # fmt: skip
        """The fields of `Detections` besides boxes, scores and classes.

        Args:
            chosen: candidates of the image.
            boxes: [K, 4] boxes of the candidates, in pixels of the original image.
            outputs: the network's outputs for the whole batch.
            at: index of the image in the batch.
            read: how the outputs are read.
            place: where the image lies in the letterbox.
            size: height and width of the network's input, pixels.
            original: width and height of the image, pixels.
        """
        ...

    def ground_truth(self, dataset: Dataset) -> list[Mapping[str, Any]]:
        """The annotations with all that scores models of this task.

        Where the source gave no area, it is the area of the mask or of the box, or a share of the box for key points.

        Raises:
            ConfigError: an object lacks the ground truth of the task.
        """
        ...

    def expect(self, dataset: Dataset, said: Content) -> None:
        """Check that this data set can score a model whose file says `said`.

        Raises:
            ConfigError: it cannot.
        """
        ...

    def declared_sigmas(self, dataset: Dataset) -> tuple[float, ...]:
        """The sigmas of key points that the data set declares for this task; empty for tasks without key points."""
        ...

    def oks_sigmas(self, dataset: Dataset) -> NDArray[np.float64] | None:
        """How far each key point may be off, [P]; None: COCO's own sigmas, or a task without key points."""
        ...

    def counted(self, annotations: Sequence[dict[str, Any]]) -> None:
        """Add, in place, the entries of annotations by which COCO knows what to ignore."""
        ...

    def annotation(self, image: Image, found: Detections, k: int, bbox: Sequence[float]) -> dict[str, Any]:
        """The entries of a COCO annotation that say where a detection is, as `COCO.loadRes` would add them.

        Args:
            image: the image.
            found: its detections.
            k: index of the detection.
            bbox: its x, y, width, height in pixels.
        """
        ...

    def pack(self, found: Sequence[Detections]) -> dict[str, NDArray[Any]]:
        """Arrays for a file besides boxes, scores and classes; empty where no detection is of this task."""
        ...

    def unpack(self, stored: Mapping[str, NDArray[Any]], found: Sequence[Detections]) -> list[Detections]:
        """The detections with what `pack` stored, for each image in order; unchanged where it stored nothing."""
        ...
