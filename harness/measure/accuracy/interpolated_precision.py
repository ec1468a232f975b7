"""Average precision as COCO defines it: precision, interpolated at 101 recalls, and averaged over them.

    interpolated precision at recall r = the best precision at r or at any higher recall; 0 where r is never reached
    AP = its mean over the recalls 0, 0.01, …, 1

`interpolated_ap` scores one list of detections. `interpolated_aps` scores many lists at once and looks at their true
positives alone, which is what a bootstrap can afford. Both agree with pycocotools to 1e-12. They add the same numbers
in another order, so that their last digits may differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RECALLS = np.linspace(0.0, 1.0, 101)
"""The recall thresholds of pycocotools (`Params.recThrs`)."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int32]


def interpolated_ap(correct: NDArray[np.bool_], positives: int) -> float:
    """Return the AP of one list of detections.

    Args:
        correct: which detections are true positives, [D], by falling score.
        positives: number of ground truths, at least 1.
    """
    hits = np.cumsum(correct)
    envelope = _envelope(hits / np.arange(1, len(hits) + 1))
    reached_at = np.searchsorted(hits / positives, RECALLS)
    return float(np.append(envelope, 0)[reached_at].mean())


def interpolated_aps(true: Counts, total: Counts, reached: NDArray[np.uint8]) -> Floats:
    """Return the AP of R lists of detections, [R], from what has been counted at each of their H true positives.

    Args:
        true: true positives up to and including this one, [R, H].
        total: detections up to and including this one, [R, H].
        reached: `thresholds_reached` of the lists.
    """
    envelope = _envelope(true / np.maximum(total, 1))
    rows = np.arange(len(true), dtype=np.int32)[:, None] * reached.shape[1]
    thresholds = reached.ravel().take(true + rows)
    newly_reached = np.diff(thresholds, axis=1, prepend=np.zeros((len(true), 1), np.uint8))
    return np.asarray(np.einsum("rh,rh->r", envelope, newly_reached) / len(RECALLS), np.float64)


def thresholds_reached(positives: NDArray[np.int64]) -> NDArray[np.uint8]:
    """How many of the 101 recall thresholds are reached by how many true positives.

    The comparison recall ≥ threshold is made in floating point, exactly as pycocotools makes it.

    Args:
        positives: number of ground truths of each list, [R].

    Returns:
        [R, P]: the entry [r, n] is the number of thresholds that n true positives reach in list r; P exceeds the
        largest number of ground truths.
    """
    number = np.maximum(positives, 1)[:, None]
    required = np.ceil(RECALLS * number).astype(np.int64)
    required -= (required - 1) / number >= RECALLS
    required += required / number < RECALLS
    width = int(number.max()) + 2
    places = np.arange(len(positives))[:, None] * width + np.maximum(required, 0)
    table = np.bincount(places.ravel(), minlength=len(positives) * width).reshape(len(positives), width)
    return table.cumsum(axis=1, dtype=np.uint8)


def _envelope(precision: Floats) -> Floats:
    """The best precision at each position or behind it, along the last axis."""
    best: Floats = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return best
