"""The grid cells of a detector's feature maps: how many there are, and where."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Floats

STRIDES = (8, 16, 32)  # input pixels per grid cell, of the three feature maps of most families
KNOWN_STRIDES = (STRIDES, (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))  # also networks with P6, with P2, and tiny ones


def grid_cells(sides: tuple[int, int], strides: Sequence[int] = STRIDES) -> int:
    """How many grid cells the feature maps of these strides have at an input of `sides` (height, width), pixels."""
    height, width = sides
    return sum((height // stride) * (width // stride) for stride in strides)


def strides_of(anchors: int, sides: tuple[int, int], per_cell: int = 1) -> tuple[int, ...] | None:
    """The strides of a network with so many anchors; None: they are not those of any grid.

    Args:
        anchors: how many candidate boxes the network has.
        sides: height and width of its input, pixels.
        per_cell: how many anchors a grid cell has.
    """
    return next((known for known in KNOWN_STRIDES if anchors == per_cell * grid_cells(sides, known)), None)


def fills_grid(anchors: int, sides: tuple[int, int]) -> bool:
    """Whether a network with so many anchors has one or three for every grid cell; arguments as in `strides_of`."""
    return any(strides_of(anchors, sides, per_cell) is not None for per_cell in (1, 3))


@functools.cache
def corners_and_strides(sides: tuple[int, int], strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Of every grid cell its corner [cells, 2] in cells, x before y, and its stride [cells], map by map, row by row."""
    height, width = sides
    corners: list[NDArray[np.float32]] = []
    for stride in strides:
        across, down = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
        corners.append(np.stack([across, down], -1).reshape(-1, 2).astype(np.float32))
    lengths = [len(one) for one in corners]
    return np.concatenate(corners), np.repeat(np.asarray(strides, np.float32), lengths)
