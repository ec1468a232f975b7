"""How far mAP of a finite set of images can be trusted: a bootstrap over images, without stored detections.

Images are evaluated once, by pycocotools; a resample only weighs them anew. Its numbers are those that pycocotools
gives for the list of images with every image as often as it was drawn, copies side by side. Which images are drawn
depends on the data set's hash alone, so the old numbers of a baseline and the new ones of a run belong to the same
draws and their differences are a paired bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.suite import Suite

RESAMPLES = 1000
CHUNK = 250  # resamples at a time, so that what is weighed stays in the processor's caches
RECALLS = np.linspace(0.0, 1.0, 101)  # pycocotools' recall thresholds
AREAS = ("all", "small", "medium", "large")  # pycocotools' area ranges
ALL = -1  # a ranked detection that stands for all copies of its image

Counts = NDArray[np.int32]  # [resamples, images]: how often an image was drawn
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Detections of one class and area range by falling score, as pycocotools matched them."""

    image: NDArray[np.intp]  # [D] position of the image
    rank: NDArray[np.intp]  # [D] position among the detections of its image and class
    score: Floats  # [D]
    true: NDArray[np.bool_]  # [thresholds, D] matched and not ignored
    ignored: NDArray[np.bool_]  # [thresholds, D]
    positives: NDArray[np.int64]  # [images] ground truths that are not ignored


@dataclass(frozen=True)
class Part:
    """Which of pycocotools' numbers a metric is the mean of."""

    kind: Literal["precision", "recall"]
    area: int = 0  # position in AREAS
    detections: int = 100  # per image and class
    threshold: int | None = None  # position of the IoU threshold; None: all ten


PARTS = {
    "map": Part("precision"),
    "map_50": Part("precision", threshold=0),
    "map_75": Part("precision", threshold=5),
    "map_small": Part("precision", 1),
    "map_medium": Part("precision", 2),
    "map_large": Part("precision", 3),
    "mar_1": Part("recall", detections=1),
    "mar_10": Part("recall", detections=10),
    "mar_100": Part("recall"),
    "mar_small": Part("recall", 1),
    "mar_medium": Part("recall", 2),
    "mar_large": Part("recall", 3),
}


def draws(digest: str, images: int, resamples: int = RESAMPLES) -> Counts:
    """How often each image of a data set is drawn in each resample; its hash is the seed.

    From PCG64's raw stream, which numpy promises not to change (NEP 19): one word an image, scaled by multiplication.
    """
    stream = np.random.PCG64(int(hashlib.sha256(digest.encode()).hexdigest(), 16))
    words = stream.random_raw(resamples * images) >> np.uint64(32)
    drawn = ((words * np.uint64(images)) >> np.uint64(32)).astype(np.intp).reshape(resamples, images)
    drawn += np.arange(resamples)[:, None] * images
    counts = np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images)
    return counts.astype(np.int32)


def resampled(
    ranks: Mapping[tuple[int, int], Ranked], counts: Counts, metrics: Sequence[str] = ("map",)
) -> dict[str, Floats]:
    """Each metric in each resample, [resamples]; −1, as pycocotools says, where no ground truth was drawn.

    `ranks` by class and area range; where there is neither a detection nor a ground truth, none.
    """
    chunks = [_weighed(ranks, counts[start : start + CHUNK], metrics) for start in range(0, len(counts), CHUNK)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in metrics}


def _weighed(ranks: Mapping[tuple[int, int], Ranked], counts: Counts, metrics: Sequence[str]) -> dict[str, Floats]:
    """The mean over classes with ground truth, of each metric."""
    known: dict[Part, list[Floats]] = {}
    for part in {_whole(PARTS[name]) for name in metrics}:
        rule = average_precision if part.kind == "precision" else recall
        known[part] = [rule(one, counts, part.detections) for (_, area), one in ranks.items() if area == part.area]
    return {name: _mean(known[_whole(PARTS[name])], PARTS[name].threshold, len(counts)) for name in metrics}


def _whole(part: Part) -> Part:
    """The part at all thresholds, of which one is a row."""
    return Part(part.kind, part.area, part.detections)


def _mean(classes: Sequence[Floats], threshold: int | None, resamples: int) -> Floats:
    rows = slice(None) if threshold is None else slice(threshold, threshold + 1)
    total, number = np.zeros(resamples), np.zeros(resamples)
    for values in classes:
        value = values[rows].mean(axis=0)
        total += np.nan_to_num(value)
        number += ~np.isnan(value)
    mean: Floats = np.divide(total, number, out=np.full(resamples, -1.0), where=number > 0)
    return mean


def average_precision(one: Ranked, counts: Counts, detections: int = 100) -> Floats:
    """AP at each IoU threshold in each resample, [thresholds, resamples]; NaN where no ground truth was drawn.

    A true positive's copies follow each other, precision rises from one to the next, and the envelope takes the last; a
    false positive's copies only lower it. So one step of the image's weight does what all copies do.
    """
    index, copy = _order(one, one.rank < detections, int(counts.max(initial=0)))
    weight = counts.take(one.image[index], axis=1)
    tied = np.flatnonzero(copy != ALL)
    weight[:, tied] = weight[:, tied] > copy[tied]
    positives = counts @ one.positives
    reached = _reached(positives)
    seen = weight.cumsum(axis=1, dtype=np.int32)
    found = np.zeros((len(one.true), len(counts)))
    for t, (true, ignored) in enumerate(zip(one.true[:, index], one.ignored[:, index], strict=True)):
        hits = np.flatnonzero(true)
        if not hits.size:
            continue
        total = seen.take(hits, axis=1)
        if ignored.any():
            total = total - (weight * ignored).cumsum(axis=1, dtype=np.int32).take(hits, axis=1)
        found[t] = _interpolated(weight.take(hits, axis=1).cumsum(axis=1, dtype=np.int32), total, reached)
    found[:, positives == 0] = np.nan
    return found


def recall(one: Ranked, counts: Counts, detections: int = 100) -> Floats:
    """Recall at each IoU threshold in each resample, [thresholds, resamples]; NaN where no ground truth was drawn."""
    kept = one.rank < detections
    hits = np.stack([np.bincount(one.image[kept & row], minlength=counts.shape[1]) for row in one.true]) @ counts.T
    positives = counts @ one.positives
    share: Floats = np.divide(hits, positives, out=np.full(hits.shape, np.nan), where=positives > 0)
    return share


def _order(one: Ranked, kept: NDArray[np.bool_], most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the detections in the order of a resampled list, and which copy of the image each belongs to.

    Where an image has several detections of one score, and not all are right, the list has them copy by copy: these
    appear once for each of `most` copies. All others stand for all copies at once.
    """
    index = np.flatnonzero(kept)
    image, score = one.image[index], one.score[index]
    run = np.cumsum(np.r_[0, (np.diff(image) != 0) | (np.diff(score) != 0)]) if index.size else np.zeros(0, np.intp)
    kind = np.concatenate([one.true, one.ignored])[:, index]
    differs = np.r_[False, (np.diff(run) == 0) & (kind[:, 1:] != kind[:, :-1]).any(axis=0)][: index.size]
    mixed = np.isin(run, run[differs])
    repeats = np.where(mixed, most, 1)
    element = np.repeat(np.arange(index.size), repeats)
    copy = np.arange(element.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    order = np.lexsort((element, copy, run[element]))
    return index[element[order]], np.where(mixed[element], copy, ALL)[order]


def _reached(positives: NDArray[np.int64]) -> NDArray[np.uint8]:
    """[resamples, true positives]: how many recall thresholds that many reach, in pycocotools' floating point."""
    number = np.maximum(positives, 1)[:, None]
    required = np.ceil(RECALLS * number).astype(np.int64)
    required -= (required - 1) / number >= RECALLS
    required += required / number < RECALLS
    width = int(number.max()) + 2
    places = np.arange(len(positives))[:, None] * width + np.maximum(required, 0)
    table = np.bincount(places.ravel(), minlength=len(positives) * width).reshape(len(positives), width)
    return table.cumsum(axis=1, dtype=np.uint8)


def _interpolated(true: NDArray[np.int32], total: NDArray[np.int32], reached: NDArray[np.uint8]) -> Floats:
    """Mean precision at the recall thresholds, from running numbers at the true positives [resamples, hits]."""
    precision = true / np.maximum(total, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(len(true), dtype=np.int32)[:, None] * reached.shape[1]
    thresholds = reached.ravel().take(true + rows)
    steps = np.diff(thresholds, axis=1, prepend=np.zeros((len(true), 1), np.uint8))
    return np.asarray(np.einsum("rh,rh->r", envelope, steps) / len(RECALLS), np.float64)


def resampled_metrics(suite: Suite) -> tuple[str, ...]:
    """Metrics whose drop against the baseline is judged by resamples: mAP, and what the suite gates so."""
    gated = {gate.metric for gate in suite.gates if gate.against == "baseline" and gate.max_drop is not None}
    return tuple(name for name in (*PARTS, "box_map") if name == "map" or name in gated)
