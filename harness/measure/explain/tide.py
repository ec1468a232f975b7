"""What keeps AP at IoU 0.5 from 1: a detector's errors by type, and what each type costs, in the manner of TIDE.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020 (arXiv:2008.08115). With
`own` and `other` the largest IoU of a detection with a ground truth of its class and of any other class, one that
matches nothing is the first of these that holds, in the order of the authors' tidecv:

    localization     0.1 ≤ own < 0.5
    classification   other ≥ 0.5
    duplicate        own ≥ 0.5: a better detection has taken that ground truth
    background       other < 0.1, and own by now as well
    both             what is left: own < 0.1 ≤ other < 0.5

The first two aim at the ground truth that they overlap most; a ground truth neither matched nor aimed at is missed.
The cost of a type is AP after an oracle has put right this type alone, less AP before. A localization or classification
error becomes a match at its score, or is removed where its aim is matched already or taken by a better one that is put
right too; the others are removed. Missed ground truths are no longer asked for; a class left with none leaves the mean.

AP and crowds are pycocotools': what matches nothing and lies to one half or more in a crowd of its class is left out.
tidecv 1.0.1 differs: there a better localization error hides a classification error even while only the latter is put
right, what lies in crowds has an error type as well, and a class without ground truth is found with AP 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset
from harness.measure.accuracy.bootstrap import RECALLS
from harness.tasks.base import Detections

ErrorType = Literal["classification", "localization", "both", "duplicate", "background", "missed"]
TYPES: tuple[ErrorType, ...] = ErrorType.__args__  # type: ignore[attr-defined]

FOREGROUND = 0.5  # IoU from which a detection is on an object
BACKGROUND = 0.1  # IoU under which it is on none
PER_CLASS = 100  # detections of a class in an image that count, best first: COCO's largest maxDets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Annotations = Sequence[Mapping[str, Any]]  # COCO's


@dataclass(frozen=True)
class Errors:
    """AP at IoU 0.5 and what keeps it from 1, by type; or the difference of two of these, see `compared`."""

    ap: float | None  # None: no ground truth
    counts: Mapping[ErrorType, int]  # detections; "missed": ground truths
    cost: Mapping[ErrorType, float | None]  # TIDE's dAP_50, a share of 1; None: no ground truth, before or after


@dataclass(frozen=True)
class JudgedDetections:
    """Detections [D] of all images by falling score, and ground truths [G]; without ignored ones and crowds."""

    kind: NDArray[np.str_]  # [D] "correct" or an error type
    category: Ints  # [D] category id
    target: Ints  # [D] index of the ground truth that is matched or aimed at; −1: none
    truth: Ints  # [G] category id

    @property
    def missed(self) -> Ints:
        return np.setdiff1d(np.arange(len(self.truth)), self.target)


def errors(dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int], conf: float = 0.0) -> Errors:
    """Errors of `found`, one entry for each of `dataset.images`; scores below `conf` do not count.

    `categories` maps the model's class index to the data set's category id; other classes do not count either.
    """
    judged = judge_detections(dataset, found, categories, conf)
    ap = average_precision(judged)
    counts = {kind: int(np.count_nonzero(judged.kind == kind)) for kind in TYPES}
    cost = {kind: _less(average_precision(judged, [kind]), ap) for kind in TYPES}
    return Errors(ap, {**counts, "missed": len(judged.missed)}, cost)


def compared(old: Errors, new: Errors) -> Errors:
    """New less old, number by number; None where either is."""
    counts = {kind: new.counts[kind] - old.counts[kind] for kind in TYPES}
    cost = {kind: _less(new.cost[kind], old.cost[kind]) for kind in TYPES}
    return Errors(_less(new.ap, old.ap), counts, cost)


def judge_detections(
    dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int], conf: float = 0.0
) -> JudgedDetections:
    """What each detection is; parameters as of `errors`."""
    rows = defaultdict(list)
    for row in dataset.annotations:
        rows[row["image_id"]].append(row)
    parts, truths = [], 0
    # pycocotools takes images by id, which decides between equal scores.
    for image, one in sorted(zip(dataset.images, found, strict=True), key=lambda pair: pair[0].id):
        score, part = _judge_image(*_counted(one, categories, conf), rows[image.id])
        target = np.where(part.target < 0, -1, part.target + truths)
        parts.append((score, part.kind, part.category, target, part.truth))
        truths += len(part.truth)
    score, kind, category, target, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-score, kind="stable")
    return JudgedDetections(kind[order], category[order], target[order], truth)


def average_precision(judged: JudgedDetections, fixed: Collection[ErrorType] = ()) -> float | None:
    """AP at IoU 0.5 after an oracle has put right all errors of the types `fixed`; None: no ground truth is left."""
    correct, category = judged.kind == "correct", judged.category.copy()
    wrong = np.isin(judged.kind, np.array(list(fixed), np.str_))
    taken = np.isin(judged.target, judged.target[correct])
    fixable = np.flatnonzero(wrong & (judged.target >= 0) & ~taken)
    best = fixable[np.unique(judged.target[fixable], return_index=True)[1]]  # the first of a target scores highest
    correct[best], category[best] = True, judged.truth[judged.target[best]]
    kept = correct | ~wrong
    wanted = np.delete(judged.truth, judged.missed) if "missed" in fixed else judged.truth
    classes, positives = np.unique(wanted, return_counts=True)
    by_class = [_interpolated(correct[kept & (category == c)], n) for c, n in zip(classes, positives, strict=True)]
    return float(np.mean(by_class)) if by_class else None


def _interpolated(correct: Bools, positives: int) -> float:
    """Mean over 101 recalls of the best precision at this recall or a higher one; `correct` [D] by falling score."""
    hits = np.cumsum(correct)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    reached = np.searchsorted(hits / positives, RECALLS)
    return float(np.append(precision, 0)[reached].mean())


def _counted(one: Detections, categories: Mapping[int, int], conf: float) -> tuple[Floats, Floats, Ints]:
    """Boxes xywh [D, 4], scores [D] and category ids [D] of the detections that count, by class and falling score."""
    known = np.isin(one.classes, list(categories)) & (one.scores >= conf)
    corners, scores = one.boxes[known].astype(np.float64), one.scores[known].astype(np.float64)
    category = np.array([categories[label] for label in one.classes[known].tolist()], np.int64)
    order = np.lexsort((-scores, category))
    rank = np.arange(len(order)) - np.searchsorted(category[order], category[order])
    order = order[rank < PER_CLASS]
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return boxes[order], scores[order], category[order]


def _judge_image(
    boxes: Floats, scores: Floats, category: Ints, annotations: Annotations
) -> tuple[Floats, JudgedDetections]:
    """What `_counted` leaves of one image → its scores, and what has them."""
    truths = np.array([row["bbox"] for row in annotations], np.float64).reshape(-1, 4)
    labels = np.array([row["category_id"] for row in annotations], np.int64)
    crowd = np.array([row["iscrowd"] for row in annotations], np.bool_)
    same = category[:, None] == labels
    share = _shares(boxes, truths, crowd)
    in_crowd = (share * same)[:, crowd].max(axis=1, initial=0) >= FOREGROUND
    share, same = share[:, ~crowd], same[:, ~crowd]
    matched = _matched(share * same)
    own, own_at = _largest(share * same)
    other, other_at = _largest(share * ~same)
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
    return scores[kept], JudgedDetections(kind[kept], category[kept], target[kept], labels[~crowd])


def _matched(iou: Floats) -> Ints:
    """IoU [D, G] with ground truths of the same class → pycocotools' match or −1 [D]: best first, last of equals."""
    free = iou[:, ::-1].copy()
    matched = np.full(len(iou), -1)
    for row in np.flatnonzero((iou >= FOREGROUND).any(axis=1)):
        column = free[row].argmax()
        if free[row, column] >= FOREGROUND:
            matched[row] = iou.shape[1] - 1 - column
            free[:, column] = 0
    return matched


def _largest(share: Floats) -> tuple[Floats, Ints]:
    """The largest share of each row and its column, without columns 0 and 0."""
    padded = np.pad(share, ((0, 0), (0, 1)))
    return padded.max(axis=1), padded.argmax(axis=1)


def _shares(boxes: Floats, truths: Floats, crowd: Bools) -> Floats:
    """IoU of boxes xywh [D, 4] with ground truths xywh [G, 4] → [D, G]; with a crowd, intersection / the box's area."""
    low = np.maximum(boxes[:, None, :2], truths[:, :2])
    high = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], truths[:, :2] + truths[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    area = boxes[:, 2:].prod(axis=1)[:, None]
    union = np.where(crowd, area, area + truths[:, 2:].prod(axis=1) - common)
    shares: Floats = np.divide(common, union, out=np.zeros_like(common), where=common > 0)
    return shares


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
