"""A look at what a network gives for a few images, which decides how its outputs are read, and how it is fed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.errors import ConfigError
from harness.tasks.base import Content, Declared, OutputLayout
from harness.tasks.boxes import ENOUGH
from harness.tasks.decode import prepare
from harness.tasks.outputs import CURE, read_outputs, sees
from harness.tasks.parts import cube
from harness.tasks.preprocess import normalize
from harness.tasks.values import Weighed

LOOKS = (4, 16, 64)  # at so many images; at more only where the first ones leave something open

Outputs = list[NDArray[Any]]
Infer = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]


def look(
    infer: Infer, pixels: NDArray[np.uint8], batch: int, said: Content, size: Size, declared: Declared,
    classes: int | None = None,
) -> OutputLayout:  # fmt: skip
    """Return how the outputs of a network are read.

    Args:
        infer: runs the network on a batch.
        pixels: letterboxed images [N, 3, H, W] in bytes; the first ones are looked at.
        batch: how many images the network takes at once.
        said: what the file of the model says.
        size: height and width of the network's input, pixels.
        declared: what the user says of the outputs.
        classes: number of classes of the data set, for a file that does not say its own.

    Raises:
        ConfigError: the outputs fit no reading, or several.
    """
    if not len(pixels):
        pixels = np.zeros((batch, 3, *size), np.uint8)

    def judged(count: int, bgr_bytes: bool) -> tuple[Outputs, Weighed]:
        outputs = _pooled(infer, pixels[:count], batch, bgr_bytes)
        return outputs, read_outputs(outputs, said, size, declared, classes, batch)

    yolox = declared.family == "yolox"
    for count in LOOKS:
        try:
            outputs, seen = judged(count, yolox)
        except ConfigError:
            other = None if yolox else _as_bgr(judged, count)
            if other is None:
                raise
            return other[1].reading
        if len(pixels) <= count or not (seen.doubt or seen.nothing or seen.sure < ENOUGH):
            break
    if seen.reading.layout == "yolox" and not yolox:
        return _fed(outputs, seen, _as_bgr(judged, count))
    if seen.doubt:
        raise ConfigError(_open(outputs, seen, batch))
    if not seen.sure and len(pixels) > count:
        note = f"no object was seen in the first {count} images: how outputs are read rests on their shapes"
        return replace(seen.reading, notes=(*seen.reading.notes, note))
    return seen.reading


def _as_bgr(judged: Callable[[int, bool], tuple[Outputs, Weighed]], count: int) -> tuple[Outputs, Weighed] | None:
    """The outputs for BGR in 0–255 and their reading, where they are read as YOLOX's without a doubt; else None."""
    try:
        outputs, seen = judged(count, True)
    except ConfigError:
        return None
    return (outputs, seen) if seen.reading.layout == "yolox" and not seen.doubt else None


def _fed(as_rgb: Outputs, seen: Weighed, as_bgr: tuple[Outputs, Weighed] | None) -> OutputLayout:
    """How a network with YOLOX's columns is fed: as the images show in which alone it sees objects."""
    rgb, bgr = sees(as_rgb, seen.reading), sees(as_bgr[0], as_bgr[1].reading) if as_bgr else 0.0
    if as_bgr and bgr >= 0.5 > 2 * rgb:
        return as_bgr[1].reading
    if rgb >= 0.5 > 2 * bgr and not seen.doubt:
        note = "the network is fed RGB in 0–1, since it sees nothing in BGR in 0–255, which YOLOX takes"
        layout = seen.reading if seen.reading.relative else replace(seen.reading, layout="yolov5")
        return replace(layout, bgr_bytes=False, notes=(*layout.notes, note))
    if seen.reading.relative:
        return seen.reading
    raise ConfigError(
        "the output has the columns of YOLOX and of YOLOv5, and the values do not tell which: say "
        "Model(…, family='yolox') for a network that takes BGR in 0–255, family='yolov5' for RGB in 0–1"
    )


def _open(outputs: Outputs, seen: Weighed, batch: int) -> str:
    shapes = ", ".join("×".join(map(str, (batch, *output.shape[1:]))) for output in outputs)
    return f"output of shape {shapes} is read as {seen.reading.layout}, but its values leave open {seen.doubt}; {CURE}"


def _pooled(infer: Infer, pixels: NDArray[np.uint8], batch: int, bgr_bytes: bool) -> Outputs:
    """The outputs for all `pixels`, joined along the batch; sides of changing length are filled up with zeros."""
    made: list[Outputs] = []
    for start in range(0, len(pixels), batch):
        given = padded(normalize(pixels[start : start + batch]), batch)
        images = min(batch, len(pixels) - start)
        outputs = infer(prepare(given, bgr_bytes))
        made.append([np.atleast_1d(np.array(one)) for one in outputs])
        if batch > 1:
            made[-1] = [one[:images] for one in made[-1]]
    return [_joined(_batched(parts) if batch == 1 else parts) for parts in zip(*made, strict=True)]


def _batched(parts: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """One output of a network for several single images, [1, …] each, also where the network leaves the batch out."""
    if any(one.ndim == 2 and len(one) != 1 for one in parts):
        return [one.reshape(cube(one.shape)) for one in parts]
    return [one[:1] for one in parts]


def _joined(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    several = list(parts)
    if len({one.shape[1:] for one in several}) == 1 or len({one.ndim for one in several}) > 1:
        return np.concatenate(several)
    longest = np.max([one.shape[1:] for one in several], axis=0)
    return np.concatenate(
        [np.pad(one, [(0, 0), *((0, most - own) for most, own in zip(longest, one.shape[1:], strict=True))])
         for one in several]
    )  # fmt: skip


def padded(batch: NDArray[np.float32], images: int) -> NDArray[np.float32]:
    """The batch, filled up with black images to the static size of the artifact: the last batch may be short."""
    missing = images - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)]) if missing else batch
