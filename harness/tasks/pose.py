"""The task of pose estimation: key points, how they are scored and stored, in pixels of the original image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.dataset import Dataset, Image
from harness.core.errors import ConfigError
from harness.tasks.base import Candidates, Content, Detections, Floats, OutputLayout
from harness.tasks.detect import Detect, box_area, sized
from harness.tasks.preprocess import Fit

POSED = 0.53
"""Area of an object as a share of its box, where only key points are known; as in Ultralytics and xtcocotools."""

PERSON = 17
"""The number of key points of a person in COCO."""


class Pose(Detect):
    """The task whose models find key points."""

    name = "pose"
    truth = "keypoints"
    iou_type = "keypoints"
    stats = (
        "map", "map_50", "map_75", "map_medium", "map_large", "mar_100", "mar_50", "mar_75", "mar_medium", "mar_large",
    )  # fmt: skip
    """At most 20 detections per image, and no small objects. `mar_50` and `mar_75` are no metrics of quantgate."""

    def check(self, said: Content) -> None:
        """See `Task.check`."""
        if not said.points[0]:
            raise ConfigError("the file of this pose model does not say how many key points it has (kpt_shape)")

    def finds(self, said: Content) -> str:
        """See `Task.finds`."""
        return f" and {said.points[0]} key points"

    def extra(self, said: Content, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None] | None:
        """See `Task.extra`."""
        return said.points[0] * said.points[1], None

    def shape(
        self, chosen: Candidates, boxes: Floats, outputs: Sequence[NDArray[Any]], at: int, read: OutputLayout,
        place: Fit, size: Size, original: tuple[int, int],
    ) -> dict[str, Any]:  # fmt: skip
        """See `Task.shape`."""
        return {"points": points(chosen.extra, read.points, place, original)}

    def ground_truth(self, dataset: Dataset) -> list[Mapping[str, Any]]:
        """See `Task.ground_truth`. Objects without labelled key points stay, and COCO ignores them."""
        rows = dataset.annotations
        if rows and not dataset.points:
            raise ConfigError(
                f"dataset {dataset.name}: none of its {len(rows)} objects has key points ('keypoints'), by which a "
                f"'pose' model is scored"
            )
        unknown = [0] * 3 * dataset.points
        whole = [{**row, "keypoints": row.get("keypoints") or unknown} for row in rows]
        return [sized(row, lambda row: POSED * box_area(row)) for row in whole]

    def expect(self, dataset: Dataset, said: Content) -> None:
        """See `Task.expect`."""
        if dataset.points not in (0, said.points[0]):
            raise ConfigError(
                f"dataset {dataset.name} has {dataset.points} key points an object, the model {said.points[0]}; "
                f"they have to be the same"
            )

    def declared_sigmas(self, dataset: Dataset) -> tuple[float, ...]:
        """See `Task.declared_sigmas`."""
        return dataset.sigmas

    def oks_sigmas(self, dataset: Dataset) -> NDArray[np.float64] | None:
        """The sigmas of the data set, else COCO's for the 17 points of a person, else 1 / points for each point."""
        if dataset.sigmas:
            return np.array(dataset.sigmas)
        return None if dataset.points in (0, PERSON) else np.full(dataset.points, 1 / dataset.points)

    def counted(self, annotations: Sequence[dict[str, Any]]) -> None:
        """See `Task.counted`. COCO ignores objects without a labelled key point."""
        for row in annotations:
            row["num_keypoints"] = sum(seen > 0 for seen in row["keypoints"][2::3])

    def annotation(self, image: Image, found: Detections, k: int, bbox: Sequence[float]) -> dict[str, Any]:
        """See `Task.annotation`. The area is the area of the box around the key points."""
        if found.points is None:
            return super().annotation(image, found, k, bbox)
        own = found.points[k].astype(np.float64)
        spread = np.ptp(own[:, :2], axis=0)
        return {"bbox": bbox, "keypoints": own.ravel().tolist(), "area": float(spread.prod())}

    def pack(self, found: Sequence[Detections]) -> dict[str, NDArray[Any]]:
        """See `Task.pack`."""
        own = [one.points for one in found if one.points is not None]
        return {"points": np.concatenate(own)} if own else {}

    def unpack(self, stored: Mapping[str, NDArray[Any]], found: Sequence[Detections]) -> list[Detections]:
        """See `Task.unpack`."""
        if "points" not in stored:
            return list(found)
        ends = np.cumsum([len(one.scores) for one in found])[:-1]
        return [replace(one, points=own) for one, own in zip(found, np.split(stored["points"], ends), strict=True)]


def points(extra: Floats, shape: tuple[int, int], place: Fit, original: tuple[int, int]) -> Floats:
    """The key points of K detections in pixels of the image: [K, P, 3], x, y and visibility.

    Args:
        extra: [K, P × D] key points in pixels of the network's input.
        shape: P and D: key points, and numbers per point. Without a third number the visibility is 1.
        place: where the image lies in the letterbox.
        original: width and height of the image, pixels.
    """
    said = extra.reshape(len(extra), *shape)
    xy = (said[..., :2] - np.array([place.left, place.top], np.float32)) / np.float32(place.ratio)
    xy = np.clip(xy, 0, np.array(original, np.float32))
    seen = said[..., 2:3] if shape[1] > 2 else np.ones((*said.shape[:2], 1), np.float32)
    return np.concatenate([xy, seen], axis=2)
