"""The boxes, scores and class numbers in the outputs of a network, as views, wherever its layout has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tasks.base import Floats, OutputLayout

ROWS = ("e2e", "deepstream", "efficientnms")
"""The layouts with one score and one class number for each box."""

OBJECTNESS = ("yolov5", "yolox", "yolov6")
"""The layouts whose scores are objectness × class score."""


@dataclass(frozen=True)
class Parts:
    """What the outputs say of the A candidate boxes of N images, as they say it: no number is converted yet."""

    boxes: Floats  # [N, 4, A]
    scores: Floats  # [N, classes, A]; of ROWS [N, 1, A]
    extra: Floats  # [N, E, A]
    labels: Floats | None = None  # [N, A] class numbers, of ROWS
    objectness: Floats | None = None  # [N, A], of OBJECTNESS


def parts(outputs: Sequence[NDArray[Any]], reading: OutputLayout) -> Parts:
    """The parts of all outputs, which are views wherever an output is float32 already."""
    table = _columns_first(outputs[reading.output], reading.transposed or reading.layout in ROWS)
    if reading.layout == "efficientnms":
        return _tables(table, outputs, reading)
    if reading.layout in ROWS:
        score, label = (5, 4) if reading.class_first else (4, 5)
        return Parts(table[:, :4], table[:, score : score + 1], table[:, 6:], labels=table[:, label])
    if reading.scores is not None:
        scores = _columns_first(outputs[reading.scores], reading.scores_transposed)
        return Parts(table, scores, table[:, :0])
    if reading.layout in OBJECTNESS:
        return Parts(table[:, :4], table[:, 5:], table[:, :0], objectness=table[:, 4])
    end = table.shape[1] - reading.extra
    return Parts(table[:, :4], table[:, 4:end], table[:, end:])


def sigmoid(logits: Floats) -> Floats:
    """The probabilities that logits of any shape stand for."""
    with np.errstate(over="ignore"):
        squashed: Floats = np.divide(1, 1 + np.exp(-logits), dtype=np.float32)
    return squashed


def cube(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape [N, a, b] of an output with more sides that are 1, or without a batch; else `shape` itself."""
    kept = [side for side in shape[1:] if side != 1]
    if len(shape) == 2:
        return (1, *shape)
    return (shape[0], *kept) if len(shape) > 3 and len(kept) == 2 else shape


def _columns_first(output: NDArray[Any], transposed: bool) -> Floats:
    """[N, columns, A] of an output in float32."""
    floats: Floats = output.astype(np.float32, copy=False).reshape(cube(output.shape))
    return floats.transpose(0, 2, 1) if transposed else floats


def _tables(boxes: Floats, outputs: Sequence[NDArray[Any]], reading: OutputLayout) -> Parts:
    """The parts of boxes, scores and class numbers in outputs of their own; rows beyond the count score 0."""
    assert reading.scores is not None and reading.labels is not None
    scores, labels = (
        outputs[at].astype(np.float32, copy=False).reshape(len(boxes), -1) for at in (reading.scores, reading.labels)
    )
    if reading.count is not None:
        counts = np.asarray(outputs[reading.count], np.float32).reshape(-1, 1)
        scores = np.where(np.arange(scores.shape[1]) < counts, scores, np.float32(0))
    return Parts(boxes, scores[:, None], boxes[:, :0], labels=labels)
