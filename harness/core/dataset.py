"""What a data set is: images and their ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from harness.core.errors import ConfigError

BOX = ("image_id", "category_id", "bbox", "area", "iscrowd")
"""Of every annotation: xywh in pixels, area in square pixels."""

OF_BOX = "area_of_box"
"""Entry of an annotation whose source gave no area: its `area` is that of the box."""


@dataclass(frozen=True)
class Image:
    """One image of a data set."""

    id: int
    path: str
    width: int  # pixels, as displayed
    height: int
    digest: str  # sha256 of the file


@dataclass(frozen=True)
class Dataset:
    """Images of one split with COCO ground truth."""

    name: str
    images: tuple[Image, ...]
    categories: Mapping[int, str] = field(default_factory=dict)  # category id → name
    annotations: Sequence[Mapping[str, Any]] = ()  # COCO's: BOX, and masks and key points where the file has them
    task: str = "detect"  # the task whose models the ground truth scores
    truth: str = "bbox"  # the entry of an annotation that is the ground truth of the task
    sigmas: tuple[float, ...] = ()  # how far each key point may be off; empty: COCO's rule

    @cached_property
    def digest(self) -> str:
        """Hash of the pixels and of the ground truth of the task, independent of where they lie."""
        images = [(image.id, image.digest) for image in self.images]
        boxes = sorted([a[key] for key in BOX] for a in self.annotations)
        parts: list[Any] = [images, sorted(self.categories.items()), boxes]
        if self.task != "detect":
            parts.append(sorted(json.dumps([a[key] for key in (*BOX, self.truth)]) for a in self.annotations))
            parts.append(self.sigmas)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def of_images(self, images: Sequence[Image]) -> Dataset:
        """Some of its images, with their ground truth."""
        ids = {image.id for image in images}
        rows = [row for row in self.annotations if row["image_id"] in ids]
        return replace(self, images=tuple(images), annotations=rows)

    def first(self, images: int) -> Dataset:
        """The first images of the data set, with their ground truth."""
        return self.of_images(self.images[:images])

    @property
    def points(self) -> int:
        """Key points of an object; 0 where nothing has any.

        Raises:
            ConfigError: not all have as many.
        """
        numbers = {len(row["keypoints"]) // 3 for row in self.annotations if row.get("keypoints")}
        if len(numbers) > 1:
            raise ConfigError(f"dataset {self.name}: its objects have {sorted(numbers)} key points, not all as many")
        return numbers.pop() if numbers else 0
