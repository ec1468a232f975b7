"""Whether the values of the first images fit a reading of a network's outputs, and what they tell about it.

Every rule asks a whole sample of candidate boxes, never one, and has a wide gap between the two answers. On yolo26n,
yolo11n and the digits, of all anchors read as centre and size 5 % have an extent above their centre and 6 % leave the
image by a tenth; of the same anchors as corners 100 % and 38 to 56 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Declared, Floats, OutputLayout
from harness.tasks.boxes import coded, spread_over_grid
from harness.tasks.grids import fills_grid, strides_of
from harness.tasks.parts import ROWS, Parts, parts, sigmoid

LIVE = 0.001  # rows of a lower score may be padding
ROUNDED_UP = 1.02  # scores up to here are rounding errors of a quantized output
NO_SCORE = 2.0  # no rounding error takes a probability beyond it
SURE = 0.3  # score from which on a network is sure of an object
PADDING = -1  # score and class number by which some exporters fill up rows
TWINS = 0.85  # IoU of two boxes of one object


@dataclass(frozen=True)
class Weighed:
    """A reading with all that the values tell."""

    reading: OutputLayout
    defect: str = ""  # how the values contradict the reading; empty: they fit
    doubt: str = ""  # what the values leave open; empty: nothing
    nothing: bool = False  # no row was filled, so that the values told nothing of the boxes
    sure: int = 0  # boxes of objects that the network is sure of
    uncounted: bool = False  # nobody says how many classes there are, and another reading fits with another number


def judge(
    reading: OutputLayout, outputs: Sequence[NDArray[Any]], sides: tuple[int, int], declared: Declared, head: str = "",
    chosen: bool = False,
) -> Weighed:  # fmt: skip
    """Hold a reading against the outputs of a few images.

    Args:
        reading: one that the shapes allow.
        outputs: of the network, for the images.
        sides: height and width of the network's input, pixels.
        declared: what the user says; it wins over what values can tell, and what contradicts it is a defect.
        head: Ultralytics' name of the head; empty: the file does not say.
        chosen: the file or the user says that the network leaves one box per object.
    """
    seen = parts(outputs, reading)
    judged = _scores(reading, seen, declared)
    sure = int((probabilities(seen, judged.reading) > SURE).sum())
    if not judged.defect and reading.layout in ROWS:
        judged = _then(judged, _labels(judged.reading, seen))
    if not judged.defect and reading.layout in ("yolox", "yolov6"):
        judged = _then(judged, _one_per_cell(judged.reading, seen, sides))
    if not judged.defect and not judged.reading.relative:
        judged = _then(judged, coded_as_seen(judged.reading, seen, sides, declared, head))
    if not judged.defect and reading.layout in ROWS and not judged.nothing:
        judged = _then(judged, _selection(judged.reading, seen, sides, chosen))
    return replace(judged, sure=sure)


def _then(before: Weighed, after: Weighed) -> Weighed:
    return replace(after, doubt=before.doubt or after.doubt, nothing=before.nothing or after.nothing)


def _noted(reading: OutputLayout, note: str) -> OutputLayout:
    return replace(reading, notes=(*reading.notes, note))


def _scores(reading: OutputLayout, seen: Parts, declared: Declared) -> Weighed:
    """Whether scores are probabilities or logits."""
    every = [seen.scores] if seen.objectness is None else [seen.scores, seen.objectness]
    if reading.layout in ROWS:
        every = [values[values != PADDING] for values in every]
    finite = [values[np.isfinite(values)] for values in every]
    low = min((float(values.min(initial=0)) for values in finite), default=0.0)
    high = max((float(values.max(initial=0)) for values in finite), default=0.0)
    negative = any(values.size and float((values < 0).mean()) > 0.5 for values in finite)
    if declared.scores == "logit":
        return Weighed(replace(reading, logits=True))
    if low < -1 and negative and not declared.scores:
        note = f"scores of the file are logits, from {low:.1f} to {high:.1f}: the sigmoid is applied"
        return Weighed(_noted(replace(reading, logits=True), note))
    if high >= NO_SCORE or low < -0.1:
        percent = ", but percentages" if 50 < high <= 100 and low >= 0 else ""
        return Weighed(reading, f"scores from {low:.3g} to {high:.3g} are no probabilities{percent}")
    if reading.layout in ("raw", "rtdetr") and _last_is_class(reading, seen):
        return Weighed(reading, "the scores of the last class are whole numbers, as class numbers are")
    if high > ROUNDED_UP:
        reading = _noted(reading, f"scores reach {high:.2f}, above 1")
    return Weighed(reading)


def _last_is_class(reading: OutputLayout, seen: Parts) -> bool:
    """Whether what would be the scores of the second of two classes are the class numbers of rows."""
    if reading.classes != 2:
        return False
    first, last = seen.scores[:, 0], seen.scores[:, 1]
    return bool((last == np.rint(last)).all() and last.any() and (first != np.rint(first)).any())


def _live(seen: Parts, reading: OutputLayout) -> NDArray[np.bool_]:
    """[N, A] rows that are filled: their numbers are finite, and their score is above 0."""
    floor = np.log(LIVE) if reading.logits else LIVE
    finite = np.isfinite(seen.boxes).all(axis=1) & np.isfinite(seen.scores).all(axis=1)
    with np.errstate(invalid="ignore"):
        live: NDArray[np.bool_] = finite & (seen.scores.max(axis=1) > floor)
    return live


def _labels(reading: OutputLayout, seen: Parts) -> Weighed:
    """Whether class numbers are whole numbers below the number of classes."""
    assert seen.labels is not None
    live = _live(seen, reading)
    labels = seen.labels[live]
    if not len(labels):
        if reading.class_first:
            return Weighed(reading, "no row has a score")
        numbers = seen.labels[np.isfinite(seen.labels)]
        if (numbers != np.rint(numbers)).any() and numbers.max() <= 1:
            return Weighed(reading, "no row has a score, and class numbers are not whole")
        return Weighed(reading, nothing=True)
    if not np.isfinite(labels).all():
        return Weighed(reading, "class numbers are not finite")
    low, high = float(labels.min()), float(labels.max())
    # A score of two classes may be 0 where the other is not: then only rows of the other class tell it from a number.
    every = labels if reading.labels is not None else seen.labels[(seen.boxes != 0).any(axis=1)]
    every = np.append(labels, every[np.isfinite(every)])
    odd = float(every[np.abs(every - np.rint(every)).argmax()])
    whole = odd == round(odd)  # to the last bit: scores near 0 are no class numbers
    if reading.classes is not None and not -0.5 <= low <= high < reading.classes - 0.5:
        one = ": they seem to count from 1" if low >= 0.5 and high == reading.classes else ""
        return Weighed(reading, f"class numbers from {low:g} to {high:.4g} do not fit {reading.classes} classes{one}")
    if low < -0.5:
        return Weighed(reading, f"class numbers from {low:g} are negative")
    if not whole and (high <= 1.5 or reading.class_first):
        return Weighed(reading, f"class numbers such as {odd:.3g} are not whole")
    if abs(odd - round(odd)) > 0.01:
        reading = _noted(reading, f"class numbers of the output are quantized, such as {odd:.2f}: they are rounded")
    if reading.class_first:
        reading = _noted(reading, "rows of the output are read as x1 y1 x2 y2 class score")
    return Weighed(reading)


def _one_per_cell(reading: OutputLayout, seen: Parts, sides: tuple[int, int]) -> Weighed:
    """Whether a network with one anchor per cell gives boxes relative to their cell, and what its objectness is."""
    assert seen.objectness is not None
    constant = bool((seen.objectness > 0.99).all())
    if reading.layout == "yolov6":
        return Weighed(reading, "" if constant else "the objectness is not 1 everywhere")
    strides = strides_of(seen.boxes.shape[2], sides)
    finite = seen.boxes[:, :, np.isfinite(seen.boxes).all(axis=(0, 1))]
    reach = float(np.abs(finite[:, :2]).max(initial=0))
    negative = float((finite < 0).any(axis=1).mean()) if finite.size else 0.0
    over_grid = strides is not None and spread_over_grid(seen.boxes, sides, strides)
    shrunk = float((finite[:, 2:] < 0).any(axis=1).mean()) if finite.size else 0.0  # decoded sizes are positive
    relative = reach <= max(sides) / 4 and (shrunk > 0.01 or (negative > 0.01 and not over_grid))
    if reading.relative:
        return Weighed(reading, "" if relative else "boxes are decoded already")
    if relative:
        return Weighed(reading, "boxes are relative to their cells")
    told = reach > max(sides) / 8 or over_grid
    return Weighed(reading, doubt="" if told else "whether boxes are decoded")


def coded_as_seen(
    reading: OutputLayout, seen: Parts, sides: tuple[int, int], declared: Declared, head: str = ""
) -> Weighed:
    """How boxes are coded, and in which unit; arguments as in `judge`."""
    if reading.layout in ROWS:
        which = _live(seen, reading)
    else:
        which = np.isfinite(seen.boxes).all(axis=1) & (seen.boxes != 0).any(axis=1)
    boxes, sure = seen.boxes.transpose(0, 2, 1)[which].T, probabilities(seen, reading)[which] > SURE
    if not boxes.shape[1]:
        corners = declared.boxes.startswith(("xyxy", "yxyx")) if declared.boxes else reading.corners
        fractions = declared.boxes.endswith("fraction") if declared.boxes else reading.fractions
        return Weighed(replace(reading, corners=corners, fractions=fractions), nothing=True)
    told, defect, doubt, note = coded(boxes, reading, sides, declared.boxes, head, sure)
    if seen.extra.shape[1] and told.points[0]:
        told = replace(told, point_fractions=told.fractions and _small_points(seen, told))
    return Weighed(_noted(told, note) if note else told, defect, doubt)


def probabilities(seen: Parts, reading: OutputLayout) -> Floats:
    """[N, A] the highest score of each candidate box, from 0 to 1; 0 where it is NaN."""
    best = seen.scores.max(axis=1)
    factors = [best] if seen.objectness is None else [best, seen.objectness]
    if reading.logits:
        factors = [sigmoid(one) for one in factors]
    told: Floats = np.nan_to_num(np.prod(factors, axis=0), nan=0.0)
    return told


def _small_points(seen: Parts, reading: OutputLayout) -> bool:
    """Whether no key point lies beyond two units."""
    points, numbers = reading.points
    shaped = seen.extra.reshape(len(seen.extra), points, numbers, -1)[:, :, :2]
    return bool(np.abs(shaped).max(initial=0) <= 2)


def _selection(reading: OutputLayout, seen: Parts, sides: tuple[int, int], chosen: bool) -> Weighed:
    """Whether rows are one per object, or one per anchor."""
    scores = seen.scores[:, 0]
    anchors = scores.shape[1]
    falling = bool((np.diff(scores, axis=1) <= 1e-6).all()) and anchors > 1
    dense = fills_grid(anchors, sides)
    if reading.layout == "deepstream":
        if not reading.corners:
            return Weighed(reading, "boxes are centre and size")
        return Weighed(reading, "rows are sorted by their scores, so they are chosen already" if falling else "")
    if chosen or reading.nms:
        return Weighed(reading)
    if dense and not falling and anchors > 1:
        return Weighed(reading, "there is a row for every anchor")
    repeated = sum(_duplicates(seen, reading, at) for at in range(len(scores)))
    sure = int((scores > SURE).sum())
    if repeated > 3 and repeated > 0.5 * sure:
        return Weighed(reading, f"{repeated} of {sure} rows with a score above {SURE} repeat the object of another row")
    return Weighed(reading)


def _duplicates(seen: Parts, reading: OutputLayout, at: int) -> int:
    """How many sure rows of an image have the class and, by an IoU above TWINS, the box of a row before them."""
    assert seen.labels is not None
    sure = np.flatnonzero(seen.scores[at, 0] > SURE)[:QUADRATIC]
    boxes = seen.boxes[at][:, sure].astype(np.float64)
    if not reading.corners:
        boxes = np.concatenate([boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2])
    low = np.maximum(boxes[:2, :, None], boxes[:2, None, :])
    high = np.minimum(boxes[2:, :, None], boxes[2:, None, :])
    inner = np.clip(high - low, 0, None).prod(axis=0)
    area = (boxes[2:] - boxes[:2]).prod(axis=0)
    outer = area[:, None] + area[None, :] - inner
    labels: Floats = np.rint(seen.labels[at][sure])
    same = (labels[:, None] == labels[None, :]) & (inner > TWINS * outer) & (outer > 0)
    return int(np.tril(same, -1).any(axis=1).sum())


QUADRATIC = 300  # so many rows of an image are compared with each other
