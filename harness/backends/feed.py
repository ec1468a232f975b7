"""What the image input of a network wants: its name, type, layout and range. Every backend feeds by the same rules.

A session is given float32 [N, 3, H, W] in RGB with values from 0 to 1. A file from elsewhere may want float16, bytes,
channels last, or values up to 255 because it divides by 255 itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ConfigError

Shape = tuple[int | None, ...]
"""The shape of an input; None is a free side."""

STRIDE = 32
"""Sides of images that a suite can declare are multiples of it."""

FLOATS = ("float32", "float16", "float64")
WHOLE = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True)
class NetworkInput:
    """An input as a runtime or a file describes it. An input that has a value in the file is none."""

    name: str
    dtype: str  # as NumPy calls it: float32, uint8, …; another word where NumPy has no such type
    shape: Shape | None  # None: the file does not tell


@dataclass(frozen=True)
class Quantized:
    """How the numbers of an input stand for real ones: real = (number − zero) × scale."""

    scale: float
    zero: int


@dataclass(frozen=True)
class Feed:
    """How images become the input of one opened network. Calling it converts a batch."""

    name: str
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    channels_last: bool = False  # [N, H, W, 3] instead of [N, 3, H, W]
    white: float = 1  # the real number that stands for white; 0 is black
    quantized: Quantized = Quantized(1, 0)  # for whole numbers

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Convert float32 [N, 3, H, W] in [0, 1]. The batch itself is returned where the network takes it as it is.

        A family such as YOLOX is given values up to 255 already; they are not multiplied again.
        """
        values: NDArray[Any] = batch.transpose(0, 2, 3, 1) if self.channels_last else batch
        if self.white != 1 and batch.max(initial=0) <= 1:
            values = values * np.float32(self.white)
        if self.dtype.kind != "f":
            limits = np.iinfo(self.dtype)
            steps = values / np.float32(self.quantized.scale)
            np.rint(steps, out=steps)
            steps += np.float32(self.quantized.zero)
            values = np.clip(steps, limits.min, limits.max, out=steps)
        return np.ascontiguousarray(values, self.dtype)


def image_input(inputs: Sequence[NetworkInput], where: str) -> int:
    """The number of the input that takes the images. It is the one that can hold a batch of RGB images.

    Args:
        inputs: the inputs that want a value at every call.
        where: the file, for the message.

    Raises:
        ConfigError: no input takes RGB images, or the network wants something else besides.
    """
    fits = [number for number, one in enumerate(inputs) if _holds_images(one.shape)]
    if len(fits) > 1:  # a mask or an earlier frame; nothing tells which is the image
        raise ConfigError(
            f"{where} has {len(fits)} inputs that could be the image: {_listed(inputs[n] for n in fits)}; "
            f"export it with one"
        )
    if not fits:
        raise ConfigError(
            f"{where} takes {_listed(inputs) or 'no input'}, which is no batch of RGB images (N×3×H×W or N×H×W×3)"
        )
    others = [one for number, one in enumerate(inputs) if number != fits[0]]
    if others:
        raise ConfigError(
            f"{where} wants {_listed(others)} besides the image {inputs[fits[0]].name!r}, and quantgate feeds images "
            f"alone; export it without the post-processing that reads {'it' if len(others) == 1 else 'them'}, or make "
            f"{'it a constant' if len(others) == 1 else 'them constants'} of the graph"
        )
    return fits[0]


def feed_of(one: NetworkInput, where: str, said: Mapping[str, Any], quantized: Quantized | None = None) -> Feed:
    """How the image input `one` of an opened network is fed.

    Args:
        one: the input, with its shape in this session.
        where: the file, for the message.
        said: what the artifact's metadata says under `feed`, as the recipe `ready` writes it: `white` of a float
            input, `scale` and `zero` of whole numbers; empty where nothing is said.
        quantized: what the runtime says about whole numbers; without it, `said` tells, or else bytes are 0 to 255.

    Raises:
        ConfigError: quantgate cannot feed this type of number.
    """
    last = channels_last(one.shape or ())
    white = float(said.get("white", 1))
    if one.dtype in FLOATS:
        return Feed(one.name, np.dtype(one.dtype), last, white)
    if quantized is None and "scale" in said:
        quantized = Quantized(float(said["scale"]), int(said["zero"]))
    if one.dtype not in WHOLE or (one.dtype != "uint8" and quantized is None):
        unknown = " and nothing tells its scale" if one.dtype in WHOLE else ""
        raise ConfigError(
            f"{where} takes images of {one.dtype}{unknown}; quantgate feeds {', '.join((*FLOATS, *WHOLE))}, whole "
            f"numbers but uint8 with a scale"
        )
    dtype = np.dtype(one.dtype)
    if quantized is None:
        return Feed(one.name, dtype, last, 255)
    white, quantized = _range_of(dtype, quantized, where)
    return Feed(one.name, dtype, last, white, quantized)


def _range_of(dtype: np.dtype[Any], quantized: Quantized, where: str) -> tuple[float, Quantized]:
    """What stands for white in a quantized input, and the scale by which it is fed.

    The reals that the type can hold tell: up to about 1, images are given in [0, 1]; far above, in [0, 255]. Bytes for
    other reals (−1 to 1, or with mean and deviation taken off) are the bytes of the image: that is what they are for.
    """
    limits = np.iinfo(dtype)
    low, high = ((end - quantized.zero) * quantized.scale for end in (limits.min, limits.max))
    symmetric = dtype.kind == "i" and abs(quantized.zero) <= 1  # its negative half is never used
    if high > 16:
        return 255, quantized
    if high <= 1.5 and (symmetric or low > -0.1):
        return 1, quantized
    if dtype.itemsize == 1 and not symmetric:
        return 255, Quantized(1, limits.min)
    raise ConfigError(f"{where} takes {dtype} for {low:.3g} to {high:.3g}, which is no image of 0 to 1 or 0 to 255")


def white_of(steps: Iterable[tuple[str, float]]) -> int | None:
    """What stands for white in a float input, by the arithmetic that the network begins with.

    Args:
        steps: operation and largest absolute constant, in order: `mul`, `div`, `add` (also of a negative number), and
            `round` with the largest real number that a quantizer lets through. Whoever lists them passes over
            operations that move values, and ends at the first of another kind.

    Returns:
        255 where the network brings 0…255 to small numbers itself, 1 where it begins with small ones, and None where no
        step tells.
    """
    for operation, number in steps:
        if operation in ("mul", "div") and number not in (0, 1):
            return 255 if (number if operation == "div" else 1 / number) > 16 else 1
        if operation == "add" and number:
            return 255 if number > 2 else 1  # a mean of bytes, such as 123.7, or of fractions, such as 0.485
        if operation == "round":
            return 255 if number > 16 else 1
    return None


def channels_last(shape: Sequence[int | None]) -> bool:
    """Whether the shape of an image tensor is [N, H, W, 3], TensorFlow's layout."""
    return len(shape) == 4 and shape[3] == 3 and shape[1] != 3


def wanted(shape: Sequence[int | None], cell: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The shape of a cell's batches, [N, 3, H, W], in the layout of an input of this `shape`."""
    count, channels, height, width = cell
    return (count, height, width, channels) if channels_last(shape) else cell


def expect_shape(shape: Sequence[int | None], cell: tuple[int, int, int, int], where: str) -> None:
    """Compare the shape of an image input with what the cell gives.

    Args:
        shape: [N, 3, H, W] or [N, H, W, 3], None for a free side.
        cell: [N, 3, H, W] of the cell.
        where: the file, for the message.

    Raises:
        ConfigError: they differ; the message says what to write in the suite.
    """
    count, height, width = (shape[0], *shape[1:3]) if channels_last(shape) else (shape[0], *shape[2:])
    wrong = []
    if height not in (None, cell[2]) or width not in (None, cell[3]):
        takes = f"{height or '?'}×{width or '?'}"
        tall, wide = height or cell[2], width or cell[3]
        size = f"{tall}" if tall == wide else f"({tall}, {wide})"
        size = f"[{size}]" if max(tall, wide) >= 2 * min(tall, wide) else size  # a bare tuple looks like two sizes
        cure = f"write imgsz={size} in the matrix"
        if tall % STRIDE or wide % STRIDE:
            cure = f"export it for sides that are multiples of {STRIDE}"
        wrong.append(
            f"is for images of {takes} pixels (height × width) and the suite feeds {cell[2]}×{cell[3]}: {cure}"
        )
    if count not in (None, cell[0]):
        cure = f"write batch={count} in the matrix, or export it with batch={cell[0]}"
        wrong.append(f"takes batches of {count} and the suite feeds {cell[0]}: {cure}")
    if wrong:
        raise ConfigError(f"{where} {'; it '.join(wrong)}")


def side(length: Any) -> int | None:
    """The length of a side as files write it; None for a free one: −1, 0, nothing, or a name."""
    return int(length) if isinstance(length, int | np.integer) and length > 0 else None


def _holds_images(shape: Shape | None) -> bool:
    """Whether an input of this shape can hold a batch of RGB images."""
    if shape is None:
        return True
    return len(shape) == 4 and (shape[1] in (3, None) or shape[3] == 3)


def _listed(inputs: Any) -> str:
    """Inputs in words: `'im_shape' (1×2, float32)`."""
    return ", ".join(f"{one.name!r} ({said_shape(one.shape)}, {one.dtype})" for one in inputs)


def said_shape(shape: Sequence[int | None] | None) -> str:
    """A shape in words, with `?` for a free side: `1×3×?×?`."""
    if shape is None:
        return "any shape"
    return "×".join("?" if length is None else str(length) for length in shape) or "one number"
