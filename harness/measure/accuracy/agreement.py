"""Two sets of detections of the same images, compared without ground truth: do they say the same?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.accuracy.box_iou import box_iou
from harness.tasks.base import Detections

SAME_IOU, SAME_SCORE = 0.99, 1e-3  # least IoU and largest difference of scores of numerically equal detections
FOUND_IOU = 0.5  # least IoU of two detections of one object
NOTED = 0.1  # score above which a detection counts in the detection error
NOTED_IOU = 0.5  # IoU above which two boxes are the same detection in the detection error
COLLAPSED = 0.2  # a class whose AP was above this and is 0 now has collapsed

Pair = tuple[int, int]
"""Positions of a detection among the old and of its partner among the new detections of an image."""


def matched_share(old: Sequence[Detections], new: Sequence[Detections]) -> float:
    """Return the share of detections that are numerically equal to a detection of the other set.

    Two detections are equal when they have one class, an IoU ≥ 0.99 and scores within 0.001. The share is taken of the
    larger set; it is 1 where both sets are empty.

    Args:
        old: detections by image.
        new: detections by image, of the same images in the same order.
    """
    number = max(sum(len(one.scores) for one in side) for side in (old, new))
    same = 0
    for before, after in zip(old, new, strict=True):
        for i, j in pairs(before, after, SAME_IOU):
            if abs(float(before.scores[i]) - float(after.scores[j])) <= SAME_SCORE:
                same += 1
    return same / number if number else 1.0


def survival(reference: Sequence[Detections], cell: Sequence[Detections], conf: float) -> dict[str, float | None]:
    """Return what becomes in a cell of the reference's detections with a score ≥ `conf`.

    Args:
        reference: detections by image.
        cell: detections by image, of the same images in the same order.
        conf: the score from which a detection of the reference counts.

    Returns:
        `agreement`: the share of the counted detections that the cell finds too, at an IoU ≥ 0.5 and a score ≥ `conf`;
        None where none counts. `score_shift`: the median change of the score, wherever the cell finds the object at
        all; None where it finds none.
    """
    wanted = survived = 0
    shifts: list[float] = []
    for before, after in zip(reference, cell, strict=True):
        chosen = _subset(before, before.scores >= conf)
        wanted += len(chosen.scores)
        for i, j in pairs(chosen, after, FOUND_IOU):
            if after.scores[j] >= conf:
                survived += 1
            shifts.append(float(after.scores[j]) - float(chosen.scores[i]))
    return {
        "agreement": survived / wanted if wanted else None,
        "score_shift": statistics.median(shifts) if shifts else None,
    }


def detection_error(exact: Sequence[Detections], other: Sequence[Detections]) -> float:
    """Return the root mean square of the differences of detection scores, seen from either set.

    Detections with a score above 0.1 count. Each is compared with the closest box of its class in the other set, where
    the IoU exceeds 0.5; a detection that the other set lacks counts with its whole score.

    Args:
        exact: detections of the float network by image.
        other: detections of another network, of the same images in the same order.
    """
    differences = []
    for one, two in zip(exact, other, strict=True):
        differences += [_score_differences(one, two), _score_differences(two, one)]
    every = np.concatenate(differences)
    return float(np.sqrt(np.mean(every**2))) if len(every) else 0.0


def collapsed(reference: Mapping[str, float | None], cell: Mapping[str, float | None]) -> list[str]:
    """Return the classes that have collapsed: their AP is above 0.2 in the reference and 0 in the cell."""
    return [name for name, value in cell.items() if value == 0 and (reference.get(name) or 0) > COLLAPSED]


def pairs(old: Detections, new: Detections, least: float) -> list[Pair]:
    """Pair the detections of one image: one class, an IoU ≥ `least`, one to one, the largest IoU first.

    Where IoUs are equal, the higher score of the old detection comes first, then the higher score of the new one.
    """
    overlaps = _overlaps(old, new)
    first, second = np.nonzero(overlaps >= least)
    ranked = np.lexsort((-new.scores[second], -old.scores[first], -overlaps[first, second]))
    free_old, free_new = set(range(len(old.scores))), set(range(len(new.scores)))
    found: list[Pair] = []
    for i, j in zip(first[ranked].tolist(), second[ranked].tolist(), strict=True):
        if i in free_old and j in free_new:
            free_old.remove(i)
            free_new.remove(j)
            found.append((i, j))
    return found


def _subset(found: Detections, chosen: NDArray[np.bool_]) -> Detections:
    """The boxes, scores and classes of the `chosen` detections, [detections]."""
    return Detections(found.boxes[chosen], found.scores[chosen], found.classes[chosen])


def _overlaps(one: Detections, other: Detections) -> NDArray[Any]:
    """IoU of every detection of `one` with every detection of `other`, and 0 where their classes differ."""
    overlaps = box_iou(one.boxes, other.boxes)
    overlaps[one.classes[:, None] != other.classes[None, :]] = 0
    return overlaps


def _score_differences(one: Detections, other: Detections) -> NDArray[np.float32]:
    """The score of each detection of `one` that counts, minus its score in `other`, which is 0 where it is absent."""
    noted = _subset(one, one.scores > NOTED)
    scores = noted.scores
    if not len(scores) or not len(other.scores):
        return scores
    overlaps = _overlaps(noted, other)
    closest = overlaps.argmax(axis=1)
    same = overlaps[np.arange(len(closest)), closest] > NOTED_IOU
    difference: NDArray[np.float32] = scores - np.where(same, other.scores[closest], 0)
    return difference
