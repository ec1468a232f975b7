"""How an image becomes the rectangle that a network sees, and where in the rectangle it lies.

The geometry is Ultralytics' letterbox: scale the image until it just fits the network's input, centre, pad with 114.
Two places that round it in their own way would move mAP in its third digit, so both directions use `fit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size

PAD = 114  # grey level of the letterbox border, as in training


@dataclass(frozen=True)
class Fit:
    """Where an image lies inside the input of the network."""

    ratio: float  # input pixels per image pixel
    left: int  # columns of padding on the left
    top: int  # rows of padding on top
    width: int  # columns covered by the image
    height: int  # rows covered by the image


def fit(width: int, height: int, size: Size) -> Fit:
    """Where an image of `width` × `height` pixels lies in an input of `size`."""
    rows, columns = size
    ratio = min(rows / height, columns / width)
    new_width, new_height = max(1, round(width * ratio)), max(1, round(height * ratio))
    left, top = round((columns - new_width) / 2 - 0.1), round((rows - new_height) / 2 - 0.1)
    return Fit(ratio, left, top, new_width, new_height)


def letterbox(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """BGR image of any height and width → RGB input of the network [3, H, W] of `size`, in bytes 0–255."""
    import cv2

    height, width = image.shape[:2]
    place = fit(width, height, size)
    if (place.width, place.height) != (width, height):
        image = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((*size, 3), PAD, np.uint8)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = image
    return np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1))


def normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes [N, 3, H, W] → the input of a session: float32 in [0, 1], contiguous."""
    scaled: NDArray[np.float32] = np.ascontiguousarray(pixels, np.float32)
    scaled /= np.float32(255)
    return scaled
