"""The families of detectors: what their networks are fed, and how detections are read from their outputs.

Every backend shares this code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.suite import Decoding
from harness.tasks.base import Candidates, Detections, Layout, OutputLayout
from harness.tasks.outputs import STRIDES
from harness.tasks.preprocess import fit
from harness.tasks.registry import task

MAX_CANDIDATES = 30_000  # NMS looks at so many candidates, the highest scores first: Ultralytics' max_nms
DECODING_VERSION = 2  # in the cache keys of pixels and scores; goes up when `tasks/` changes either


def prepare(batch: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """The network's input: the pixels in the colour order and the range that the family was trained on.

    Args:
        batch: [N, 3, H, W] RGB in [0, 1], as `normalize` gives it; returned as it is where the family takes it so.
        layout: the family.
    """
    return np.ascontiguousarray(batch[:, ::-1] * np.float32(255)) if layout == "yolox" else batch


def decode(
    outputs: Sequence[NDArray[Any]],
    reading: OutputLayout,
    decoding: Decoding,
    size: Size,
    originals: Sequence[tuple[int, int]],
) -> list[Detections]:
    """The detections of each image of a batch, in pixels of the image.

    Args:
        outputs: the network's outputs.
        reading: how they are read.
        decoding: thresholds.
        size: height and width of the network's input, pixels.
        originals: width and height of each image, pixels; rows of the batch beyond them are padding.
    """
    output = outputs[reading.output].astype(np.float32, copy=False)
    if reading.layout in ("yolov5", "yolox"):
        output = _as_raw(output, reading.layout, size)
    found = []
    for i, original in enumerate(originals):
        chosen = _end_to_end(output[i], decoding) if reading.layout == "e2e" else _raw(output[i], reading, decoding)
        found.append(to_image(chosen, outputs, i, reading, size, original))
    return found


def _as_raw(output: NDArray[np.float32], layout: Layout, size: Size) -> NDArray[np.float32]:
    """[N, anchors, 5 + C] → [N, 4 + C, anchors]. The score of a class is objectness × class score."""
    boxes, scores = output[..., :4], output[..., 4:5] * output[..., 5:]
    if layout == "yolox":
        grids = [(size[0] // stride, size[1] // stride) for stride in STRIDES]
        corner = np.concatenate([np.stack(np.meshgrid(range(w), range(h)), -1).reshape(-1, 2) for h, w in grids])
        stride = np.repeat(STRIDES, [h * w for h, w in grids])[:, None]
        boxes = np.concatenate([(boxes[..., :2] + corner) * stride, np.exp(boxes[..., 2:]) * stride], axis=-1)
    raw: NDArray[np.float32] = np.concatenate([boxes, scores], axis=-1, dtype=np.float32).transpose(0, 2, 1)
    return raw


def _raw(prediction: NDArray[np.float32], reading: OutputLayout, decoding: Decoding) -> Candidates:
    """[4 + C + E, A] → candidates after NMS by class. A box may carry several classes, as in COCO scoring."""
    import cv2

    split = len(prediction) - reading.extra
    possible = np.flatnonzero(prediction[4:split].max(axis=0) > decoding.conf)  # few anchors see anything
    prediction = prediction[:, possible]
    confident = prediction[4:split]
    classes, anchors = np.nonzero(confident > decoding.conf)
    scores = confident[classes, anchors]
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    classes, anchors, scores = classes[order], anchors[order], scores[order]
    centre, extent = prediction[:2, anchors].T, prediction[2:4, anchors].T
    corner = centre - extent / 2
    # OpenCV separates the classes by shifting their boxes, which is right only for coordinates ≥ 0.
    shifted = corner - corner.min(axis=0, initial=0)
    rectangles: Any = np.concatenate([shifted, extent], axis=1).astype(np.float64)
    keep = (
        cv2.dnn.NMSBoxesBatched(rectangles, scores.tolist(), classes.tolist(), 0.0, decoding.iou) if len(scores) else ()
    )
    kept = np.asarray(keep, np.int64).reshape(-1)[: decoding.max_det]
    boxes = np.concatenate([corner, corner + extent], axis=1)
    return Candidates(boxes[kept], scores[kept], classes[kept].astype(np.int64), prediction[split:, anchors[kept]].T)


def _end_to_end(prediction: NDArray[np.float32], decoding: Decoding) -> Candidates:
    """[D, 6 + E] → candidates. The network itself has chosen one box per object."""
    rows = prediction[prediction[:, 4] > decoding.conf]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][: decoding.max_det]
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64), rows[:, 6:])


def to_image(
    chosen: Candidates,
    outputs: Sequence[NDArray[Any]],
    at: int,
    reading: OutputLayout,
    size: Size,
    original: tuple[int, int],
) -> Detections:
    """The candidates of one image as detections, in pixels of the image and within its border.

    Args:
        chosen: candidates of the image.
        outputs: the network's outputs for the whole batch.
        at: index of the image in the batch.
        reading: how the outputs are read.
        size: height and width of the network's input, pixels.
        original: width and height of the image, pixels.
    """
    width, height = original
    place = fit(width, height, size)
    boxes = (chosen.boxes - np.array([place.left, place.top] * 2, np.float32)) / np.float32(place.ratio)
    np.clip(boxes, 0, np.array([width, height] * 2, np.float32), out=boxes)
    more = task(reading.task).shape(chosen, boxes, outputs, at, reading, place, size, original)
    return Detections(boxes, chosen.scores, chosen.classes, **more)
