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
from harness.tasks.decode import to_image


def letterboxed(dataset: Dataset, size: Size) -> Pixels:
    """The images as Ultralytics' own letterbox makes them, for a network's input of `size` pixels."""
    from ultralytics.data.augment import LetterBox

    letterbox = LetterBox(new_shape=size, auto=False)
    pictures = [letterbox(image=read_image(image)) for image in dataset.images]
    return np.stack([np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)) for picture in pictures])


class NotRead(Exception):
    """The outputs are of another form than Ultralytics' NMS reads; the message says so."""


def _expect_raw(layout: OutputLayout) -> None:
    """Raise NotRead where the outputs are not the raw ones of YOLOv8 and its successors."""
    if layout.layout == "e2e":
        raise NotRead("the network ends in its detections")
    plain = OutputLayout(
        "raw", layout.output, layout.classes, layout.extra, layout.protos, layout.points, task=layout.task
    )
    if layout != plain:
        kind = "other than plain raw outputs" if layout.layout == "raw" else f"outputs of the family {layout.layout}"
        raise NotRead(f"Ultralytics' NMS does not read {kind}")


def decode(
    outputs: Sequence[Tensor],
    layout: OutputLayout,
    decoding: Decoding,
    size: Size,
    originals: Sequence[tuple[int, int]],
) -> list[Detections]:
    """Do what `tasks.decode.decode` does, with Ultralytics' own NMS. Raises as `_expect_raw` does."""
    import torch
    from ultralytics.utils.nms import non_max_suppression

    _expect_raw(layout)
    output = np.array(outputs[layout.output], np.float32)
    found = non_max_suppression(
        torch.from_numpy(output), decoding.conf, decoding.iou, multi_label=True, max_det=decoding.max_det,
        max_time_img=60, nc=output.shape[1] - 4 - layout.extra,
    )  # fmt: skip
    detections = []
    # The last batch of a data set is filled up: it may have more outputs than images.
    for at, (rows, original) in enumerate(zip(found, originals, strict=False)):
        table = rows.numpy()
        chosen = Candidates(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), table[:, 6:])
        detections.append(to_image(chosen, outputs, at, layout, size, original))
    return detections
