"""Detections against other detections of the same images, without ground truth: do they say the same? Pure.

Pairs are of one class and one to one, the largest overlap first.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Detections

SAME_IOU, SAME_SCORE = 0.99, 1e-3  # of two detections that are numerically the same
FOUND_IOU = 0.5  # of two detections of one object
COLLAPSED = 0.2  # AP above which a class that falls to 0 has collapsed

Pair = tuple[int, int]  # positions in the old and the new detections of an image


def matched_share(old: Sequence[Detections], new: Sequence[Detections]) -> float:
    """Share of detections that match one to one: IoU ≥ 0.99, scores within 0.001, the same class."""
    number = max(sum(len(one.scores) for one in side) for side in (old, new))
    same = 0
    for before, after in zip(old, new, strict=True):
        for i, j in pairs(before, after, SAME_IOU):
            same += abs(float(before.scores[i]) - float(after.scores[j])) <= SAME_SCORE
    return same / number if number else 1.0


def survival(reference: Sequence[Detections], cell: Sequence[Detections], conf: float) -> dict[str, float | None]:
    """What becomes of the reference's detections with a score ≥ `conf` in the cell.

    `agreement`: the share that the cell has too, of the same class, at IoU ≥ 0.5 and a score ≥ `conf`. `score_shift`:
    the median change of the score where the cell has the object at any score. None where there is nothing to match.
    """
    wanted = survived = 0
    shifts: list[float] = []
    for before, after in zip(reference, cell, strict=True):
        sure = before.scores >= conf
        chosen = Detections(before.boxes[sure], before.scores[sure], before.classes[sure])
        wanted += len(chosen.scores)
        for i, j in pairs(chosen, after, FOUND_IOU):
            survived += bool(after.scores[j] >= conf)
            shifts.append(float(after.scores[j]) - float(chosen.scores[i]))
    return {
        "agreement": survived / wanted if wanted else None,
        "score_shift": statistics.median(shifts) if shifts else None,
    }


def collapsed(reference: Mapping[str, float | None], cell: Mapping[str, float | None]) -> list[str]:
    """Classes whose AP was above 0.2 and is 0."""
    return [name for name, value in cell.items() if value == 0 and (reference.get(name) or 0) > COLLAPSED]


def pairs(old: Detections, new: Detections, least: float) -> list[Pair]:
    """Detections of one class with an IoU ≥ `least`, one to one, the largest first; by score where IoUs are equal."""
    overlaps = iou(old.boxes, new.boxes)
    overlaps[old.classes[:, None] != new.classes[None, :]] = 0
    first, second = np.nonzero(overlaps >= least)
    ranked = np.lexsort((-new.scores[second], -old.scores[first], -overlaps[first, second]))
    left, right = set(range(len(old.scores))), set(range(len(new.scores)))
    found: list[Pair] = []
    for i, j in zip(first[ranked].tolist(), second[ranked].tolist(), strict=True):
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            found.append((i, j))
    return found


def iou(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, M] intersection over union of boxes x1, y1, x2, y2."""
    a, b = ours.astype(np.float64)[:, None], theirs.astype(np.float64)[None, :]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    common = sides.prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (a, b)]
    union = areas[0] + areas[1] - common
    shares: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares
