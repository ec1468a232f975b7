"""Masks as COCO's run lengths, read in Python: pycocotools hangs or dies on run lengths and polygons that are wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Mask

OUTSIDE = 2  # sides of the image by which a polygon may leave it; coordinates of 1e9 kill pycocotools


def mask_problem(segmentation: Any, height: int, width: int) -> str:
    """What is wrong with the `segmentation` of an annotation in an image of `height` × `width` pixels; "" if nothing.

    It is a list of polygons of three points or more, or run lengths: a mapping with `size` and `counts`.
    """
    if isinstance(segmentation, dict):
        try:
            runs = run_lengths(segmentation.get("counts"))
        except ValueError as error:
            return str(error)
        if segmentation.get("size") != [height, width]:
            return f"run lengths of size {segmentation.get('size')}, the image is {height} high and {width} wide"
        return "" if sum(runs) == height * width else f"run lengths of {sum(runs)} pixels, not {height * width}"
    if not isinstance(segmentation, list) or not segmentation:
        return "no polygons and no run lengths"
    return next((problem for one in segmentation if (problem := _polygon_problem(one, height, width))), "")


def run_lengths(counts: Any) -> Sequence[int]:
    """COCO's run lengths as numbers of pixels, column by column, the first without the object.

    Args:
        counts: a list of numbers, or a string in which COCO packs them: six bits per character, five of them data, and
            from the fourth number on the difference to the number two before.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(counts, list):
        if not all(isinstance(run, int) and run >= 0 for run in counts):
            raise ValueError("run lengths that are no whole numbers from 0")
        return counts
    if not isinstance(counts, str | bytes):
        raise ValueError("run lengths that are neither a list nor a string")
    packed = counts.encode("latin-1", "replace") if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for character in packed:
        part = character - 48
        if not 0 <= part < 64 or shift > 60:
            raise ValueError("run lengths in a string that COCO does not write")
        value |= (part & 31) << shift
        shift += 5
        if not part & 32:
            value -= (1 << shift) if part & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift or any(run < 0 for run in runs):
        raise ValueError("run lengths in a string that COCO does not write")
    return runs


def mask_pixels(runs: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask [height, width] of valid run lengths."""
    inside = np.arange(len(runs)) % 2 == 1
    columns = np.repeat(inside, runs).reshape(width, height)
    return np.asarray(columns.T, np.bool_)


def encoded(mask: NDArray[np.bool_], left: int, top: int, width: int, height: int) -> Mask:
    """The run lengths of a `mask` [h, w] whose corner lies at (left, top) of an image of `width` × `height` pixels."""
    columns = np.zeros((mask.shape[1], height), np.bool_)
    columns[:, top : top + mask.shape[0]] = mask.T
    changes = np.flatnonzero(np.diff(columns.ravel(), prepend=False, append=False)) + left * height
    runs = np.diff(changes, prepend=0, append=width * height)
    return (runs if runs[-1] else runs[:-1]).astype(np.int32)


def _polygon_problem(polygon: Any, height: int, width: int) -> str:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return "a polygon with fewer than three points of x and y"
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in polygon):
        return "a polygon with a coordinate that is no number"
    within = all(
        -OUTSIDE * side <= value <= (1 + OUTSIDE) * side
        for value, side in zip(polygon, (width, height) * (len(polygon) // 2), strict=True)
    )
    return "" if within else "a polygon that lies far outside the image"
