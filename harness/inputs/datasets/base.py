"""What the two formats of data sets have in common: finding image files, their hashes and their sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.core.dataset import Image
from harness.core.errors import ConfigError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
"""Suffixes of image files, in lower case."""


def existing(declared_in: Path, what: str, candidates: Sequence[Path]) -> Path:
    """The first candidate that exists.

    Raises:
        ConfigError: none exists; the message names the file that declares it, `what` it is, and the first candidate.
    """
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise ConfigError(f"dataset {declared_in}: {what} {candidates[0]} does not exist")


def images_in(places: Iterable[Path]) -> list[Path]:
    """The image files in folders and their subfolders, or listed in text files; sorted, each once.

    Lines of a text file are paths relative to its folder, or absolute.

    Raises:
        ConfigError: a text file lists a file that does not exist.
    """
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += [file for file in place.rglob("*") if file.suffix.lower() in SUFFIXES]
        else:
            lines = [place.parent / line.strip() for line in place.read_text().splitlines() if line.strip()]
            files += [existing(place, "image", [line]) for line in lines]
    return sorted(set(files))


def numbered(files: Sequence[Path]) -> tuple[Image, ...]:
    """Load images, with file names as ids where they are different numbers, as in COCO; else numbered from 1.

    Raises:
        ConfigError: an image cannot be read.
    """
    numeric = all(file.stem.isdigit() for file in files) and len({int(f.stem) for f in files}) == len(files)
    return tuple(load_image(int(file.stem) if numeric else number, file) for number, file in enumerate(files, 1))


def load_image(number: int, path: Path, width: int = 0, height: int = 0) -> Image:
    """Hash an image file. Its size in pixels is read from the file where `width` or `height` is 0.

    Raises:
        ConfigError: the image cannot be read.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not (width and height):
            width, height = _size(path)
    except (OSError, ImportError) as error:  # ImportError: with Ultralytics imported, Pillow looks for a HEIF plugin
        raise ConfigError(f"image {path} cannot be read: {error}") from None
    return Image(number, str(path), width, height, digest)


def _size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, as displayed: OpenCV turns an image by its EXIF orientation."""
    import PIL.Image

    with PIL.Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5  # tag Orientation: values from 5 turn by 90° or 270°
        return (image.height, image.width) if turned else (image.width, image.height)
