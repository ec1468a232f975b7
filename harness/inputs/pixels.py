"""The images of a data set in the form that networks take: decoded, letterboxed, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.cell import Size
from harness.core.dataset import Image
from harness.core.errors import ConfigError
from harness.inputs.image_files import decode_image
from harness.machine.fingerprint import version
from harness.machine.worker import Channel
from harness.tasks.decode import DECODING_VERSION
from harness.tasks.preprocess import letterbox

OPENCV = ("python", "python-headless", "contrib-python", "contrib-python-headless")
"""Ends of the names of the distributions that bring cv2, whose resizing and JPEG decoder shape the pixels."""


def pixels_key(images: Sequence[Image], size: Size) -> str:
    """The cache key of letterboxed `images`: a hash of everything that shapes their bytes.

    `size` is the height and width of the input in pixels.
    """
    shown = [(image.digest, image.width, image.height) for image in images]
    opencv = [version(f"opencv-{name}") for name in OPENCV]
    text = json.dumps([size, DECODING_VERSION, opencv, shown])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class LetterboxJob:
    """Decode and letterbox images into one .npy file, uint8 [N, 3, H, W]."""

    images: Sequence[Image]
    size: Size  # height H and width W, pixels
    target: str  # path of the file

    def run(self, channel: Channel) -> None:
        """Write the file, and report each image as progress.

        Raises:
            ConfigError: an image cannot be read, or has another size than its data set says.
        """
        shape = (len(self.images), 3, *self.size)
        # Written, not mapped: a full disk then raises an OSError, instead of killing this process by SIGBUS.
        with open(self.target, "wb") as file:
            np.lib.format.write_array_header_1_0(
                file,
                {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape},
            )
            for done, image in enumerate(self.images, 1):
                file.write(letterbox(read_image(image), self.size).tobytes())
                channel.progress(done, len(self.images))


def read_image(image: Image) -> Any:
    """Decode an image to BGR, uint8 [H, W, 3], as it is displayed; the ground truth is in the same pixels.

    Raises:
        ConfigError: the file cannot be decoded, or has another size than its data set says.
    """
    picture = decode_image(image.path)
    width, height = picture.shape[1], picture.shape[0]
    if (width, height) == (image.width, image.height):
        return picture
    raise ConfigError(f"image {image.path} has {width}×{height} pixels, its data set says {image.width}×{image.height}")


def intact(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file of letterboxed images is whole. Only its shape is checked: hashing takes as long as decoding."""
    try:
        return bool(np.load(path, mmap_mode="r").shape == shape)
    except (OSError, ValueError, EOFError):
        return False
