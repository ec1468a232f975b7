"""The task of detection: boxes alone. The other tasks inherit from it what they do not change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.dataset import OF_BOX, Dataset, Image
from harness.tasks.base import Candidates, Content, Detections, Floats, OutputLayout, Task
from harness.tasks.preprocess import Fit

COCO_STATS = (
    "map", "map_50", "map_75", "map_small", "map_medium", "map_large",
    "mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large",
)  # fmt: skip
"""Our names of the numbers in pycocotools' COCOeval.stats for boxes and masks, in its order."""


class Detect(Task):
    """The task whose models find boxes."""

    name = "detect"
    truth = "bbox"
    iou_type = "bbox"
    stats: Sequence[str] = COCO_STATS

    def check(self, said: Content) -> None:
        """See `Task.check`: boxes need nothing."""

    def finds(self, said: Content) -> str:
        """See `Task.finds`."""
        return ""

    def extra(self, said: Content, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None] | None:
        """See `Task.extra`."""
        return 0, None

    def shape(
        self, chosen: Candidates, boxes: Floats, outputs: Sequence[NDArray[Any]], at: int, read: OutputLayout,
        place: Fit, size: Size, original: tuple[int, int],
    ) -> dict[str, Any]:  # fmt: skip
        """See `Task.shape`."""
        return {}

    def ground_truth(self, dataset: Dataset) -> list[Mapping[str, Any]]:
        """See `Task.ground_truth`."""
        return [sized(row, box_area) for row in dataset.annotations]

    def expect(self, dataset: Dataset, said: Content) -> None:
        """See `Task.expect`."""

    def declared_sigmas(self, dataset: Dataset) -> tuple[float, ...]:
        """See `Task.declared_sigmas`."""
        return ()

    def oks_sigmas(self, dataset: Dataset) -> NDArray[np.float64] | None:
        """See `Task.oks_sigmas`."""
        return None

    def counted(self, annotations: Sequence[dict[str, Any]]) -> None:
        """See `Task.counted`."""

    def annotation(self, image: Image, found: Detections, k: int, bbox: Sequence[float]) -> dict[str, Any]:
        """See `Task.annotation`."""
        return {"bbox": bbox, "area": bbox[2] * bbox[3]}

    def pack(self, found: Sequence[Detections]) -> dict[str, NDArray[Any]]:
        """See `Task.pack`."""
        return {}

    def unpack(self, stored: Mapping[str, NDArray[Any]], found: Sequence[Detections]) -> list[Detections]:
        """See `Task.unpack`."""
        return list(found)


def sized(row: Mapping[str, Any], area: Callable[[Mapping[str, Any]], float]) -> Mapping[str, Any]:
    """The annotation with its `area`, in square pixels, where its source gave none; else the annotation itself."""
    return {**row, "area": area(row)} if row.get(OF_BOX) else row


def box_area(row: Mapping[str, Any]) -> float:
    """The area of an annotation's box in square pixels, as the readers compute it: it is part of a data set's hash."""
    area: float = row["bbox"][2] * row["bbox"][3]
    return area
