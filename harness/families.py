"""Pre- and post-processing of the detector families, written once and used for every backend.

The geometry is Ultralytics' letterbox: scale the longer side to the network input, pad with 114, centred. Rounding it
in two places moves mAP in the third digit (FACTS.md), so both directions use `fit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.declarations import LAYOUTS, Decoding, Layout
from harness.errors import ConfigError

STRIDES = (8, 16, 32)  # of the three feature maps of all these families

PAD = 114  # grey level of the letterbox border, as in training
MAX_CANDIDATES = 30_000  # the highest scoring candidates that NMS looks at, as Ultralytics' max_nms
DECODING_VERSION = 1  # part of the key of everything that depends on this file


@dataclass(frozen=True)
class Fit:
    """Where an image lies inside the square network input."""

    ratio: float  # input pixels per image pixel
    left: int  # columns of padding on the left
    top: int  # rows of padding on top
    width: int  # columns covered by the image
    height: int  # rows covered by the image


def fit(width: int, height: int, size: int) -> Fit:
    """Letterbox geometry of an image of `width` × `height` pixels in a square of `size` pixels."""
    ratio = min(size / height, size / width)
    new_width, new_height = max(1, round(width * ratio)), max(1, round(height * ratio))
    left, top = round((size - new_width) / 2 - 0.1), round((size - new_height) / 2 - 0.1)
    return Fit(ratio, left, top, new_width, new_height)


def letterbox(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """BGR image [H, W, 3] → RGB network input [3, size, size], still in bytes."""
    import cv2

    height, width = image.shape[:2]
    place = fit(width, height, size)
    if (place.width, place.height) != (width, height):
        image = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((size, size, 3), PAD, np.uint8)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = image
    return np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1))


def normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes [N, 3, S, S] → what a session takes: float32 in [0, 1], contiguous."""
    scaled: NDArray[np.float32] = np.ascontiguousarray(pixels, np.float32)
    scaled /= np.float32(255)
    return scaled


@dataclass(frozen=True)
class Detections:
    """What a detector says about one image, best first."""

    boxes: NDArray[np.float32]  # [K, 4] x1, y1, x2, y2 in pixels of the original image
    scores: NDArray[np.float32]  # [K]
    classes: NDArray[np.int64]  # [K] index into the model's names


@dataclass(frozen=True)
class Reading:
    """How the outputs of a detector are read."""

    layout: Layout
    output: int  # which of the outputs holds the detections
    classes: int | None  # as many as its shape tells; e2e's does not


def read_outputs(shapes: Sequence[tuple[int, ...]], classes: int | None, size: int, declared: str = "") -> Reading:
    """The first output that fits a family; `declared` names the family where the model's user did.

    Raises:
        ConfigError: none fits; the shapes are named.
    """
    for output, shape in enumerate(shapes):
        layout = _as_declared(shape, classes, size, declared) if declared else layout_of(shape, classes, size)
        if layout:
            return Reading(layout, output, _classes(layout, shape))
    seen = ", ".join("×".join(map(str, shape)) for shape in shapes)
    wanted = f"the family {declared!r}" if declared else f"any known family ({', '.join(LAYOUTS)})"
    having = f" with {classes} classes" if classes else ""
    raise ConfigError(f"output of shape {seen} does not fit {wanted}{having} at {size} px")


def layout_of(shape: tuple[int, ...], classes: int | None, size: int) -> Layout | None:
    """The family that an output of `shape` belongs to, or None. `classes` None: unknown, told by the anchors alone."""
    if len(shape) != 3:
        return None
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    if shape[1] == 4 + classes if classes else shape[2] == cells and shape[1] > 4:
        return "raw"
    for layout, anchors in (("yolov5", 3 * cells), ("yolox", cells)):
        if shape[1] == anchors and (shape[2] == 5 + classes if classes else shape[2] > 5):
            return layout  # type: ignore[return-value]
    return "e2e" if shape[2] == 6 else None


def _as_declared(shape: tuple[int, ...], classes: int | None, size: int, declared: str) -> Layout | None:
    """The declared family where an output of `shape` can be one: with other strides too, where boxes need none."""
    if len(shape) != 3:
        return None
    _, first, last = shape
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    columns = last == 5 + classes if classes else first > last > 5
    fits = {
        "raw": first == 4 + classes if classes else last > first > 4,
        "e2e": last == 6,
        "yolov5": columns and first != cells,  # a box a cell is YOLOX's
        "yolox": columns and first == cells,
    }
    return declared if fits[declared] else None  # type: ignore[return-value]


def input_layout(shapes: Sequence[tuple[int, ...]], size: int) -> Layout:
    """The family as far as its input goes, where the number of classes is not known; see `prepare`."""
    return "yolox" if any(layout_of(shape, None, size) == "yolox" for shape in shapes) else "raw"


def _classes(layout: Layout, shape: tuple[int, ...]) -> int | None:
    return {"raw": shape[1] - 4, "yolov5": shape[2] - 5, "yolox": shape[2] - 5}.get(layout)


def prepare(batch: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """RGB in [0, 1], as `normalize` gives it → what the family was trained on."""
    return np.ascontiguousarray(batch[:, ::-1] * np.float32(255)) if layout == "yolox" else batch


def decode(
    output: NDArray[np.float32], layout: Layout, decoding: Decoding, size: int, originals: list[tuple[int, int]]
) -> list[Detections]:
    """Output of a batch → detections in original pixels; `originals` holds (width, height) per image."""
    if layout in ("yolov5", "yolox"):
        output = _as_raw(output, layout, size)
    candidates = _end_to_end if layout == "e2e" else _raw
    return [_to_image(*candidates(output[i], decoding), size, *wh) for i, wh in enumerate(originals)]


def _as_raw(output: NDArray[np.float32], layout: Layout, size: int) -> NDArray[np.float32]:
    """[N, anchors, 5 + C] → [N, 4 + C, anchors]: a class's score is objectness × its own."""
    boxes, scores = output[..., :4], output[..., 4:5] * output[..., 5:]
    if layout == "yolox":
        sides = [size // stride for stride in STRIDES]
        corner = np.concatenate([np.stack(np.meshgrid(range(n), range(n)), -1).reshape(-1, 2) for n in sides])
        stride = np.repeat(STRIDES, [n * n for n in sides])[:, None]
        boxes = np.concatenate([(boxes[..., :2] + corner) * stride, np.exp(boxes[..., 2:]) * stride], axis=-1)
    raw: NDArray[np.float32] = np.concatenate([boxes, scores], axis=-1, dtype=np.float32).transpose(0, 2, 1)
    return raw


Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def _raw(prediction: NDArray[np.float32], decoding: Decoding) -> Candidates:
    """[4 + C, A] → boxes, scores, classes after class-wise NMS; a box may carry several classes, as in COCO scoring."""
    import cv2

    possible = np.flatnonzero(prediction[4:].max(axis=0) > decoding.conf)  # few anchors see anything
    prediction = prediction[:, possible]
    classes, anchors = np.nonzero(prediction[4:] > decoding.conf)
    scores = prediction[4:][classes, anchors]
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    classes, anchors, scores = classes[order], anchors[order], scores[order]
    centre, extent = prediction[:2, anchors].T, prediction[2:4, anchors].T
    corner = centre - extent / 2
    # OpenCV separates the classes by shifting boxes, which holds for coordinates ≥ 0 only.
    shifted = corner - corner.min(axis=0, initial=0)
    rectangles: Any = np.concatenate([shifted, extent], axis=1).astype(np.float64)
    keep = (
        cv2.dnn.NMSBoxesBatched(rectangles, scores.tolist(), classes.tolist(), 0.0, decoding.iou) if len(scores) else ()
    )
    kept = np.asarray(keep, np.int64).reshape(-1)[: decoding.max_det]
    boxes = np.concatenate([corner, corner + extent], axis=1)
    return boxes[kept], scores[kept], classes[kept].astype(np.int64)


def _end_to_end(prediction: NDArray[np.float32], decoding: Decoding) -> Candidates:
    """[D, 6] → boxes, scores, classes; the network has already chosen one box per object."""
    rows = prediction[prediction[:, 4] > decoding.conf]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][: decoding.max_det]
    return rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)


def _to_image(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    size: int,
    width: int,
    height: int,
) -> Detections:
    place = fit(width, height, size)
    boxes = (boxes - np.array([place.left, place.top] * 2, np.float32)) / np.float32(place.ratio)
    np.clip(boxes, 0, np.array([width, height] * 2, np.float32), out=boxes)
    return Detections(boxes, scores, classes)
