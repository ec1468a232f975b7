"""What a sample of boxes tells of their code: centre and size or corners, pixels or fractions of the input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Floats, OutputLayout
from harness.tasks.grids import corners_and_strides
from harness.tasks.parts import ROWS

LARGEST_FRACTION = 2.0  # a coordinate of a centre or a corner is below it in fractions of the input, above it in pixels
MOST = 0.9  # share of the boxes that obey a rule
FEW = 0.3  # share of the boxes that may break it
NEAR = 0.04  # the box of an object ends in the image, but for so much of its side
MOST_LEAVE = 0.5  # corners taken for centre and size: so many boxes of objects and more leave the image
ENOUGH = 3  # so many boxes of objects tell


def coded(
    boxes: Floats, reading: OutputLayout, sides: tuple[int, int], declared: str = "", head: str = "",
    sure: NDArray[np.bool_] | None = None,
) -> tuple[OutputLayout, str, str, str]:  # fmt: skip
    """The reading with the code and the unit of its boxes, then a defect, a doubt and a note; each may be empty.

    Args:
        boxes: [4, M], a sample of at least one box; every number is finite.
        reading: its corners and fractions are what the family has mostly.
        sides: height and width of the network's input, pixels.
        declared: one of core.cell.BOXES; empty: the values tell.
        head: Ultralytics' name of the head.
        sure: [M] boxes of objects that the network is sure of.
    """
    largest = float(np.percentile(np.abs(boxes[:2]).max(axis=0), 99.9))
    fractions = largest <= LARGEST_FRACTION
    if declared and declared.endswith("fraction") != fractions and declared.endswith("fraction"):
        return reading, f"coordinates up to {largest:.4g} are no fractions of the input", "", ""
    note = ""
    if declared and fractions and not declared.endswith("fraction"):
        fractions, note = False, f"boxes are declared as pixels, and no centre or corner is above {largest:.2f}"
    if reading.layout == "rtdetr" and not fractions:
        return reading, "boxes are in pixels", "", ""
    height, width = sides
    pixels = boxes * np.array([width, height, width, height], np.float32)[:, None] if fractions else boxes
    as_centres, as_corners = centred(pixels, sides), cornered(pixels, sides)
    told = replace(reading, fractions=fractions)
    if declared:
        return _as_declared(told, declared, as_centres, as_corners, note)
    if not as_centres and not as_corners:
        return told, "many boxes leave the image or have a negative size, as centre and size and as corners", "", ""
    as_centres, as_corners = _of_objects(pixels, sure, sides, as_centres, as_corners)
    if not as_centres and not as_corners:
        return told, "boxes of objects and those of the other anchors are coded in different ways", "", ""
    if as_centres != as_corners:
        if told.layout == "rtdetr" and as_corners:
            return told, "boxes are corners", "", ""
        return _open(replace(told, corners=as_corners), reading.corners)
    doubt = ""
    if told.layout == "split" or (told.layout in ROWS and fractions):
        told = replace(told, corners=told.corners and head != "RTDETRDecoder")
        doubt = "" if head == "RTDETRDecoder" else "whether boxes are centre and size (xywh) or corners (xyxy)"
    return told, "", doubt, ""


def _as_declared(
    told: OutputLayout, declared: str, as_centres: bool, as_corners: bool, note: str
) -> tuple[OutputLayout, str, str, str]:
    """What `coded` returns for a declared code; a note excuses boxes that do not fit."""
    corners, y_first = not declared.startswith("xywh"), declared.startswith("yxyx")
    fits = as_corners if corners else as_centres
    defect = "" if fits or note else f"they are not {declared}: many leave the image or have a negative size"
    return replace(told, corners=corners, y_first=y_first), defect, "", note


def _of_objects(
    pixels: Floats, sure: NDArray[np.bool_] | None, sides: tuple[int, int], as_centres: bool, as_corners: bool
) -> tuple[bool, bool]:
    """Whether boxes can be centre and size, and corners: as all anchors say, and the boxes of objects too."""
    if sure is None or sure.sum() < ENOUGH:
        return as_centres, as_corners
    objects = pixels[:, sure]
    centres, corners = centred(objects, sides, NEAR, MOST_LEAVE), cornered(objects, sides)
    if not centres and not corners:  # the network is bad at what it does, and its objects tell nothing
        return as_centres, as_corners
    return as_centres and centres, as_corners and corners


def _open(told: OutputLayout, usual: bool) -> tuple[OutputLayout, str, str, str]:
    """What is said of a code that the values have told, and what of it stays open."""
    doubt = note = ""
    if told.layout == "efficientnms" and told.fractions and told.count is not None:
        doubt = "whether x or y comes first in boxes that are fractions (xyxy-fraction, yxyx-fraction)"
    if told.corners != usual and told.layout not in ("split", "efficientnms"):
        note = f"boxes of the output are read as {'corners' if told.corners else 'centre and size'}"
    return told, "", doubt, note


def centred(boxes: Floats, sides: tuple[int, int], beyond: float = 0.1, few: float = FEW) -> bool:
    """Whether boxes in pixels can be centre and size: sizes are positive, and boxes lie in the image.

    Args:
        boxes: [4, M].
        sides: height and width of the image.
        beyond: a box lies in the image that leaves it by less than this share of its side.
        few: share of the boxes that may leave it.
    """
    size = np.array([[sides[1]], [sides[0]]], np.float32)
    centre, extent = boxes[:2], boxes[2:]
    negative = (extent < -0.02 * size).any(axis=0)
    outside = (centre - extent / 2 < -beyond * size) | (centre + extent / 2 > (1 + beyond) * size)
    return float(negative.mean()) <= 1 - MOST and float(outside.any(axis=0).mean()) <= few


def cornered(boxes: Floats, sides: tuple[int, int]) -> bool:
    """Whether boxes in pixels can be corners: the second comes behind the first, and both lie about in the image."""
    size = np.array([[sides[1]], [sides[0]]] * 2, np.float32)
    ordered = (boxes[2:] >= boxes[:2] - 0.01 * size[:2]).all(axis=0)
    outside = ((boxes < -0.25 * size) | (boxes > 1.25 * size)).any(axis=0)
    return float(ordered.mean()) >= MOST and float(outside.mean()) <= FEW


def spread_over_grid(boxes: Floats, sides: tuple[int, int], strides: tuple[int, ...]) -> bool:
    """Whether the centres of boxes [N, 4, A] follow their grid cells: then they are decoded, in whatever unit."""
    corners, stride = corners_and_strides(sides, strides)
    at = (corners[:, 0] + 0.5) * stride
    across = np.where(np.isfinite(boxes[:, 0]), boxes[:, 0], 0).mean(axis=0)
    if not across.std() or not at.std():
        return False
    return float(np.corrcoef(across, at)[0, 1]) > 0.5
