"""YOLO YAML: `images/…` and `labels/…`, one row per object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.core.dataset import OF_BOX, Dataset, Image
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import existing, images_in, numbered


def parse_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"dataset {path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"dataset {path} is not a YOLO YAML: it has no 'train', 'val' and 'names'")
    return content


def _splits(path: Path, split: str) -> list[Path]:
    content = parse_yaml(path)
    if not content.get(split):
        raise ConfigError(f"dataset {path} has no {split!r} split; it has {', '.join(map(str, content)) or 'nothing'}")
    bases = [path.parent / str(content.get("path") or "."), path.parent]
    entries = content[split] if isinstance(content[split], list) else [content[split]]
    return [existing(path, split, [base / str(entry) for base in bases]) for entry in entries]


def same_splits(path: Path) -> bool:
    content = parse_yaml(path)
    return bool(content.get("train")) and content.get("train") == content.get("val")


def read_yolo(path: Path, split: str) -> Dataset:
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


def _kpt_shape(path: Path, declared: Any) -> tuple[int, int]:
    """`kpt_shape`: how many key points an object has, and how many numbers each; zeros without any."""
    if declared is None:
        return 0, 0
    count, numbers = declared if isinstance(declared, list) and len(declared) == 2 else (0, 0)
    if not isinstance(count, int) or count < 1 or numbers not in (2, 3):
        raise ConfigError(f"dataset {path}: 'kpt_shape' must be [key points, 2 or 3], not {declared!r}")
    return count, numbers


def _sigmas(path: Path, declared: Any, points: tuple[int, int]) -> tuple[float, ...]:
    """`kpt_oks_sigmas` where it is declared; else COCO's for its 17 points with visibility, and one for all others.

    As Ultralytics has it (`PoseValidator`).
    """
    if declared is None:
        return () if points in ((0, 0), (17, 3)) else (1 / points[0],) * points[0]
    if not isinstance(declared, list) or len(declared) != points[0] or not all(isinstance(s, float) for s in declared):
        raise ConfigError(f"dataset {path}: 'kpt_oks_sigmas' must be {points[0]} numbers, one a key point")
    return tuple(declared)


def _labels(image: Image, categories: Mapping[int, Any], points: tuple[int, int]) -> list[dict[str, Any]]:
    """Rows `class x y w h`, then key points where the data set has them, or a polygon; fractions of the image.

    No file means no objects.
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


def _object(
    place: str, line: str, image: Image, categories: Mapping[int, Any], points: tuple[int, int]
) -> dict[str, Any]:
    """A row of a label file as COCO's annotation; `place` is its file and line."""
    try:
        label, *values = (float(word) for word in line.split())
    except ValueError:
        raise ConfigError(f"{place}: not a row of numbers: {line[:60]!r}") from None
    if label not in categories:
        raise ConfigError(f"{place}: class {label:g} is outside the {len(categories)} classes of the data set")
    count, numbers = points
    if count and len(values) != 4 + count * numbers:
        raise ConfigError(
            f"{place}: expected class x y w h and {count} key points of {numbers}, got {len(values) + 1} numbers"
        )
    if not count and len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ConfigError(f"{place}: expected class x y w h or a polygon, got {len(values) + 1} numbers")
    shape = values[:4] if count else values
    if not all(-1e-3 <= value <= 1 + 1e-3 for value in shape):
        raise ConfigError(f"{place}: coordinates must be fractions of the image, between 0 and 1")
    x, y, w, h = _box(shape, image)
    row = {
        "image_id": image.id, "category_id": int(label), "bbox": [x, y, w, h], "area": w * h, OF_BOX: True, "iscrowd": 0
    }  # fmt: skip
    if count:
        return row | {"keypoints": _points(place, values[4:], numbers, image)}
    if len(values) > 4:
        scaled = [
            value * side for value, side in zip(values, (image.width, image.height) * (len(values) // 2), strict=True)
        ]
        row["segmentation"] = [scaled]
    return row


def _points(place: str, values: list[float], numbers: int, image: Image) -> list[float]:
    """Fractions, with or without visibility → x, y, visibility as of COCO: 0 not labelled, 1 hidden, 2 seen.

    Without one, a point is seen unless a coordinate is negative, as Ultralytics has it.
    """
    found: list[float] = []
    for start in range(0, len(values), numbers):
        x, y = values[start : start + 2]
        seen = values[start + 2] if numbers == 3 else 2 * (x >= 0 and y >= 0)
        if seen not in (0, 1, 2) or not (math.isfinite(x) and math.isfinite(y)):
            said = " ".join(f"{value:g}" for value in values[start : start + numbers])
            raise ConfigError(f"{place}: a key point is x, y and a visibility of 0, 1 or 2, not {said}")
        found += [x * image.width, y * image.height, int(seen)]
    return found


def _box(values: list[float], image: Image) -> tuple[float, float, float, float]:
    """Fractions → x, y, width, height in pixels."""
    if len(values) == 4:
        x, y, w, h = values
        x, y = x - w / 2, y - h / 2
    else:
        x, y = min(values[::2]), min(values[1::2])
        w, h = max(values[::2]) - x, max(values[1::2]) - y
    return x * image.width, y * image.height, w * image.width, h * image.height
