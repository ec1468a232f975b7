"""YOLO label files: where they lie, and their rows as COCO annotations."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.dataset import OF_BOX, Image
from harness.core.errors import ConfigError
from harness.core.words import counted
from harness.inputs.datasets.base import Found, shown, text_of
from harness.inputs.datasets.objects import without_the_impossible
from harness.inputs.datasets.plausible import ENOUGH, box_notes

LEAST, LARGEST = -0.01, 1.01
"""The range of coordinates that Ultralytics accepts, as fractions of the image."""


@dataclass(frozen=True)
class KeyPoints:
    """The key points of a data set, as its `kpt_shape` declares them."""

    count: int = 0  # key points per object; 0: the data set has none
    numbers: int = 0  # numbers per key point: 2 for x and y, 3 with visibility


NO_POINTS, COCO_POINTS = KeyPoints(), KeyPoints(17, 3)


@dataclass(frozen=True)
class Labels:
    """The objects of a split."""

    rows: Sequence[Mapping[str, Any]]  # COCO annotations, numbered from 1
    notes: tuple[str, ...]
    problem: str  # why there is nothing to score: no image has a label file; else empty


def read_labels(images: Sequence[Image], categories: Mapping[int, Any], points: KeyPoints) -> Labels:
    """Read the label files of images; an image without one has no objects.

    Raises:
        ConfigError: a label file cannot be read, or a row of it is wrong; the message names file and line.
    """
    files = [_label_file(Path(image.path)) for image in images]
    rows: list[tuple[str, dict[str, Any]]] = []  # file and line, and what they say
    for image, file in zip(images, files, strict=True):
        rows += _objects(file, image, categories, points) if file.exists() else []
    kept, notes = without_the_impossible(rows)
    by_id = {image.id: image for image in images}
    if not points.count:
        _expect_no_points(rows, by_id)
    notes = (*notes, *box_notes(rows, by_id), *_shared_note(files))
    lacking = [at for at, file in enumerate(files) if not file.exists()]
    if len(lacking) == len(images):
        return Labels(kept, notes, _no_labels(images[0], files[0], len(images)))
    if lacking:
        first = shown(files[lacking[0]])
        said = f"{len(lacking)} of {counted(len(images), 'image')} have no label file and count as without objects"
        notes = (f"{said} (first: {first})", *notes)
    return Labels(kept, notes, "")


def _label_file(image: Path) -> Path:
    """The label file of an image, where Ultralytics looks: the last folder `images` of its path is `labels` there."""
    head, found, tail = os.path.abspath(image).rpartition(f"{os.sep}images{os.sep}")
    file = Path(f"{head}{os.sep}labels{os.sep}{tail}" if found else tail).with_suffix(".txt")
    return next((one for one in (file, file.with_suffix(".TXT")) if one.exists()), file)


def passed_over(found: Found) -> tuple[str, ...]:
    """A note on files that have a label file, and are passed over since their suffix is not that of an image."""
    read = {file.with_suffix("") for file in found.files}
    others = [
        file for file in found.others
        if file.suffix.lower() != ".txt" and file.with_suffix("") not in read and _label_file(file).exists()
    ]  # fmt: skip
    if not others:
        return ()
    said = f"{counted(len(others), 'file')} with labels left out: no suffix of an image that is read"
    return (f"{said} (first: {shown(others[0])})",)


def _shared_note(files: Sequence[Path]) -> tuple[str, ...]:
    """A note where images whose names differ in the suffix share a label file; all of them are scored, with it."""
    often = [file for file, times in Counter(files).items() if times > 1 and file.exists()]
    said = f"{counted(len(often), 'label file')} shared by images of one name and several suffixes; all are scored"
    return (f"{said} (first: {shown(often[0])})",) if often else ()


def _no_labels(image: Image, file: Path, count: int) -> str:
    """Why no image has a label file: where the one of the first image is, or what to do."""
    path = Path(os.path.abspath(image.path))
    parts = path.parts
    elsewhere = [
        Path(*parts[:at], "labels", *parts[at + 1 :]) for at, part in enumerate(parts[:-1]) if part == "images"
    ]
    found = [one.with_suffix(".txt") for one in (path, *elsewhere) if one.with_suffix(".txt").exists()]
    advice = f"its labels seem to lie in {found[0]}" if found else "an image without objects needs an empty one"
    return f"none of {counted(count, 'image')} has a label file; {file} would be that of the first, and {advice}"


def _objects(
    file: Path, image: Image, categories: Mapping[int, Any], points: KeyPoints
) -> list[tuple[str, dict[str, Any]]]:
    """The objects in a label file, each with its file and line, and as a COCO annotation without id.

    A row is `class x y w h`, with key points behind it where the data set has them, or `class` and a polygon. All
    coordinates are fractions of the image. A row that is there twice is one object, as in Ultralytics; the note on it
    comes from `without_the_impossible`.
    """
    text = text_of(file, names=True)
    if text and not text.strip("\0"):
        raise ConfigError(f"{file} holds nothing but bytes of zero, as after a crash; write it again")
    lines = enumerate(text.replace("\0", "").splitlines(), 1)
    places = ((f"{file}:{number}", line) for number, line in lines if line.strip())
    return [(place, _object(place, line, image, categories, points)) for place, line in places]


def _object(place: str, line: str, image: Image, categories: Mapping[int, Any], points: KeyPoints) -> dict[str, Any]:
    """A row of a label file as a COCO annotation without id. `place` is the file and line, for errors."""
    try:
        label, *values = (float(word) for word in line.split())
    except ValueError:
        raise ConfigError(f"{place}: not a row of numbers: {line[:60]!r}") from None
    if label not in categories:
        raise ConfigError(f"{place}: class {label:g} is outside the {len(categories)} classes of the data set")
    if points.count and len(values) != 4 + points.count * points.numbers:
        wanted = f"class x y w h and {points.count} key points of {points.numbers}"
        raise ConfigError(f"{place}: expected {wanted}, got {len(values) + 1} numbers")
    if not points.count and len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ConfigError(f"{place}: expected class x y w h or a polygon, got {len(values) + 1} numbers")
    shape = values[:4] if points.count else values
    if not all(LEAST <= value <= LARGEST for value in shape):
        raise ConfigError(f"{place}: coordinates must be fractions of the image, between 0 and 1")
    if len(shape) == 4 and min(shape[2:]) < 0:
        raise ConfigError(f"{place}: the width or height is negative")
    x, y, w, h = _box(shape, image)
    row: dict[str, Any] = {
        "image_id": image.id, "category_id": int(label), "bbox": [x, y, w, h], "area": w * h, OF_BOX: True, "iscrowd": 0
    }  # fmt: skip
    if points.count:
        return row | {"keypoints": _points(place, values[4:], points.numbers, image)}
    if len(values) > 4:
        sides = (image.width, image.height) * (len(values) // 2)
        row["segmentation"] = [[value * side for value, side in zip(values, sides, strict=True)]]
    return row


def _points(place: str, values: list[float], numbers: int, image: Image) -> list[float]:
    """Key points in fractions → x and y in pixels, and COCO's visibility: 0 not labelled, 1 hidden, 2 seen.

    A key point has `numbers` numbers. Without visibility a point is seen unless a coordinate is negative, as in
    Ultralytics.
    """
    found: list[float] = []
    for start in range(0, len(values), numbers):
        x, y = values[start : start + 2]
        seen: float = 2 if x >= 0 and y >= 0 else 0
        if numbers == 3:
            seen = values[start + 2]
        if seen not in (0, 1, 2) or not (math.isfinite(x) and math.isfinite(y)):
            said = " ".join(f"{value:g}" for value in values[start : start + numbers])
            raise ConfigError(f"{place}: a key point is x, y and a visibility of 0, 1 or 2, not {said}")
        found += [x * image.width, y * image.height, int(seen)]
    return found


def _box(values: list[float], image: Image) -> tuple[float, float, float, float]:
    """A box, or the bounding box of a polygon, in fractions → x, y, width, height in pixels; x, y is the top left."""
    if len(values) == 4:
        x, y, w, h = values
        x, y = x - w / 2, y - h / 2
    else:
        x, y = min(values[::2]), min(values[1::2])
        w, h = max(values[::2]) - x, max(values[1::2]) - y
    return x * image.width, y * image.height, w * image.width, h * image.height


def _expect_no_points(rows: Sequence[tuple[str, Mapping[str, Any]]], images: Mapping[int | str, Image]) -> None:
    """Check that what was read as polygons cannot be boxes with key points behind them.

    Raises:
        ConfigError: all rows have as many numbers, and read as boxes with key points they fit.
    """
    outlines = [_outline(row, images[row["image_id"]]) for _, row in rows if "segmentation" in row]
    if len(outlines) < max(ENOUGH, len(rows)) or len({len(outline) for outline in outlines}) > 1:
        return
    for numbers in (3, 2):
        count, left = divmod(len(outlines[0]) - 4, numbers)
        if not left and all(_has_points(outline, numbers) for outline in outlines):
            raise ConfigError(
                f"{rows[0][0]}: the rows are boxes with key points behind them; say `kpt_shape: [{count}, {numbers}]` "
                f"in the YAML, or leave the key points out"
            )


def _outline(row: Mapping[str, Any], image: Image) -> list[float]:
    """The numbers of a polygon's row: x and y in turn, as fractions of the image."""
    (values,) = row["segmentation"]
    return [value / (image.height if at % 2 else image.width) for at, value in enumerate(values)]


def _has_points(values: Sequence[float], numbers: int) -> bool:
    """Whether a row fits as x y w h, a box in the image, with key points of `numbers` numbers behind it.

    With three the last is a visibility. With two the points lie in the box, and reach over half of it.
    """
    sides = list(zip(values[:2], values[2:4], strict=True))
    if any(size <= 0 or middle - size / 2 < LEAST or middle + size / 2 > LARGEST for middle, size in sides):
        return False
    if numbers == 3:
        return all(value in (0, 1, 2) for value in values[6::3]) and not all(value in (0, 1) for value in values)
    reach = []
    for (middle, size), along in zip(sides, (values[4::2], values[5::2]), strict=True):
        seen = [value for value in along if value > 0] or [middle]
        if max(abs(value - middle) for value in seen) > 0.55 * size + 0.001:
            return False
        reach.append((max(seen) - min(seen)) / size)
    return max(reach) > 0.5
