"""Image files as they are: what the header says, whether the file is whole, and its pixels as they are displayed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import ConfigError
from harness.core.files import LFS
from harness.core.words import printable

TURNED = range(5, 9)
"""EXIF orientations that exchange width and height."""

ORIENTATION, BITS = 0x0112, 0x0102
"""The numbers of EXIF's and TIFF's tags Orientation and BitsPerSample."""


MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # of a JPEG's segments; the others belong to pixels
END, SCAN = b"\xff\xd9", b"\xff\xda"
LOST = re.compile(r"Corrupt JPEG data: (?:premature end|bad Huffman|\d+ extraneous bytes before marker 0xd[0-7])[^\n]*")
"""What libjpeg says where pixels are lost; bytes before the end or between headers do no harm."""


@dataclass(frozen=True)
class ImageFile:
    """What an image file says about itself, without its pixels."""

    path: str
    digest: str  # sha256 of the file, in hexadecimal
    width: int  # pixels, as displayed
    height: int  # pixels, as displayed
    orientation: int = 1  # EXIF's: how the stored pixels are turned for display; 1: not at all
    peak: int = 0  # of 16 bits per channel, the value that one pixel in a thousand exceeds; 0 for other images

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as displayed."""
        return self.width, self.height

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height in pixels, before the EXIF orientation turns them."""
        return (self.height, self.width) if self.orientation in TURNED else self.size


def inspect_image(path: Path) -> ImageFile:
    """Read and hash an image file, and look at its header.

    Raises:
        ConfigError: the file cannot be read, is no image, or ends too early.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        broken = "; it is a link to a file that is not there" if path.is_symlink() and not path.exists() else ""
        raise ConfigError(f"image {path} cannot be read: {error.strerror}{broken}") from None
    if content.startswith(LFS):
        raise ConfigError(f"image {path} is a pointer of Git LFS, not the image; run `git lfs pull`")
    try:
        width, height, orientation, deep = _header(content)
    except (OSError, ValueError, SyntaxError, ImportError) as error:
        raise ConfigError(f"image {path} cannot be read: {_reason(error)}") from None
    if not _whole(content):
        raise ConfigError(f"image {path} ends too early, as after an interrupted copy; copy it again, or leave it out")
    peak = _peak(content) if deep else 0
    return ImageFile(str(path), hashlib.sha256(content).hexdigest(), width, height, orientation, peak)


def decode_image(path: str) -> Any:
    """Decode an image file to BGR, uint8 [H, W, 3], as it is displayed: turned by its EXIF orientation.

    Python reads the bytes, since OpenCV crashes on a name that is not UTF-8.

    Raises:
        ConfigError: the file cannot be read or decoded.
    """
    import cv2

    try:
        content = Path(path).read_bytes()
        with contextlib.suppress(cv2.error):
            _, _, orientation, _ = _header(content)
            if orientation == 1 or not _is_tiff(content):
                flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
                with _heard() as heard:
                    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
                if lost := LOST.search(heard[0]):
                    raise ValueError(f"it is damaged ({lost[0]}); copy it again, or leave it out")
                if picture is not None:
                    return np.ascontiguousarray(turn(picture, orientation))
        with _opened(content) as image:  # what OpenCV cannot decode, such as a TIFF that is turned
            return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
    except (OSError, ValueError, SyntaxError, ImportError) as error:
        raise ConfigError(f"image {path} cannot be decoded: {_reason(error)}") from None


def turn(pixels: Any, orientation: int) -> Any:
    """Stored pixels [H, W, ...] as an EXIF `orientation` displays them."""
    if orientation in TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def turn_point(x: float, y: float, orientation: int, stored: tuple[int, int]) -> tuple[float, float]:
    """A point in stored pixels as an EXIF `orientation` displays it. `stored` is the width and height in pixels."""
    width, height = stored
    if orientation in TURNED:
        x, y, width, height = y, x, height, width
    return (width - x if orientation in (2, 3, 6, 7) else x), (height - y if orientation in (3, 4, 7, 8) else y)


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    """An image file in Pillow, whose limit of pixels is lifted: an aerial mosaic is larger, and OpenCV has its own."""
    import PIL.Image

    limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata do not matter
            with PIL.Image.open(io.BytesIO(content)) as image:
                yield image
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit


def _header(content: bytes) -> tuple[int, int, int, bool]:
    """Width and height as displayed, the EXIF orientation, and whether a channel has 16 bits.

    An orientation that is no whole number from 1 to 8, such as a text, turns nothing, as in OpenCV.
    """
    import PIL.Image

    with _opened(content) as image:
        tags: Any = getattr(image, "tag_v2", None)
        if tags is None:
            tags = PIL.Image.Exif()
            tags.load(image.info.get("exif", b""))
        declared = tags.get(ORIENTATION, 1)
        orientation = declared if isinstance(declared, int) and 1 <= declared <= 8 else 1
        width, height = image.size
        if orientation in TURNED and image.format != "TIFF":  # Pillow gives a TIFF as it is displayed
            width, height = height, width
        bits = {"PNG": content[24:25] == b"\x10", "TIFF": "16" in str(tags.get(BITS)), "JPEG2000": True}
        deep = image.mode.startswith("I;16") or bits.get(image.format or "", False)
        return width, height, orientation, deep


def _whole(content: bytes) -> bool:
    """Whether an image file has its end. OpenCV fills a JPEG that has none with grey, and says nothing."""
    if content.startswith(b"\xff\xd8"):
        return _jpeg_ends(content)
    if content.startswith(b"\x89PNG"):
        return b"\0\0\0\0IEND" in content
    try:
        with _opened(content) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as error:
        return "truncated" not in str(error)
    return True


def _jpeg_ends(content: bytes) -> bool:
    """Whether a JPEG has an end behind its pixels. Thumbnails have one too, and a video may follow in the file."""
    at, scanned = 2, False
    while found := MARKER.search(content, at):
        if found[0] == END and scanned:
            return True
        scanned = scanned or found[0] == SCAN
        at = found.end() + (0 if found[0] == END else int.from_bytes(content[found.end() : found.end() + 2], "big"))
    return False


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """What libraries in C write to standard error meanwhile: one text, once the block is left; it is written on."""
    heard: list[str] = []
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said = file.read()
            os.write(2, said)
            heard.append(said.decode(errors="replace"))


def _peak(content: bytes) -> int:
    """The value that one pixel in a thousand exceeds, with 16 bits per channel; 0 where OpenCV cannot tell."""
    import cv2

    pixels = None
    with contextlib.suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return int(np.percentile(pixels, 99.9)) if pixels is not None and pixels.dtype == np.uint16 else 0


def _is_tiff(content: bytes) -> bool:
    return content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _reason(error: BaseException) -> str:
    """Why Pillow fails, without the object that it names where there is no file."""
    unknown = isinstance(error, ImportError) or "identify" in str(error)  # ImportError: of a plugin for HEIF
    return "it is no image that Pillow or OpenCV knows" if unknown else printable(str(error))
