"""The ground truth that a task is scored by: which entry of an annotation, and the area of the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.core.dataset import Task
from harness.core.errors import ConfigError

if TYPE_CHECKING:
    from harness.inputs.datasets.base import Dataset

BOX = ("image_id", "category_id", "bbox", "area", "iscrowd")
"""Of every annotation: xywh in pixels, area in square pixels."""

TRUTH: Mapping[Task, str] = {"detect": "bbox", "segment": "segmentation", "pose": "keypoints"}
"""Task → entry of an annotation that is its ground truth, as COCO defines it."""

OF_BOX = "area_of_box"
"""Entry of an annotation whose source gave no area: its `area` is that of the box."""

POSED = 0.53
"""Area of an object as a share of its box, where key points are all that is known: Ultralytics' and xtcocotools'."""


def truth(dataset: Dataset, task: Task) -> list[Mapping[str, Any]]:
    """The annotations with everything that models of `task` are scored by.

    Objects without labelled key points stay, and COCO ignores them. Where the source gave no area, it is that of the
    mask, of the box, or what key points leave of the box.

    Raises:
        ConfigError: an object has no mask, or nothing has key points.
    """
    rows = dataset.annotations
    if task == "segment":
        lacking = [row for row in rows if not _is_mask(row.get("segmentation"))]
        if lacking:
            raise ConfigError(
                f"dataset {dataset.name}: {len(lacking)} of {len(rows)} objects have no masks ('segmentation', or "
                f"polygons), by which a 'segment' model is scored (first: image {lacking[0]['image_id']})"
            )
        sides = {image.id: (image.height, image.width) for image in dataset.images}
        return [_sized(row, lambda row: _mask_area(row["segmentation"], *sides[row["image_id"]])) for row in rows]
    if task == "pose":
        if rows and not dataset.points:
            raise ConfigError(
                f"dataset {dataset.name}: none of its {len(rows)} objects has key points ('keypoints'), by which a "
                f"'pose' model is scored"
            )
        unknown = [0] * 3 * dataset.points
        whole = [{**row, "keypoints": row.get("keypoints") or unknown} for row in rows]
        return [_sized(row, lambda row: POSED * _box_area(row)) for row in whole]
    return [_sized(row, _box_area) for row in rows]


def _sized(row: Mapping[str, Any], area: Any) -> Mapping[str, Any]:
    return {**row, "area": area(row)} if row.get(OF_BOX) else row


def _box_area(row: Mapping[str, Any]) -> float:
    area: float = row["bbox"][2] * row["bbox"][3]  # as the readers have it, to the type: it is hashed
    return area


def _is_mask(segmentation: Any) -> bool:
    """Run lengths, or polygons of three points and more."""
    if isinstance(segmentation, dict):
        return bool(segmentation.get("counts")) and "size" in segmentation
    polygons = segmentation if isinstance(segmentation, list) else []
    return bool(polygons) and all(isinstance(one, list) and len(one) >= 6 and len(one) % 2 == 0 for one in polygons)


def _mask_area(segmentation: Any, height: int, width: int) -> float:
    """Pixels, as COCO counts them."""
    from pycocotools import mask

    runs = mask.frPyObjects(segmentation, height, width) if _has_to_be_encoded(segmentation) else segmentation
    return float(mask.area(mask.merge(runs) if isinstance(runs, list) else runs))


def _has_to_be_encoded(segmentation: Any) -> bool:
    return isinstance(segmentation, list) or isinstance(segmentation["counts"], list)
