"""YOLO label files: where they lie, and their rows as COCO annotations."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.dataset import OF_BOX, Image
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import plural, shown, text_of
from harness.inputs.datasets.objects import without_the_impossible
from harness.inputs.datasets.plausible import outside_note

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
    notes = (*notes, *outside_note(rows, {image.id: image for image in images}))
    lacking = [at for at, file in enumerate(files) if not file.exists()]
    if len(lacking) == len(images):
        return Labels(kept, notes, _no_labels(images[0], files[0], len(images)))
    if lacking:
        first = shown(files[lacking[0]])
        said = f"{len(lacking)} of {plural(len(images), 'image')} have no label file and count as without objects"
        notes = (f"{said} (first: {first})", *notes)
    return Labels(kept, notes, "")


def _label_file(image: Path) -> Path:
    """The label file of an image, where Ultralytics looks: the last folder `images` of its path is `labels` there."""
    head, found, tail = os.path.abspath(image).rpartition(f"{os.sep}images{os.sep}")
    file = Path(f"{head}{os.sep}labels{os.sep}{tail}" if found else tail).with_suffix(".txt")
    return next((one for one in (file, file.with_suffix(".TXT")) if one.exists()), file)


def _no_labels(image: Image, file: Path, count: int) -> str:
    """Why no image has a label file: where the one of the first image is, or what to do."""
    path = Path(os.path.abspath(image.path))
    parts = path.parts
    elsewhere = [
        Path(*parts[:at], "labels", *parts[at + 1 :]) for at, part in enumerate(parts[:-1]) if part == "images"
    ]
    found = [one.with_suffix(".txt") for one in (path, *elsewhere) if one.with_suffix(".txt").exists()]
    advice = f"its labels seem to lie in {found[0]}" if found else "an image without objects needs an empty one"
    return f"none of {plural(count, 'image')} has a label file; {file} would be that of the first, and {advice}"


def _objects(
    file: Path, image: Image, categories: Mapping[int, Any], points: KeyPoints
) -> list[tuple[str, dict[str, Any]]]:
    """The objects in a label file, each with its file and line, and as a COCO annotation without id.

    A row is `class x y w h`, with key points behind it where the data set has them, or `class` and a polygon. All
    coordinates are fractions of the image. A row that is there twice is one object, as in Ultralytics; the note on it
    comes from `without_the_impossible`.
    """
    lines = enumerate(text_of(file, names=True).replace("\0", "").splitlines(), 1)
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
