"""YOLO YAML: images below `images/`, label files below `labels/` with one row per object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.core.dataset import OF_BOX, Dataset, Image
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import existing, images_in, numbered


@dataclass(frozen=True)
class _KeyPoints:
    """The key points of a data set, as its `kpt_shape` declares them."""

    count: int = 0  # key points per object; 0: the data set has none
    numbers: int = 0  # numbers per key point: 2 for x and y, 3 with visibility


NO_POINTS, COCO_POINTS = _KeyPoints(), _KeyPoints(17, 3)


def parse_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        ConfigError: the file cannot be read, or holds no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"dataset {path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"dataset {path} is not a YOLO YAML: it has no 'train', 'val' and 'names'")
    return content


def _splits(path: Path, split: str) -> list[Path]:
    """The folders and text files of a split, relative to the YAML's `path` entry or to its folder."""
    content = parse_yaml(path)
    if not content.get(split):
        raise ConfigError(f"dataset {path} has no {split!r} split; it has {', '.join(map(str, content)) or 'nothing'}")
    bases = [path.parent / str(content.get("path") or "."), path.parent]
    entries = content[split] if isinstance(content[split], list) else [content[split]]
    return [existing(path, split, [base / str(entry) for base in bases]) for entry in entries]


def same_splits(path: Path) -> bool:
    """Whether train and val of a YOLO YAML are declared as the same images."""
    content = parse_yaml(path)
    return bool(content.get("train")) and content.get("train") == content.get("val")


def read_yolo(path: Path, split: str) -> Dataset:
    """Read one split of a YOLO YAML, "train" or "val".

    Raises:
        ConfigError: the YAML, its split, an image or a label is missing or malformed; labels are told by file and line.
    """
    content = parse_yaml(path)
    names = content.get("names")
    if not isinstance(names, dict | list) or not names:
        raise ConfigError(f"dataset {path} has no 'names': a list of class names, or a mapping from index to name")
    categories = dict(names.items() if isinstance(names, dict) else enumerate(names))
    if not all(isinstance(index, int) for index in categories):
        raise ConfigError(f"dataset {path}: 'names' must map class indices to names, not {next(iter(categories))!r}")
    files = images_in(_splits(path, split))
    if not files:
        raise ConfigError(f"dataset {path}: the {split!r} split holds no images")
    images = numbered(files)
    points = _kpt_shape(path, content.get("kpt_shape"))
    annotations = [row for image in images for row in _labels(image, categories, points)]
    for number, row in enumerate(annotations, 1):
        row["id"] = number
    sigmas = _sigmas(path, content.get("kpt_oks_sigmas"), points)
    return Dataset(path.stem, images, {k: str(v) for k, v in categories.items()}, annotations, sigmas=sigmas)


def _kpt_shape(path: Path, declared: Any) -> _KeyPoints:
    """The key points that the entry `kpt_shape` declares; `NO_POINTS` without the entry."""
    if declared is None:
        return NO_POINTS
    count, numbers = declared if isinstance(declared, list) and len(declared) == 2 else (0, 0)
    if not isinstance(count, int) or count < 1 or numbers not in (2, 3):
        raise ConfigError(f"dataset {path}: 'kpt_shape' must be [key points, 2 or 3], not {declared!r}")
    return _KeyPoints(count, numbers)


def _sigmas(path: Path, declared: Any, points: _KeyPoints) -> tuple[float, ...]:
    """How far each key point may be off, from the entry `kpt_oks_sigmas`; empty: by COCO's rule.

    Without the entry it is COCO's rule for 17 points with visibility, and 1 / count for all others, as in Ultralytics'
    `PoseValidator`.
    """
    if declared is None:
        return () if points in (NO_POINTS, COCO_POINTS) else (1 / points.count,) * points.count
    numbers = isinstance(declared, list) and all(isinstance(sigma, float) for sigma in declared)
    if not numbers or len(declared) != points.count:
        raise ConfigError(f"dataset {path}: 'kpt_oks_sigmas' must be {points.count} numbers, one per key point")
    return tuple(declared)


def _labels(image: Image, categories: Mapping[int, Any], points: _KeyPoints) -> list[dict[str, Any]]:
    """The objects of an image as COCO annotations without ids, from its label file; none without a file.

    A row is `class x y w h`, with key points behind it where the data set has them, or `class` and a polygon. All
    coordinates are fractions of the image.
    """
    path = Path(image.path)
    parts = list(path.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    file = Path(*parts).with_suffix(".txt")
    try:
        lines = file.read_text().splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    places = ((f"{file}:{number}", line) for number, line in enumerate(lines, 1) if line.strip())
    return [_object(place, line, image, categories, points) for place, line in places]


def _object(place: str, line: str, image: Image, categories: Mapping[int, Any], points: _KeyPoints) -> dict[str, Any]:
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
    if not all(-1e-3 <= value <= 1 + 1e-3 for value in shape):
        raise ConfigError(f"{place}: coordinates must be fractions of the image, between 0 and 1")
    x, y, w, h = _box(shape, image)
    row = {
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
