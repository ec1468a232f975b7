"""What a data set is, and what its two formats have in common: images, their hashes and their sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.core.dataset import Image
from harness.core.errors import ConfigError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


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
