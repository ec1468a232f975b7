"""The stages of an explanation that Ultralytics' own code does: its letterbox and its NMS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.backends.base import Tensor
from harness.core.cell import Size
from harness.core.dataset import Dataset
from harness.core.suite import Decoding
from harness.inputs.pixels import read_image
from harness.measure.accuracy.score import Pixels
from harness.tasks.base import Candidates, Detections, OutputLayout
from harness.tasks.decode import as_raw, to_image
from harness.tasks.parts import ROWS


def letterboxed(dataset: Dataset, size: Size) -> Pixels:
    """The images as Ultralytics' own letterbox makes them, for a network's input of height and width `size`."""
    from ultralytics.data.augment import LetterBox

    letterbox = LetterBox(new_shape=size, auto=False)
    pictures = [letterbox(image=read_image(image)) for image in dataset.images]
    return np.stack([np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)) for picture in pictures])


class NotRead(Exception):
    """The outputs need no NMS; the message says so."""


def detections(
    outputs: Sequence[Tensor],
    layout: OutputLayout,
    decoding: Decoding,
    size: Size,
    originals: Sequence[tuple[int, int]],
) -> list[Detections]:
    """Do what `tasks.decode.decode` does, with Ultralytics' own NMS. Raises NotRead where the network has done NMS."""
    import torch
    from ultralytics.utils.nms import non_max_suppression

    if not layout.nms or layout.layout in ROWS:
        raise NotRead("the network ends in its detections")
    output = as_raw(outputs, layout, size)
    found = non_max_suppression(
        torch.from_numpy(output), decoding.conf, decoding.iou, multi_label=True, max_det=decoding.max_det,
        max_time_img=60, nc=output.shape[1] - 4 - layout.extra,
    )  # fmt: skip
    found_by_image = []
    # The last batch of a data set is filled up: it may have more outputs than images.
    for at, (rows, original) in enumerate(zip(found, originals, strict=False)):
        table = rows.numpy()
        chosen = Candidates(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), table[:, 6:])
        found_by_image.append(to_image(chosen, outputs, at, layout, size, original))
    return found_by_image
