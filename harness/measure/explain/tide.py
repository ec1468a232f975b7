"""What keeps AP at IoU 0.5 below 1: the errors of a detector by type, and what each type costs, in the manner of TIDE.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020 (arXiv:2008.08115). Let `own`
be the largest IoU of a detection with a ground truth of its class, and `other` with a ground truth of any other class.
A detection that matches nothing has the first type below whose condition holds, in the order of tidecv, the authors'
program:

    localization     0.1 ≤ own < 0.5
    classification   other ≥ 0.5
    duplicate        own ≥ 0.5: a better detection has taken that ground truth
    background       other < 0.1, and by now own < 0.1 as well
    both             everything else: own < 0.1 ≤ other < 0.5

Errors of the first two types aim at the ground truth that they overlap most. A ground truth that is neither matched nor
aimed at is missed. The cost of a type is AP after an oracle has put right the errors of this type alone, minus AP
before. The oracle turns a localization or classification error into a match at its score, or removes it where its aim
is matched already or taken by a better error that is put right too. It removes errors of the other types. Missed ground
truths are no longer asked for, and a class that is left without ground truth leaves the mean.

AP and crowds are as in pycocotools: a detection that matches nothing and lies at least by half in a crowd of its class
is ignored. tidecv 1.0.1 differs in three points. A better localization error hides a classification error even while
only the classification error is put right; detections in crowds have an error type as well; and a class without ground
truth counts with AP 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset, by_id
from harness.measure.accuracy.box_iou import box_iou
from harness.measure.accuracy.interpolated_precision import interpolated_ap
from harness.tasks.base import Detections

ErrorType = Literal["classification", "localization", "both", "duplicate", "background", "missed"]
TYPES: tuple[ErrorType, ...] = ErrorType.__args__  # type: ignore[attr-defined]

FOREGROUND = 0.5  # IoU from which on a detection is on an object
BACKGROUND = 0.1  # IoU below which a detection is on no object
PER_CLASS = 100  # detections that count per class and image, best first: the largest of COCO's maxDets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Annotations = Sequence[Mapping[str, Any]]
"""Annotations of one image, as COCO writes them."""


@dataclass(frozen=True)
class Errors:
    """AP at IoU 0.5 and the errors that keep it below 1, by type; or a difference of two (`compared`)."""

    ap: float | None  # None: there is no ground truth
    counts: Mapping[ErrorType, int]  # number of detections; for "missed", number of ground truths
    cost: Mapping[ErrorType, float | None]  # dAP_50 of TIDE, between 0 and 1; None: no ground truth, before or after


@dataclass(frozen=True)
class JudgedDetections:
    """All D detections by falling score, and all G ground truths, without ignored detections and crowds."""

    kind: NDArray[np.str_]  # [D] "correct" or an error type
    category: Ints  # [D] category id
    target: Ints  # [D] position of the ground truth that is matched or aimed at; −1: none
    truth: Ints  # [G] category id

    @property
    def missed(self) -> Ints:
        """Positions of the ground truths that no detection matches or aims at."""
        return np.setdiff1d(np.arange(len(self.truth)), self.target)


@dataclass(frozen=True)
class _Counted:
    """The detections of one image that count, by class and, within a class, by falling score."""

    corners: Floats  # [D, 4] x1, y1, x2, y2
    scores: Floats  # [D]
    category: Ints  # [D] category id


def errors(dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int], conf: float = 0.0) -> Errors:
    """Return the errors of a detector on a data set.

    Args:
        dataset: images and ground truth.
        found: detections, one entry for each of `dataset.images`.
        categories: class index of the model → category id of the data set; detections of other classes do not count.
        conf: the score from which on a detection counts.
    """
    judged = judge_detections(dataset, found, categories, conf)
    ap = average_precision(judged)
    counts = {kind: int(np.count_nonzero(judged.kind == kind)) for kind in TYPES}
    cost = {kind: _difference(average_precision(judged, [kind]), ap) for kind in TYPES}
    return Errors(ap, {**counts, "missed": len(judged.missed)}, cost)


def compared(old: Errors, new: Errors) -> Errors:
    """Return the new numbers minus the old ones; None where either number is None."""
    counts = {kind: new.counts[kind] - old.counts[kind] for kind in TYPES}
    cost = {kind: _difference(new.cost[kind], old.cost[kind]) for kind in TYPES}
    return Errors(_difference(new.ap, old.ap), counts, cost)


def judge_detections(
    dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int], conf: float = 0.0
) -> JudgedDetections:
    """Tell for each detection whether it is correct or which error it is. Arguments are as in `errors`."""
    rows = defaultdict(list)
    for row in dataset.annotations:
        rows[row["image_id"]].append(row)
    parts, truths = [], 0
    # pycocotools takes images by id, which decides between equal scores.
    for image, one in sorted(zip(dataset.images, found, strict=True), key=lambda pair: by_id(pair[0])):
        scores, part = _judge_image(_counted(one, categories, conf), rows[image.id])
        target = np.where(part.target < 0, -1, part.target + truths)
        parts.append((scores, part.kind, part.category, target, part.truth))
        truths += len(part.truth)
    score, kind, category, target, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-score, kind="stable")
    return JudgedDetections(kind[order], category[order], target[order], truth)


def average_precision(judged: JudgedDetections, fixed: Collection[ErrorType] = ()) -> float | None:
    """Return AP at IoU 0.5, the mean over classes, after an oracle has put right all errors of the types `fixed`.

    None where no ground truth is left.
    """
    correct, category = judged.kind == "correct", judged.category.copy()
    wrong = np.isin(judged.kind, np.array(list(fixed), np.str_))
    taken = np.isin(judged.target, judged.target[correct])
    fixable = np.flatnonzero(wrong & (judged.target >= 0) & ~taken)
    best = fixable[np.unique(judged.target[fixable], return_index=True)[1]]  # the first of a target scores highest
    correct[best], category[best] = True, judged.truth[judged.target[best]]
    kept = correct | ~wrong
    wanted = np.delete(judged.truth, judged.missed) if "missed" in fixed else judged.truth
    by_class = [
        interpolated_ap(correct[kept & (category == number)], positives)
        for number, positives in zip(*np.unique(wanted, return_counts=True), strict=True)
    ]
    return float(np.mean(by_class)) if by_class else None


def _counted(one: Detections, categories: Mapping[int, int], conf: float) -> _Counted:
    """The detections of an image that count: of known classes, with a score ≥ `conf`, the best 100 of each class."""
    known = np.isin(one.classes, list(categories)) & (one.scores >= conf)
    corners, scores = one.boxes[known].astype(np.float64), one.scores[known].astype(np.float64)
    category = np.array([categories[label] for label in one.classes[known].tolist()], np.int64)
    order = np.lexsort((-scores, category))
    rank = np.arange(len(order)) - np.searchsorted(category[order], category[order])
    order = order[rank < PER_CLASS]
    return _Counted(corners[order], scores[order], category[order])


def _judge_image(found: _Counted, annotations: Annotations) -> tuple[Floats, JudgedDetections]:
    """The detections of one image that are not ignored, in the order of `found`: their scores, and what they are."""
    boxes = np.array([row["bbox"] for row in annotations], np.float64).reshape(-1, 4)
    labels = np.array([row["category_id"] for row in annotations], np.int64)
    crowd = np.array([row["iscrowd"] for row in annotations], np.bool_)
    same = found.category[:, None] == labels
    overlap = _overlaps(found.corners, boxes, crowd)
    in_crowd = (overlap * same)[:, crowd].max(axis=1, initial=0) >= FOREGROUND
    overlap, same = overlap[:, ~crowd], same[:, ~crowd]
    matched = _matched(overlap * same)
    own, own_at = _largest(overlap * same)
    other, other_at = _largest(overlap * ~same)
    cases: list[tuple[Bools, str, Ints | int]] = [
        (matched >= 0, "correct", matched),
        (in_crowd, "ignored", -1),
        ((own >= BACKGROUND) & (own < FOREGROUND), "localization", own_at),
        (other >= FOREGROUND, "classification", other_at),
        (own >= FOREGROUND, "duplicate", -1),
        (other < BACKGROUND, "background", -1),
    ]
    conditions, kinds, targets = zip(*cases, strict=True)
    kind, target = np.select(conditions, kinds, "both"), np.select(conditions, targets, -1)
    kept = kind != "ignored"
    return found.scores[kept], JudgedDetections(kind[kept], found.category[kept], target[kept], labels[~crowd])


def _overlaps(corners: Floats, truths: Floats, crowd: Bools) -> Floats:
    """IoU [D, G] of detections [D, 4] (x1, y1, x2, y2) with ground truths [G, 4] (x, y, width, height)."""
    truth_corners = np.concatenate([truths[:, :2], truths[:, :2] + truths[:, 2:]], axis=1)
    return box_iou(corners, truth_corners, truths[:, 2:].prod(axis=1), crowd)


def _matched(iou: Floats) -> Ints:
    """The ground truth that pycocotools matches with each detection, [D]; −1: none.

    `iou` [D, G] is the overlap with ground truths of the same class, the best detection first. A detection takes the
    free ground truth that it overlaps most, and the last one of equals.
    """
    free = iou[:, ::-1].copy()
    matched = np.full(len(iou), -1)
    for row in np.flatnonzero((iou >= FOREGROUND).any(axis=1)):
        column = free[row].argmax()
        if free[row, column] >= FOREGROUND:
            matched[row] = iou.shape[1] - 1 - column
            free[:, column] = 0
    return matched


def _largest(overlap: Floats) -> tuple[Floats, Ints]:
    """The largest overlap in each row [D] and its column [D]; 0 where there are no columns."""
    padded = np.pad(overlap, ((0, 0), (0, 1)))
    return padded.max(axis=1), padded.argmax(axis=1)


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
