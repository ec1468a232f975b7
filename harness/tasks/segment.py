"""What a detection says of its object beside the box: its mask, its key points. In pixels of the original image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tasks.preprocess import Fit

Floats = NDArray[np.float32]
Mask = NDArray[np.int32]
"""COCO's run lengths, not compressed: pixels off and on in turn, column by column, beginning with those off."""


def masks(
    coefficients: Floats, protos: Floats, boxes: Floats, place: Fit, size: int, original: tuple[int, int]
) -> tuple[Mask, ...]:
    """Coefficients [K, M] of prototypes [M, H, W] → masks in an image of (width, height) `original`.

    As Ultralytics' `process_mask_native`: the weighted sum of the prototypes, bilinear between their pixels, above 0
    and within the box [K, 4]. But every image pixel looks up the place in the prototypes that it has in the letterbox,
    while Ultralytics first cuts the border off in whole pixels of the prototypes.
    """
    width, height = original
    scale = protos.shape[1] / size  # prototype pixels per input pixel
    found = []
    for weights, (x1, y1, x2, y2) in zip(coefficients, boxes.tolist(), strict=True):
        columns = np.arange(max(0, int(np.ceil(x1))), min(width, int(np.ceil(x2))))
        rows = np.arange(max(0, int(np.ceil(y1))), min(height, int(np.ceil(y2))))
        if not len(columns) or not len(rows):
            found.append(np.array([width * height], np.int32))
            continue
        across, first_column = _bilinear((columns + 0.5) * place.ratio + place.left, scale, protos.shape[2])
        down, first_row = _bilinear((rows + 0.5) * place.ratio + place.top, scale, protos.shape[1])
        window = protos[:, first_row : first_row + down.shape[1], first_column : first_column + across.shape[1]]
        values = down @ np.tensordot(weights, window, 1) @ across.T
        found.append(encoded(values > 0, int(columns[0]), int(rows[0]), width, height))
    return tuple(found)


def _bilinear(at: NDArray[np.floating[Any]], scale: float, sides: int) -> tuple[Floats, int]:
    """Weights [positions, pixels] of the prototype pixels around positions of the input, and the first such pixel."""
    source = np.clip(at * scale - 0.5, 0, sides - 1)
    low = np.floor(source).astype(np.intp)
    high = np.minimum(low + 1, sides - 1)
    part = (source - low).astype(np.float32)
    first = int(low[0])
    weights = np.zeros((len(at), int(high[-1]) - first + 1), np.float32)
    lines = np.arange(len(at))
    weights[lines, low - first] += 1 - part
    weights[lines, high - first] += part
    return weights, first


def encoded(mask: NDArray[np.bool_], left: int, top: int, width: int, height: int) -> Mask:
    """Run lengths of a mask [h, w] whose corner lies at (left, top) of an image of width × height."""
    columns = np.zeros((mask.shape[1], height), np.bool_)
    columns[:, top : top + mask.shape[0]] = mask.T
    changes = np.flatnonzero(np.diff(columns.ravel(), prepend=False, append=False)) + left * height
    runs = np.diff(changes, prepend=0, append=width * height)
    return (runs if runs[-1] else runs[:-1]).astype(np.int32)


def points(extra: Floats, shape: tuple[int, int], place: Fit, original: tuple[int, int]) -> Floats:
    """[K, P × D] in pixels of the input → [K, P, 3] x, y in the image and visibility, 1 where the model has none."""
    said = extra.reshape(len(extra), *shape)
    xy = (said[..., :2] - np.array([place.left, place.top], np.float32)) / np.float32(place.ratio)
    xy = np.clip(xy, 0, np.array(original, np.float32))
    seen = said[..., 2:3] if shape[1] > 2 else np.ones((*said.shape[:2], 1), np.float32)
    return np.concatenate([xy, seen], axis=2)
