"""Boxes that were drawn on images as they are stored, turned with the images to what is displayed and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError
from harness.core.words import counted
from harness.inputs.datasets.base import shown
from harness.inputs.datasets.objects import Placed
from harness.inputs.image_files import ImageFile, turn, turn_point
from harness.tasks.run_lengths import encoded, mask_pixels, mask_problem, run_lengths

Sizes = Mapping[int | str, tuple[int, int]]
"""Image id → the width and height that the data set declares; 0 and 0 where it declares none."""


def displayed(
    path: Path, rows: Sequence[Placed], files: Mapping[int | str, ImageFile], sizes: Sizes
) -> tuple[list[Placed], tuple[str, ...]]:
    """The annotations in pixels of the displayed images, and notes on what was turned.

    Width and height tell whether annotations are in stored or in displayed pixels. Where they do not, as in square
    images, the other images of the data set do.

    Raises:
        ConfigError: an image has neither of the sizes that its data set may mean.
    """
    turned = {number: file for number, file in files.items() if file.orientation != 1}
    stored, open_ = set(), set()
    for number, file in files.items():
        declared = sizes[number]
        if declared != (0, 0) and declared not in (file.size, file.stored):
            raise ConfigError(
                f"dataset {path}: image {file.path} has {file.width}×{file.height} pixels, its data set says "
                f"{declared[0]}×{declared[1]}"
            )
        if number in turned and (declared == (0, 0) or file.size == file.stored):
            open_.add(number)
        elif declared == file.stored != file.size:
            stored.add(number)
    sure = set(turned) - open_
    if stored and stored == sure:
        stored, open_ = stored | open_, set()
    elif sure and not stored:
        open_ = set()
    kept = [_turned(placed, files[placed[1]["image_id"]], stored) for placed in rows]
    return kept, (*_stored_note(stored, files), *_open_note(open_, files))


def _turned(placed: Placed, file: ImageFile, stored: set[int | str]) -> Placed:
    """An annotation as displayed, if its image is among those that are annotated as stored."""
    place, row = placed
    if row["image_id"] not in stored:
        return placed
    x, y, w, h = row["bbox"]
    (x1, y1), (x2, y2) = (_point(file, *corner) for corner in ((x, y), (x + w, y + h)))
    made = {**row, "bbox": [min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)]}
    if "keypoints" in row:
        made["keypoints"] = _points(file, row["keypoints"], 3)
    if "segmentation" in row:
        made["segmentation"] = _mask(place, file, row["segmentation"])
    return place, made


def _mask(place: str, file: ImageFile, segmentation: Any) -> Any:
    """Polygons or run lengths as displayed."""
    width, height = file.stored
    if problem := mask_problem(segmentation, height, width):
        raise ConfigError(f"{place} has {problem}")
    if isinstance(segmentation, list):
        return [_points(file, polygon, 2) for polygon in segmentation]
    pixels = turn(mask_pixels(run_lengths(segmentation["counts"]), height, width), file.orientation)
    return {"size": [file.height, file.width], "counts": encoded(pixels, 0, 0, file.width, file.height).tolist()}


def _points(file: ImageFile, values: Sequence[float], numbers: int) -> list[float]:
    """Points of `numbers` numbers each, of which x and y are turned; an unlabelled key point stays 0, 0."""
    found: list[float] = []
    for start in range(0, len(values), numbers):
        x, y, *more = values[start : start + numbers]
        found += [*((x, y) if more == [0] else _point(file, x, y)), *more]
    return found


def _point(file: ImageFile, x: float, y: float) -> tuple[float, float]:
    return turn_point(x, y, file.orientation, file.stored)


def _stored_note(stored: set[int | str], files: Mapping[int | str, ImageFile]) -> tuple[str, ...]:
    if not stored:
        return ()
    said = f"{counted(len(stored), 'image')} of an EXIF orientation and annotated as stored: boxes were turned with it"
    return (f"{said} (first: {_first(stored, files)})",)


def _open_note(open_: set[int | str], files: Mapping[int | str, ImageFile]) -> tuple[str, ...]:
    if not open_:
        return ()
    said = f"{counted(len(open_), 'image')} turned by EXIF without a size that tells whether boxes are turned too"
    return (f"{said}; taken as displayed (first: {_first(open_, files)})",)


def _first(numbers: set[int | str], files: Mapping[int | str, ImageFile]) -> str:
    return shown(next(file.path for number, file in files.items() if number in numbers))
