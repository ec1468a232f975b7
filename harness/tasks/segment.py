"""The task of segmentation: masks from prototypes, how they are scored and stored, in pixels of the original image."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Size
from harness.core.dataset import Dataset, Image
from harness.core.errors import ConfigError
from harness.tasks.base import Candidates, Content, Detections, Floats, Mask, OutputLayout
from harness.tasks.detect import Detect, sized
from harness.tasks.preprocess import Fit
from harness.tasks.run_lengths import encoded, mask_problem


class Segment(Detect):
    """The task whose models find instance masks."""

    name = "segment"
    truth = "segmentation"
    iou_type = "segm"

    def finds(self, said: Content) -> str:
        """See `Task.finds`."""
        return " and mask coefficients"

    def extra(self, said: Content, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None] | None:
        """See `Task.extra`. The prototypes are the output with four dimensions."""
        protos = next((at for at, shape in enumerate(shapes) if len(shape) == 4), None)
        return None if protos is None else (shapes[protos][1], protos)

    def shape(
        self, chosen: Candidates, boxes: Floats, outputs: Sequence[NDArray[Any]], at: int, read: OutputLayout,
        place: Fit, size: Size, original: tuple[int, int],
    ) -> dict[str, Any]:  # fmt: skip
        """See `Task.shape`."""
        assert read.protos is not None
        protos = outputs[read.protos][at].astype(np.float32, copy=False)
        return {"masks": masks(chosen.extra, protos, boxes, place, size, original)}

    def ground_truth(self, dataset: Dataset) -> list[Mapping[str, Any]]:
        """See `Task.ground_truth`."""
        rows = dataset.annotations
        lacking = [row for row in rows if not _is_mask(row.get("segmentation"))]
        if lacking:
            raise ConfigError(
                f"dataset {dataset.name}: {len(lacking)} of {len(rows)} objects have no masks ('segmentation', or "
                f"polygons), by which a 'segment' model is scored (first: image {lacking[0]['image_id']})"
            )
        sides = {image.id: (image.height, image.width) for image in dataset.images}
        for row in rows:
            if problem := mask_problem(row["segmentation"], *sides[row["image_id"]]):
                where = f"annotation {row.get('id')} of image {row['image_id']}"
                raise ConfigError(f"dataset {dataset.name}: {where} has {problem}")
        return [sized(row, lambda row: _mask_area(row["segmentation"], *sides[row["image_id"]])) for row in rows]

    def annotation(self, image: Image, found: Detections, k: int, bbox: Sequence[float]) -> dict[str, Any]:
        """See `Task.annotation`. The area is the area of the mask."""
        from pycocotools import mask

        if found.masks is None:
            return super().annotation(image, found, k, bbox)
        runs = {"size": [image.height, image.width], "counts": found.masks[k].tolist()}
        coded = mask.frPyObjects(runs, image.height, image.width)
        return {"bbox": bbox, "segmentation": coded, "area": float(mask.area(coded))}

    def pack(self, found: Sequence[Detections]) -> dict[str, NDArray[Any]]:
        """See `Task.pack`. `masks` has the run lengths of all masks one after the other; `lengths` splits them."""
        if not any(one.masks is not None for one in found):
            return {}
        every = [mask for one in found for mask in one.masks or ()]
        runs = np.concatenate([np.zeros(0, np.int32), *every])
        return {
            "lengths": np.array([len(mask) for mask in every], np.int64),
            "masks": runs.view(np.uint8).reshape(-1, 4).T,  # high bytes together: nearly all are zero
        }

    def unpack(self, stored: Mapping[str, NDArray[Any]], found: Sequence[Detections]) -> list[Detections]:
        """See `Task.unpack`."""
        if "masks" not in stored:
            return list(found)
        runs = np.ascontiguousarray(stored["masks"].T).view(np.int32).ravel()
        every = iter(np.split(runs, np.cumsum(stored["lengths"])[:-1]))
        return [replace(one, masks=tuple(itertools.islice(every, len(one.scores)))) for one in found]


def masks(
    coefficients: Floats, protos: Floats, boxes: Floats, place: Fit, size: Size, original: tuple[int, int]
) -> tuple[Mask, ...]:
    """The masks of K detections in pixels of the image.

    As in Ultralytics' `process_mask_native`, a mask is where the weighted sum of the prototypes, bilinear between their
    pixels, is above 0 inside the box. But here every pixel of the image looks up its own place in the prototypes
    through the letterbox, while Ultralytics first cuts the border off in whole pixels of the prototypes.

    Args:
        coefficients: [K, M] weights of the prototypes.
        protos: [M, H, W] prototypes of the network's whole input.
        boxes: [K, 4] x1, y1, x2, y2 in pixels of the image.
        place: where the image lies in the letterbox.
        size: height and width of the network's input, pixels.
        original: width and height of the image, pixels.
    """
    width, height = original
    scale = protos.shape[1] / size[0]  # prototype pixels per input pixel, in both directions
    found = []
    for weights, (x1, y1, x2, y2) in zip(coefficients, boxes.tolist(), strict=True):
        columns = np.arange(max(0, int(np.ceil(x1))), min(width, int(np.ceil(x2))))
        rows = np.arange(max(0, int(np.ceil(y1))), min(height, int(np.ceil(y2))))
        if not len(columns) or not len(rows):
            found.append(np.array([width * height], np.int32))
            continue
        across, first_column = _bilinear((columns + 0.5) * place.ratio + place.left, scale, protos.shape[2])
        down, first_row = _bilinear((rows + 0.5) * place.ratio + place.top, scale, protos.shape[1])
        window = protos[:, first_row : first_row + down.shape[1], first_column : first_column + across.shape[1]]
        values = down @ np.tensordot(weights, window, 1) @ across.T
        found.append(encoded(values > 0, int(columns[0]), int(rows[0]), width, height))
    return tuple(found)


def _bilinear(at: NDArray[np.floating[Any]], scale: float, sides: int) -> tuple[Floats, int]:
    """Bilinear weights [positions, pixels] of the prototypes' pixels along one side, and the index of the first pixel.

    Args:
        at: positions in pixels of the network's input, ascending.
        scale: pixels of the prototypes per pixel of the input.
        sides: pixels of the prototypes along this side.
    """
    source = np.clip(at * scale - 0.5, 0, sides - 1)
    low = np.floor(source).astype(np.intp)
    high = np.minimum(low + 1, sides - 1)
    part = (source - low).astype(np.float32)
    first = int(low[0])
    weights = np.zeros((len(at), int(high[-1]) - first + 1), np.float32)
    lines = np.arange(len(at))
    weights[lines, low - first] += 1 - part
    weights[lines, high - first] += part
    return weights, first


def _is_mask(segmentation: Any) -> bool:
    """Whether the `segmentation` of an annotation is a mask: run lengths, or polygons of three points or more."""
    if isinstance(segmentation, dict):
        return bool(segmentation.get("counts")) and "size" in segmentation
    polygons = segmentation if isinstance(segmentation, list) else []
    return bool(polygons) and all(isinstance(one, list) and len(one) >= 6 and len(one) % 2 == 0 for one in polygons)


def _mask_area(segmentation: Any, height: int, width: int) -> float:
    """The area of a mask in pixels, as COCO counts it."""
    from pycocotools import mask

    if isinstance(segmentation, list):
        return float(mask.area(mask.merge(mask.frPyObjects(segmentation, height, width))))
    encoded_by_coco = not isinstance(segmentation["counts"], list)
    return float(mask.area(segmentation if encoded_by_coco else mask.frPyObjects(segmentation, height, width)))
