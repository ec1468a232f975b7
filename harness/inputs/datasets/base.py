"""What the two formats of data sets have in common: finding image files, reading text, and noting what is unusual."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.dataset import Image
from harness.core.errors import ConfigError
from harness.core.files import LFS
from harness.core.words import counted, is_whole, printable
from harness.inputs.image_files import ImageFile, inspect_image

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".mpo", ".jp2", ".avif",
    ".heic", ".heif",
}  # fmt: skip
"""Suffixes of image files, in lower case."""

DARK = 1 << 15  # a 16-bit image with hardly a value from here on loses its highest bits when read as 8 bits


@dataclass(frozen=True)
class Found:
    """The image files of a split."""

    files: Sequence[Path]  # sorted, each once
    others: Sequence[Path] = ()  # files of its folders whose suffix is not that of an image
    notes: tuple[str, ...] = ()


def existing(declared_in: Path, what: str, candidates: Sequence[Path]) -> Path:
    """The first candidate that exists.

    Raises:
        ConfigError: none exists; the message names the file that declares it, `what` it is, and the first candidate.
    """
    for candidate in candidates:
        if os.path.exists(candidate):  # which is false for a name that no system allows
            return candidate
    link = "; it is a link to a file that is not there" if os.path.islink(candidates[0]) else ""
    raise ConfigError(f"dataset {declared_in}: {what} {candidates[0]} does not exist{link}")


def text_of(path: Path, names: bool = False) -> str:
    """The text of a file in UTF-8, or in UTF-16 where it begins with that mark.

    With `names` the text holds names of files, and a byte that is not UTF-8 is kept as Python keeps it in a path.

    Raises:
        ConfigError: the file cannot be read, or is no such text.
    """
    try:
        content = path.read_bytes()
        if content.startswith(LFS):
            raise ConfigError(f"{path} is a pointer of Git LFS, not the file; run `git lfs pull`")
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        return content.decode("utf-8-sig", "surrogateescape" if names else "strict")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is no text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from None


def images_in(places: Iterable[Path]) -> Found:
    """The image files in folders and their subfolders, or listed in text files, or named themselves.

    Links are followed, to folders too. Hidden files are left out, as those that macOS writes beside images. Lines of a
    text file are paths relative to its folder or to the working directory, or absolute.

    Raises:
        ConfigError: a text file cannot be read, or lists a file that does not exist.
    """
    files: list[Path] = []
    others: list[Path] = []
    notes = []
    for place in places:
        if place.is_dir():
            for file in walk(place):
                (files if file.suffix.lower() in SUFFIXES else others).append(file)
        elif place.suffix.lower() in SUFFIXES:
            files.append(place)
        else:
            listed = _listed(place)
            twice = len(listed) - len(set(listed))
            notes += [f"{place.name} lists {counted(twice, 'image')} more than once; each counts once"] if twice else []
            files += listed
    return Found(sorted(set(files)), sorted(set(others)), tuple(notes))


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, through links too, without hidden files and folders."""
    above: dict[str, frozenset[str]] = {}  # folder → the real paths of it and of those above it
    for place, folders, files in os.walk(folder, followlinks=True):
        chain = above.pop(place, frozenset()) | {os.path.realpath(place)}
        folders[:] = [
            one for one in folders
            if not one.startswith(".") and os.path.realpath(os.path.join(place, one)) not in chain
        ]  # fmt: skip
        above |= {os.path.join(place, one): chain for one in folders}
        yield from (Path(place, file) for file in files if not file.startswith("."))


def _listed(file: Path) -> list[Path]:
    """The images that a text file lists."""
    lines = [line.strip().strip("\"'") for line in text_of(file, names=True).splitlines()]
    spellings = [[line, line.replace("\\", "/")] for line in lines if line]
    return [
        existing(file, "image", [base / line for line in both for base in (file.parent, Path.cwd())])
        for both in spellings
    ]


def numbered(files: Sequence[Path]) -> tuple[tuple[Image, ...], tuple[str, ...]]:
    """Load images, with file names as ids where they are different numbers, as in COCO; else numbered from 1.

    Returns:
        The images, and notes on them.

    Raises:
        ConfigError: an image cannot be read.
    """
    stems = [file.stem for file in files]
    numeric = all(map(is_whole, stems)) and len(set(map(int, stems))) == len(stems)
    found = [inspect_image(file) for file in files]
    numbers = map(int, stems) if numeric else range(1, len(files) + 1)
    return tuple(as_image(number, one) for number, one in zip(numbers, found, strict=True)), dark_note(found)


def as_image(number: int | str, file: ImageFile) -> Image:
    """An image of a data set, from its file."""
    return Image(number, file.path, file.width, file.height, file.digest)


def load_image(number: int | str, path: Path) -> Image:
    """Hash an image file, and read its size as displayed.

    Raises:
        ConfigError: the image cannot be read.
    """
    return as_image(number, inspect_image(path))


def dark_note(files: Sequence[ImageFile]) -> tuple[str, ...]:
    """A note where most images of 16 bits per channel hold fewer bits: read as 8 bits, they are nearly black."""
    deep = [file for file in files if file.peak]
    dark = [file for file in deep if file.peak < DARK]
    if 2 * len(dark) <= len(deep):
        return ()
    return (
        f"{counted(len(dark), 'image')} of 16 bits per channel with hardly a value above "
        f"{max(file.peak for file in dark)}: read as 8 bits, as OpenCV and Ultralytics read them, they are nearly "
        f"black; scale them to 16 bits (first: {shown(dark[0].path)})",
    )


def shown(path: str | Path) -> str:
    """A path for a note: its last three parts."""
    return printable("/".join(Path(path).parts[-3:]))
