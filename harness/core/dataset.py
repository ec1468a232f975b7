"""A data set: the images of one split and their ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from harness.core.errors import ConfigError

BOX = ("image_id", "category_id", "bbox", "area", "iscrowd")
"""The entries that every annotation has. `bbox` is x, y, width, height in pixels; `area` is in square pixels."""

OF_BOX = "area_of_box"
"""Marks an annotation whose source gave no area: its `area` is the area of its box."""


@dataclass(frozen=True)
class Image:
    """One image of a data set."""

    id: int | str  # unique in the data set, as its source has it; numbers may exceed 64 bits
    path: str  # of the file
    width: int  # pixels, as displayed
    height: int  # pixels, as displayed
    digest: str  # sha256 of the file, in hexadecimal


def by_id(image: Image) -> tuple[bool, int | str]:
    """The key that sorts images by their ids: numbers first, then texts."""
    return _numbers_first(image.id)


def _numbers_first(number: int | str) -> tuple[bool, int | str]:
    """The key that sorts the ids of images."""
    return isinstance(number, str), number


@dataclass(frozen=True)
class Dataset:
    """The images of one split, with ground truth as COCO writes it."""

    name: str  # in messages and results
    images: tuple[Image, ...]  # in the order of the source
    categories: Mapping[int, str] = field(default_factory=dict)  # category id → name
    annotations: Sequence[Mapping[str, Any]] = ()  # rows of COCO: BOX, and maybe masks and key points
    task: str = "detect"  # the ground truth scores models of this task
    truth: str = "bbox"  # the entry of an annotation that holds the ground truth of the task
    sigmas: tuple[float, ...] = ()  # of each key point in OKS: how far it may be off; empty: the pose task's defaults
    notes: tuple[str, ...] = ()  # what a reader of the results must know about the data set

    @cached_property
    def digest(self) -> str:
        """A hash of the image files and of the ground truth of the task, 16 hexadecimal digits; paths do not matter."""
        images = [(image.id, image.digest) for image in self.images]
        boxes = sorted(
            ([a[key] for key in BOX] for a in self.annotations), key=lambda row: [_numbers_first(row[0]), *row[1:]]
        )
        parts: list[Any] = [images, sorted(self.categories.items()), boxes]
        if self.task != "detect":
            parts.append(sorted(json.dumps([a[key] for key in (*BOX, self.truth)]) for a in self.annotations))
            parts.append(self.sigmas)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def of_images(self, images: Sequence[Image]) -> Dataset:
        """The data set with only these of its `images`, and their ground truth."""
        ids = {image.id for image in images}
        rows = [row for row in self.annotations if row["image_id"] in ids]
        return replace(self, images=tuple(images), annotations=rows)

    def first(self, images: int) -> Dataset:
        """The data set with only its first `images` images, and their ground truth."""
        return self.of_images(self.images[:images])

    @property
    def points(self) -> int:
        """How many key points each object has; 0 where no object has key points.

        Raises:
            ConfigError: two objects have different numbers of key points.
        """
        numbers = {len(row["keypoints"]) // 3 for row in self.annotations if row.get("keypoints")}
        if len(numbers) > 1:
            raise ConfigError(f"dataset {self.name}: its objects have {sorted(numbers)} key points, not all as many")
        return numbers.pop() if numbers else 0
