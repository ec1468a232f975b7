"""Intersection over union (IoU) of boxes, every box of one set with every box of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def box_iou(
    boxes: ArrayLike,
    others: ArrayLike,
    other_areas: Floats | None = None,
    crowds: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the IoU of `boxes` [N, 4] with `others` [M, 4] as an array [N, M], computed in double precision.

    Args:
        boxes: corners x1, y1, x2, y2.
        others: corners x1, y1, x2, y2.
        other_areas: areas of `others` [M]; None: computed from their corners. Ground truth is stored as width and
            height, and pycocotools takes their product: corners, which are rounded, can give another last digit.
        crowds: which of `others` [M] are crowds. Their column holds the intersection over the area of the box alone,
            as pycocotools defines it: a box that lies in a crowd has overlap 1.

    Returns:
        Shares between 0 and 1; 0 where two boxes without an area meet.
    """
    ours, theirs = np.asarray(boxes, np.float64)[:, None], np.asarray(others, np.float64)[None, :]
    sides = np.minimum(ours[..., 2:], theirs[..., 2:]) - np.maximum(ours[..., :2], theirs[..., :2])
    common = np.clip(sides, 0, None).prod(axis=-1)
    areas = _areas(ours)
    union = areas + (_areas(theirs) if other_areas is None else other_areas) - common
    if crowds is not None:
        union = np.where(crowds, areas, union)
    shares: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def _areas(corners: Floats) -> Floats:
    """Areas of boxes [..., 4], as an array [...]."""
    areas: Floats = (corners[..., 2:] - corners[..., :2]).prod(axis=-1)
    return areas
