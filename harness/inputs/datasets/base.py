"""What a data set is, and what its two formats have in common: images, their hashes and their sizes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.core.dataset import Task
from harness.core.errors import ConfigError
from harness.tasks.registry import BOX, TRUTH, truth

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


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
    annotations: Sequence[Mapping[str, Any]] = ()  # COCO's: BOX, and what TRUTH names where the file has it
    task: Task = "detect"  # what the ground truth is used for
    sigmas: tuple[float, ...] = ()  # how far each key point may be off; empty: COCO's rule (`evaluation.sigmas`)

    @cached_property
    def digest(self) -> str:
        """Hash of the pixels and of the ground truth of the task, independent of where they lie."""
        images = [(image.id, image.digest) for image in self.images]
        boxes = sorted([a[key] for key in BOX] for a in self.annotations)
        parts: list[Any] = [images, sorted(self.categories.items()), boxes]
        if self.task != "detect":
            parts.append(sorted(json.dumps([a[key] for key in (*BOX, TRUTH[self.task])]) for a in self.annotations))
            parts.append(self.sigmas if self.task == "pose" else ())
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def of_task(self, task: Task) -> Dataset:
        """The same images with the ground truth that models of `task` are scored by.

        Raises:
            ConfigError: an object has none of it.
        """
        return self if task == self.task else replace(self, task=task, annotations=truth(self, task))

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


def existing(declared_in: Path, what: str, candidates: Sequence[Path]) -> Path:
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise ConfigError(f"dataset {declared_in}: {what} {candidates[0]} does not exist")


def images_in(places: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += [file for file in place.rglob("*") if file.suffix.lower() in SUFFIXES]
        else:
            lines = [place.parent / line.strip() for line in place.read_text().splitlines() if line.strip()]
            files += [existing(place, "image", [line]) for line in lines]
    return sorted(set(files))


def numbered(files: Sequence[Path]) -> tuple[Image, ...]:
    """COCO file names are their image ids; anything else is numbered in order."""
    numeric = all(file.stem.isdigit() for file in files) and len({int(f.stem) for f in files}) == len(files)
    return tuple(load_image(int(file.stem) if numeric else number, file) for number, file in enumerate(files, 1))


def load_image(number: int, path: Path, width: int = 0, height: int = 0) -> Image:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not (width and height):
            width, height = _size(path)
    except (OSError, ImportError) as error:  # once Ultralytics is imported, Pillow looks for a HEIF plugin first
        raise ConfigError(f"image {path} cannot be read: {error}") from None
    return Image(number, str(path), width, height, digest)


def _size(path: Path) -> tuple[int, int]:
    """Width and height as displayed: OpenCV turns an image by its EXIF orientation, so its size turns too."""
    import PIL.Image

    with PIL.Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        return (image.height, image.width) if turned else (image.width, image.height)
