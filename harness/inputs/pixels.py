"""Images of a data set as what networks take: decoded, letterboxed, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.dataset import Image
from harness.core.errors import ConfigError
from harness.machine.fingerprint import version
from harness.machine.worker import Channel
from harness.tasks.decode import DECODING_VERSION
from harness.tasks.preprocess import letterbox

OPENCV = ("python", "python-headless", "contrib-python", "contrib-python-headless")
"""Distributions that bring cv2, whose resizing and JPEG decoder shape the pixels."""


def pixels_key(images: Sequence[Image], size: int) -> str:
    """Everything that shapes the letterboxed bytes of `images`."""
    shown = [(image.digest, image.width, image.height) for image in images]
    opencv = [version(f"opencv-{name}") for name in OPENCV]
    text = json.dumps([size, DECODING_VERSION, opencv, shown])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class LetterboxJob:
    """Decode and letterbox images into one .npy of bytes [N, 3, S, S]."""

    images: Sequence[Image]
    size: int
    target: str

    def run(self, channel: Channel) -> None:
        shape = (len(self.images), 3, self.size, self.size)
        with open(self.target, "wb") as file:  # written and not mapped: a full disk is an error, not a signal
            np.lib.format.write_array_header_1_0(
                file,
                {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape},
            )
            for done, image in enumerate(self.images, 1):
                file.write(letterbox(read_image(image), self.size).tobytes())
                channel.progress(done, len(self.images))


def read_image(image: Image) -> Any:
    """Decode to BGR in the orientation that the ground truth was drawn in.

    OpenCV turns an image by its EXIF orientation; a COCO JSON usually has the size before that. The size tells.
    """
    import cv2

    flags = (cv2.IMREAD_COLOR, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    pictures = (cv2.imread(image.path, flag) for flag in flags)
    sizes = []
    for picture in pictures:
        if picture is None:
            raise ConfigError(f"image {image.path} cannot be decoded")
        sizes.append((picture.shape[1], picture.shape[0]))
        if sizes[-1] == (image.width, image.height):
            return picture
    raise ConfigError(
        f"image {image.path} has {sizes[0][0]}×{sizes[0][1]} pixels, its data set says {image.width}×{image.height}"
    )


def intact(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a pixels file is whole; by its shape, since hashing it takes as long as decoding."""
    try:
        return bool(np.load(path, mmap_mode="r").shape == shape)
    except (OSError, ValueError, EOFError):
        return False
