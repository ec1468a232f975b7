"""Boxes of a COCO JSON that are numbers of another kind than x y w h in pixels: corners, fractions, other images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.dataset import Image
from harness.core.errors import ConfigError
from harness.inputs.datasets.objects import Placed, shown_place
from harness.inputs.image_files import ImageFile

Files = Mapping[int | str, ImageFile | Image]
"""Image id → the image, of which the width and height are read."""

TOLERANCE = 0.01  # share of a side by which a box may leave its image without a note, as in YOLO label files
ENOUGH = 3  # objects from which on a pattern that all of them follow is no accident
MANY, CORNER = 10, 0.6  # so many objects do not all lie in this share of the width and height of their images


def expect_boxes_in_pixels(path: Path, rows: Sequence[Placed], files: Files) -> None:
    """Check that the boxes can be x, y, width and height in pixels of their images.

    Raises:
        ConfigError: they are all fractions, or corners, or one lies wholly outside its image.
    """
    rows = [row for row in rows if min(row[1]["bbox"][2:]) > 0]
    outside = [row for row in rows if _leaves(row, files)]
    if len(rows) >= ENOUGH and all(max(row["bbox"]) <= 1 + TOLERANCE for _, row in rows):
        raise ConfigError(f"dataset {path}: all boxes are fractions of 1 (first: {_shown(rows[0])}); COCO has pixels")
    if outside and len(rows) >= ENOUGH and all(_fits_as_corners(row, files) for row in rows):
        raise ConfigError(
            f"dataset {path}: the boxes are corners x1 y1 x2 y2 (first outside its image: {_shown(outside[0])}); "
            f"COCO has x y width height"
        )
    for place, row in outside:
        (x, y, w, h), image = row["bbox"], files[row["image_id"]]
        if x >= image.width or y >= image.height or x + w <= 0 or y + h <= 0:
            raise ConfigError(
                f"{place} has the bbox {_shown((place, row))} outside its image of {image.width}×{image.height}"
            )


def box_notes(rows: Sequence[Placed], files: Files) -> tuple[str, ...]:
    """Notes on boxes that are scored as they are, and may mean something else.

    They leave their images by more than a hundredth, lie within one pixel, as fractions do, or lie all in the upper
    left part of their images, as boxes in percent or in pixels of smaller images do.
    """
    outside = [row for row in rows if _leaves(row, files)]
    rows = [row for row in rows if min(row[1]["bbox"][2:]) > 0]
    tiny = [row for row in rows if max(row[1]["bbox"]) <= 1 + TOLERANCE]
    right, below = (max((_end(row, files, axis) for row in rows), default=1) for axis in (0, 1))
    corner = (
        f"all {len(rows)} objects lie in the upper left {right:.0%} × {below:.0%} of their images; "
        f"are their boxes in percent, or in pixels of smaller images?"
    )
    return (
        *_boxes_note(outside, "leaves its image", "leave their images"),
        *_boxes_note(tiny, "lies within one pixel, as if in fractions", "lie within one pixel, as if in fractions"),
        *([corner] if len(rows) >= MANY and max(right, below) < CORNER else []),
    )


def _boxes_note(placed: Sequence[Placed], one: str, several: str) -> tuple[str, ...]:
    """A note on boxes, if there are any, with the first of them."""
    if not placed:
        return ()
    said = f"1 box {one}" if len(placed) == 1 else f"{len(placed)} boxes {several}"
    return (f"{said} (first: {shown_place(placed[0][0])}, bbox {_shown(placed[0])})",)


def _end(placed: Placed, files: Files, axis: int) -> float:
    """How far a box reaches along an axis, 0 for x and 1 for y, as a share of its image."""
    box, image = placed[1]["bbox"], files[placed[1]["image_id"]]
    return float((box[axis] + box[axis + 2]) / (image.width, image.height)[axis])


def _shown(placed: Placed) -> str:
    """A box in a message: `[10, 20.5, 30, 40]`."""
    return "[" + ", ".join(f"{number:g}" for number in placed[1]["bbox"]) + "]"


def _leaves(placed: Placed, files: Files) -> bool:
    """Whether a box leaves its image by more than the tolerance and a pixel."""
    (x, y, w, h), image = placed[1]["bbox"], files[placed[1]["image_id"]]
    right, below = 1 + TOLERANCE * image.width, 1 + TOLERANCE * image.height
    return bool(min(x + right, y + below) < 0 or x + w > image.width + right or y + h > image.height + below)


def _fits_as_corners(placed: Placed, files: Files) -> bool:
    """Whether a box, read as x1 y1 x2 y2, has an area and lies in its image."""
    (x1, y1, x2, y2), image = placed[1]["bbox"], files[placed[1]["image_id"]]
    return bool(x1 < x2 <= image.width + 1 and y1 < y2 <= image.height + 1)
