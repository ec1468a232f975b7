"""How far mAP on a finite set of images can be trusted: a bootstrap over images, without stored detections.

pycocotools evaluates the images once; a resample only weighs them anew. The numbers of a resample equal what
pycocotools computes for a list that repeats every image as often as it was drawn, with the copies side by side. Which
images are drawn depends on the hash of the data set alone. The numbers that a baseline stores and the numbers of a new
run therefore belong to the same draws, and their differences are a paired bootstrap (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.suite import Suite
from harness.measure.accuracy.interpolated_precision import interpolated_aps, thresholds_reached

RESAMPLES = 1000
CHUNK = 250  # resamples that are weighed at a time, so that the arrays stay in the caches of the processor
AREAS = ("all", "small", "medium", "large")  # the area ranges of pycocotools
ALL = -1  # marks a ranked detection that stands for all copies of its image

Counts = NDArray[np.int32]
"""[resamples, images]: how often each image was drawn."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """The D detections of one class and area range by falling score, as pycocotools has matched them."""

    image: NDArray[np.intp]  # [D] position of the image in the data set
    rank: NDArray[np.intp]  # [D] position among the detections of the same image and class
    score: Floats  # [D]
    true: NDArray[np.bool_]  # [IoU thresholds, D] matched with a ground truth that is not ignored
    ignored: NDArray[np.bool_]  # [IoU thresholds, D] neither right nor wrong, as in a crowd
    positives: NDArray[np.int64]  # [images] number of ground truths that are not ignored


Ranks = Mapping[tuple[int, int], Ranked]
"""Ranked detections by class (position among the sorted category ids) and area range (position in AREAS).

A class and area range with neither a detection nor a ground truth has no entry.
"""


@dataclass(frozen=True)
class Part:
    """The part of pycocotools' tables over which a metric is the mean."""

    kind: Literal["precision", "recall"]
    area: int = 0  # position in AREAS
    detections: int = 100  # how many count per image and class, the best first
    threshold: int | None = None  # position of the IoU threshold; None: the mean over all of them


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
    """Return how often each image is drawn in each resample, [resamples, images].

    The draws come from the raw stream of PCG64, which numpy promises not to change (NEP 19): one word per drawn image,
    scaled by multiplication.

    Args:
        digest: hash of the data set, which is the seed.
        images: number of images in the data set.
        resamples: number of resamples.
    """
    stream = np.random.PCG64(int(hashlib.sha256(digest.encode()).hexdigest(), 16))
    words = stream.random_raw(resamples * images) >> np.uint64(32)
    drawn = ((words * np.uint64(images)) >> np.uint64(32)).astype(np.intp).reshape(resamples, images)
    drawn += np.arange(resamples)[:, None] * images
    counts = np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images)
    return counts.astype(np.int32)


def resampled(ranks: Ranks, counts: Counts, metrics: Sequence[str] = ("map",)) -> dict[str, Floats]:
    """Return each metric in each resample, [resamples] by name; −1, as in pycocotools, where no ground truth was drawn.

    Args:
        ranks: the detections of the data set.
        counts: how often each image was drawn (`draws`).
        metrics: keys of PARTS.
    """
    chunks = [_weighed(ranks, counts[start : start + CHUNK], metrics) for start in range(0, len(counts), CHUNK)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in metrics}


def _weighed(ranks: Ranks, counts: Counts, metrics: Sequence[str]) -> dict[str, Floats]:
    """Each metric in each resample: its mean over the classes with ground truth."""
    by_class: dict[Part, list[Floats]] = {}
    for part in {_all_thresholds(PARTS[name]) for name in metrics}:
        rule = precision_by_threshold if part.kind == "precision" else recall_by_threshold
        by_class[part] = [rule(one, counts, part.detections) for (_, area), one in ranks.items() if area == part.area]
    return {name: _mean(by_class[_all_thresholds(PARTS[name])], PARTS[name].threshold, len(counts)) for name in metrics}


def _all_thresholds(part: Part) -> Part:
    """The part at all IoU thresholds: metrics that differ in the threshold alone are rows of one table."""
    return replace(part, threshold=None)


def _mean(classes: Sequence[Floats], threshold: int | None, resamples: int) -> Floats:
    """The mean over classes of tables [IoU thresholds, resamples], at one threshold or over all of them."""
    rows = slice(None) if threshold is None else slice(threshold, threshold + 1)
    total, number = np.zeros(resamples), np.zeros(resamples)
    for values in classes:
        value = values[rows].mean(axis=0)
        total += np.nan_to_num(value)
        number += ~np.isnan(value)
    mean: Floats = np.divide(total, number, out=np.full(resamples, -1.0), where=number > 0)
    return mean


def precision_by_threshold(one: Ranked, counts: Counts, detections: int = 100) -> Floats:
    """Return AP at each IoU threshold in each resample, [thresholds, resamples]; NaN where no ground truth was drawn.

    The copies of a true positive follow each other. Precision rises from one copy to the next, and the interpolation
    takes the last; the copies of a false positive only lower precision. One step of the image's weight therefore does
    what all its copies do.

    Args:
        one: the detections of one class and area range.
        counts: how often each image was drawn.
        detections: how many count per image, the best first.
    """
    index, copy = _order(one, one.rank < detections, int(counts.max(initial=0)))
    weight = counts.take(one.image[index], axis=1)
    tied = np.flatnonzero(copy != ALL)
    weight[:, tied] = weight[:, tied] > copy[tied]
    positives = counts @ one.positives
    reached = thresholds_reached(positives)
    seen = weight.cumsum(axis=1, dtype=np.int32)
    found = np.zeros((len(one.true), len(counts)))
    for t, (true, ignored) in enumerate(zip(one.true[:, index], one.ignored[:, index], strict=True)):
        hits = np.flatnonzero(true)
        if not hits.size:
            continue
        total = seen.take(hits, axis=1)
        if ignored.any():
            total = total - (weight * ignored).cumsum(axis=1, dtype=np.int32).take(hits, axis=1)
        found[t] = interpolated_aps(weight.take(hits, axis=1).cumsum(axis=1, dtype=np.int32), total, reached)
    found[:, positives == 0] = np.nan
    return found


def recall_by_threshold(one: Ranked, counts: Counts, detections: int = 100) -> Floats:
    """Return recall at each IoU threshold in each resample, [thresholds, resamples]; NaN without a drawn ground truth.

    Arguments are as in `precision_by_threshold`.
    """
    kept = one.rank < detections
    hits = np.stack([np.bincount(one.image[kept & row], minlength=counts.shape[1]) for row in one.true]) @ counts.T
    positives = counts @ one.positives
    share: Floats = np.divide(hits, positives, out=np.full(hits.shape, np.nan), where=positives > 0)
    return share


def _order(one: Ranked, kept: NDArray[np.bool_], most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The `kept` detections in the order of a resampled list: their positions, and the copies that they belong to.

    Where an image has several detections of one score, and some are right and some wrong, a list of copies has them
    copy by copy: such detections appear once for each of `most` copies of the image. Every other detection appears
    once and stands for all copies of its image: its copy is ALL.
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


def resampled_metrics(suite: Suite) -> tuple[str, ...]:
    """Return the metrics to resample for a suite: mAP, and every metric whose drop from the baseline a gate limits."""
    gated = {gate.metric for gate in suite.gates if gate.against == "baseline" and gate.max_drop is not None}
    return tuple(name for name in (*PARTS, "box_map") if name == "map" or name in gated)
