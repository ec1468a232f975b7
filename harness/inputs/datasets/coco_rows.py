"""Annotations of a COCO JSON, checked one by one: what is wrong is told with the entry that is wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.dataset import OF_BOX
from harness.core.errors import ConfigError
from harness.inputs.datasets.objects import Placed
from harness.tasks.registry import TASKS


@dataclass(frozen=True)
class Entries:
    """The ids to which annotations may refer. An id may be a number here and a text there, as VIA writes it."""

    images: Mapping[int | str, int | str]  # id, and id as text → id
    categories: Mapping[int | str, int]  # id, and id as text → category number

    @classmethod
    def of(cls, images: Sequence[int | str], categories: Mapping[int | str, int]) -> Entries:
        """The entries with these ids of images, and these ids and numbers of categories."""
        by_text: dict[int | str, int | str] = {str(one): one for one in images}
        by_name: dict[int | str, int] = {str(one): number for one, number in categories.items()}
        return cls(by_text | {one: one for one in images}, by_name | dict(categories))

    @staticmethod
    def meant(known: Mapping[int | str, Any], said: int | str) -> Any:
        """What an id refers to, as it is or else as a text; None where it is unknown."""
        return known.get(said, known.get(str(said)))


def annotation(path: Path, at: int, row: Mapping[str, Any], entries: Entries) -> Placed:
    """The entries of an annotation that quantgate reads, with defaults for area and iscrowd, and where it stands.

    Raises:
        ConfigError: an entry is missing or wrong, or its image or category is not in the file.
    """
    place = (
        f"dataset {path}: annotation {row['id']}" if row.get("id") is not None else f"dataset {path}: annotations[{at}]"
    )
    for key in ("image_id", "category_id"):
        if row.get(key) is None:
            raise ConfigError(f"{place} has no {key!r}")
    category = Entries.meant(entries.categories, as_id(f"{place} has the category id", row["category_id"]))
    image = Entries.meant(entries.images, as_id(f"{place} has the image id", row["image_id"]))
    if category is None:
        raise ConfigError(f"{place} has unknown category id {row['category_id']}")
    if image is None:
        raise ConfigError(f"{place} is for unknown image {row['image_id']}")
    place = f"{place} of image {image}"
    kept: dict[str, Any] = {"image_id": image, "category_id": category, "bbox": _box(place, row)}
    if row.get("id") is not None:
        kept["id"] = row["id"]
    area = row.get("area")
    if area is None:
        kept[OF_BOX], area = True, kept["bbox"][2] * kept["bbox"][3]
    elif not _is_number(area) or area < 0:
        raise ConfigError(f"{place} has the area {area!r}, which is no number from 0")
    kept |= {"area": area, "iscrowd": _flag(place, row.get("iscrowd"))}
    return place, kept | _shapes(place, row)


def as_id(place: str, value: Any) -> int | str:
    """An id, which is a whole number or a text. Python's numbers are exact at any size; floats are not.

    Raises:
        ConfigError: it is something else; the message begins with `place`.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ConfigError(f"{place} {value!r}, which is neither a whole number nor a text")
    return value


def _box(place: str, row: Mapping[str, Any]) -> list[float]:
    """The x, y, width and height of an annotation in pixels; those of its polygons where it has no box."""
    box = row.get("bbox")
    if not box:
        corners = [value for polygon in _polygons(row.get("segmentation")) for value in polygon]
        if len(corners) < 6 or not all(map(_is_number, corners)):
            raise ConfigError(f"{place} has no bbox, and no polygon from which to take it")
        x, y = min(corners[::2]), min(corners[1::2])
        return [x, y, max(corners[::2]) - x, max(corners[1::2]) - y]
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise ConfigError(f"{place} has the bbox {str(box)[:80]}: malformed entry, it must be four numbers x y w h")
    if min(box[2:]) < 0:
        raise ConfigError(f"{place} has the bbox {box} with a negative width or height; x y is its upper left corner")
    return box


def _shapes(place: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The ground truth of an annotation for other tasks than detection."""
    kept = {task.truth: row[task.truth] for task in TASKS.values() if row.get(task.truth) and task.truth != "bbox"}
    if "segmentation" in kept and isinstance(kept["segmentation"], list):
        kept["segmentation"] = _polygons(kept["segmentation"])
    points = kept.get("keypoints", [])
    if not isinstance(points, list) or len(points) % 3 or not all(map(_is_number, points)):
        raise ConfigError(f"{place} has key points that are not x, y and visibility in numbers, one after the other")
    return kept


def _polygons(segmentation: Any) -> list[Any]:
    """The polygons of a segmentation; one polygon may stand alone, as VIA writes it."""
    if not isinstance(segmentation, list):
        return []
    return [segmentation] if segmentation and all(map(_is_number, segmentation)) else segmentation


def _flag(place: str, value: Any) -> int:
    """Whether an annotation is a crowd: 0 or 1. It is none where nothing is said."""
    flags = {"None": 0, "0": 0, "1": 1, "False": 0, "True": 1, "0.0": 0, "1.0": 1}
    if str(value) not in flags:
        raise ConfigError(f"{place} has iscrowd {value!r}, which is neither 0 nor 1")
    return flags[str(value)]


def _is_number(value: Any) -> bool:
    """Whether an entry is a number that a float can hold, so neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
