"""What networks are fed, and how detections are read from their outputs. Every backend shares this code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.errors import ConfigError
from harness.core.suite import Decoding
from harness.tasks.base import Candidates, Detections, Floats, OutputLayout
from harness.tasks.grids import corners_and_strides, strides_of
from harness.tasks.parts import ROWS, Parts, parts, sigmoid
from harness.tasks.preprocess import fit
from harness.tasks.registry import task

MAX_CANDIDATES = 30_000  # NMS looks at so many candidates, the highest scores first: Ultralytics' max_nms
DECODING_VERSION = 2  # in the cache keys of pixels and scores; goes up when `tasks/` changes either


def prepare(batch: NDArray[np.float32], bgr_bytes: bool) -> NDArray[np.float32]:
    """The network's input: the pixels in the colour order and the range that the family was trained on.

    Args:
        batch: [N, 3, H, W] RGB in [0, 1], as `normalize` gives it; returned as it is where the family takes it so.
        bgr_bytes: as in `OutputLayout`.
    """
    return np.ascontiguousarray(batch[:, ::-1] * np.float32(255)) if bgr_bytes else batch


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

    Raises:
        ConfigError: a class number or a score is none, so that the reading cannot be right.
    """
    seen = parts(outputs, reading)
    choose = _rows if reading.layout in ROWS else _anchors
    found = []
    for at, original in enumerate(originals):
        chosen = choose(seen, at, reading, decoding, size)
        found.append(to_image(chosen, outputs, at, reading, size, original))
    return found


def _anchors(seen: Parts, at: int, reading: OutputLayout, decoding: Decoding, size: Size) -> Candidates:
    """The candidates of an image whose anchors have a score for every class, as in COCO scoring."""
    scores, floor = seen.scores[at], decoding.conf
    if reading.logits:
        floor = float(np.log(floor / (1 - floor))) if 0 < floor < 1 else -np.inf
    elif seen.objectness is not None:
        scores = scores * seen.objectness[at]
    best = scores.max(axis=0)
    possible = np.flatnonzero(best > floor)  # few anchors see anything
    confident = scores[:, possible]
    if reading.logits:
        confident = sigmoid(confident)
        if seen.objectness is not None:
            confident *= sigmoid(seen.objectness[at][possible])
    boxes = _pixels(seen.boxes[at][:, possible], possible, seen.boxes.shape[2], reading, size)
    sound = np.isfinite(boxes).all(axis=0) & np.isfinite(confident).all(axis=0)
    dropped = int(np.isnan(best).sum()) + int((~sound).sum())
    if not sound.all():
        possible, confident, boxes = possible[sound], confident[:, sound], boxes[:, sound]
    classes, which = np.nonzero(confident > decoding.conf)
    kept = _best(boxes[:, which].T, confident[classes, which], classes, reading.nms, decoding)
    extra = _extra(seen.extra[at][:, possible[which[kept]]].T, reading, size)
    return Candidates(
        boxes[:, which[kept]].T, confident[classes, which][kept], classes[kept].astype(np.int64), extra, dropped
    )


def _rows(seen: Parts, at: int, reading: OutputLayout, decoding: Decoding, size: Size) -> Candidates:
    """The candidates of an image from rows with one score and one class number each."""
    assert seen.labels is not None
    scores = sigmoid(seen.scores[at, 0]) if reading.logits else seen.scores[at, 0]
    missing = int(np.isnan(scores).sum())
    rows = np.flatnonzero(scores > decoding.conf)
    scores, labels = scores[rows], seen.labels[at][rows]
    boxes = _pixels(seen.boxes[at][:, rows], rows, seen.boxes.shape[2], reading, size).T
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & np.isfinite(labels)
    rows, boxes, scores, labels = rows[sound], boxes[sound], scores[sound], labels[sound]
    _expect_numbers(labels, reading)
    classes = np.rint(labels).astype(np.int64)
    kept = _best(boxes, scores, classes, reading.nms, decoding)
    extra = _extra(seen.extra[at][:, rows[kept]].T, reading, size)
    return Candidates(boxes[kept], scores[kept], classes[kept], extra, missing + int((~sound).sum()))


def as_raw(outputs: Sequence[NDArray[Any]], reading: OutputLayout, size: Size) -> Floats:
    """The outputs in the form of a raw output, [N, 4 + C + E, A] of its own memory; `reading` is no layout of ROWS."""
    seen = parts(outputs, reading)
    every = np.arange(seen.boxes.shape[2])
    scores = sigmoid(seen.scores) if reading.logits else seen.scores
    if seen.objectness is not None:
        scores = scores * (sigmoid(seen.objectness) if reading.logits else seen.objectness)[:, None]
    corners = np.stack([_pixels(boxes, every, len(every), reading, size) for boxes in seen.boxes])
    low, high = corners[:, :2], corners[:, 2:]
    raw: Floats = np.concatenate([(low + high) / 2, high - low, scores, seen.extra], axis=1, dtype=np.float32)
    return raw


def _best(
    boxes: Floats, scores: Floats, classes: NDArray[np.int64], nms: bool, decoding: Decoding
) -> NDArray[np.int64]:
    """The indices of the detections of an image, the best first: after NMS by class where it is still to be done."""
    import cv2

    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    if not nms or not len(order):
        return order[: decoding.max_det]
    boxes, scores, classes = boxes[order], scores[order], classes[order]
    # OpenCV separates the classes by shifting their boxes, which is right only for coordinates ≥ 0.
    corner = boxes[:, :2] - boxes[:, :2].min(axis=0, initial=0)
    rectangles: Any = np.concatenate([corner, boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    keep = cv2.dnn.NMSBoxesBatched(rectangles, scores.tolist(), classes.tolist(), 0.0, decoding.iou)
    return order[np.asarray(keep, np.int64).reshape(-1)[: decoding.max_det]]


def _pixels(boxes: Floats, which: NDArray[np.int64], anchors: int, reading: OutputLayout, size: Size) -> Floats:
    """Boxes [4, K] as corners in pixels of the network's input; `which` are the anchors that they are of."""
    height, width = size
    placed: Floats = boxes
    if reading.relative:
        strides = strides_of(anchors, size)
        assert strides is not None  # `candidates` has asked
        corners, stride = corners_and_strides(size, strides)
        own = stride[which]
        with np.errstate(over="ignore"):
            placed = np.concatenate([(boxes[:2] + corners[which].T) * own, np.exp(boxes[2:]) * own])
    elif reading.fractions:
        unit = [height, width] if reading.y_first else [width, height]
        placed = boxes * np.array(unit * 2, np.float32)[:, None]
    if not reading.corners:
        with np.errstate(invalid="ignore"):  # of infinite boxes, which are left out
            corner = placed[:2] - placed[2:] / 2
            placed = np.concatenate([corner, corner + placed[2:]])
    ordered: Floats = placed[[1, 0, 3, 2]] if reading.y_first else placed
    return ordered


def _extra(extra: Floats, reading: OutputLayout, size: Size) -> Floats:
    """What stands behind the classes of K detections, [K, E], with key points in pixels of the network's input."""
    if not reading.point_fractions:
        return extra
    points: Floats = extra.reshape(len(extra), *reading.points).copy()
    points[..., :2] *= np.array([size[1], size[0]], np.float32)
    return points.reshape(len(extra), -1)


def _expect_numbers(labels: Floats, reading: OutputLayout) -> None:
    """Raise ConfigError for class numbers that the model cannot have."""
    if not len(labels):
        return
    high, low, odd = labels.max(), labels.min(), np.abs(labels - np.rint(labels)).max()
    if low < -0.5 or (reading.classes is not None and high >= reading.classes - 0.5):
        worst = low if low < -0.5 else high
        raise ConfigError(
            f"a row of the {reading.layout} output has class number {worst:g}, and the model has "
            f"{reading.classes or 'no negative'} classes: say how it is read, Model(…, family=…)"
        )
    if odd > 0.01 and high <= 1 and reading.classes in (1, 2):
        raise ConfigError(
            f"class numbers of the {reading.layout} output are not whole, such as {float(high):.3g}: say how it is "
            f"read, Model(…, family=…)"
        )


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
    return Detections(boxes, chosen.scores, chosen.classes, dropped=chosen.dropped, **more)
