"""Predictions + ground truth → metrics. The only user of pycocotools."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import backend
from harness.backends.base import Session
from harness.datasets import Dataset
from harness.declarations import Decoding
from harness.errors import ConfigError
from harness.families import Detections, Reading, decode, normalize, prepare, read_outputs
from harness.types import Artifact, Cell
from harness.worker import Channel

METRICS = (
    "map", "map_50", "map_75", "map_small", "map_medium", "map_large",
    "mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large",
)  # fmt: skip
"""COCOeval.stats in its own order."""


@dataclass(frozen=True)
class Scored:
    """What the accuracy phase brings back from its child."""

    metrics: dict[str, float | None]
    per_class: dict[str, float | None]
    executed: dict[str, int]
    unknown: tuple[str, ...]  # classes of the data set that the model does not know; they score 0
    infer_s: float  # seconds inside the runtime, for the whole data set


@dataclass(frozen=True)
class ScoreJob:
    """Run a cell over a data set and score it. One thread: a result may not depend on how busy the machine is."""

    cell: Cell
    artifact: Artifact
    dataset: Dataset
    pixels: str  # .npy of letterboxed bytes [N, 3, S, S], in the order of dataset.images
    decoding: Decoding
    detections: str  # .npz to write them to

    def run(self, channel: Channel) -> Scored:
        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        pixels = np.load(self.pixels, mmap_mode="r")
        found: list[Detections] = []
        infer_s = 0.0
        reading = self._reading(session)
        names = self._names(reading)
        for start in range(0, len(pixels), self.cell.batch):
            batch = _padded(normalize(pixels[start : start + self.cell.batch]), self.cell.batch)
            batch = prepare(batch, reading.layout)
            begun = time.perf_counter()
            output = session.infer(batch)[reading.output]
            infer_s += time.perf_counter() - begun
            originals = [(i.width, i.height) for i in self.dataset.images[start : start + self.cell.batch]]
            floats = output.astype(np.float32, copy=False)
            found += decode(floats, reading.layout, self.decoding, self.cell.imgsz, originals)
            channel.progress(len(found), len(pixels))
        executed = session.executed()
        session.close()
        save_detections(Path(self.detections), self.dataset, found)
        metrics, per_class = evaluate(self.dataset, found, names)
        known = set(_categories(self.dataset, names).values())
        unknown = tuple(name for number, name in self.dataset.categories.items() if number not in known)
        return Scored(metrics, per_class, executed, unknown, infer_s)

    def _reading(self, session: Session) -> Reading:
        """The family of the model, from the shapes of its outputs."""
        names = self.artifact.meta["names"]
        blank = np.zeros((self.cell.batch, 3, self.cell.imgsz, self.cell.imgsz), np.float32)
        shapes = [output.shape for output in session.infer(blank)]
        try:
            return read_outputs(shapes, names and len(names), self.cell.imgsz, self.cell.head)
        except ConfigError as error:
            raise ConfigError(f"{self.cell}: {error}") from None

    def _names(self, reading: Reading) -> Sequence[str]:
        """Class names from the file; where it has none, the data set's by id, if there are as many."""
        if self.artifact.meta["names"]:
            return list(self.artifact.meta["names"])
        names = [self.dataset.categories[number] for number in sorted(self.dataset.categories)]
        if reading.classes not in (None, len(names)):
            raise ConfigError(
                f"{self.cell}: the file carries no class names and has {reading.classes} classes, the data set "
                f"{self.dataset.name} has {len(names)}"
            )
        return names


def _padded(batch: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The last batch of a data set, filled up with zeros to the static shape of the artifact."""
    missing = size - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)]) if missing else batch


def save_detections(path: Path, dataset: Dataset, found: Sequence[Detections]) -> None:
    """All detections of a run, concatenated; `counts` splits them by image."""
    np.savez_compressed(
        path,
        image_ids=np.array([image.id for image in dataset.images]),
        counts=np.array([len(one.scores) for one in found]),
        boxes=np.concatenate([one.boxes for one in found]),
        scores=np.concatenate([one.scores for one in found]),
        classes=np.concatenate([one.classes for one in found]),
    )


def evaluate(
    dataset: Dataset, found: Sequence[Detections], names: Sequence[str]
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """COCO's 12 numbers and AP per class, by pycocotools on all images of `dataset`.

    A number without any ground truth behind it (pycocotools: −1) is None. Zero detections score 0.

    Raises:
        ConfigError: no class of the data set is known to the model.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    categories = _categories(dataset, names)
    with contextlib.redirect_stdout(io.StringIO()):
        truth, results = COCO(), COCO()
        images = [{"id": image.id, "width": image.width, "height": image.height} for image in dataset.images]
        classes = [{"id": number, "name": name} for number, name in dataset.categories.items()]
        # Ids start at 1: pycocotools reads a match with annotation 0 as no match.
        annotations = [{**row, "id": number} for number, row in enumerate(dataset.annotations, 1)]
        truth.dataset = {"images": images, "categories": classes, "annotations": annotations}
        # Not through loadRes, which raises IndexError on an empty list.
        results.dataset = {"images": images, "categories": classes, "annotations": _rows(dataset, found, categories)}
        truth.createIndex()
        results.createIndex()
        scorer = COCOeval(truth, results, "bbox")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    metrics = {name: _defined(value) for name, value in zip(METRICS, scorer.stats, strict=True)}
    precision = scorer.eval["precision"][:, :, :, 0, -1]  # [IoU, recall, class] for all areas and 100 detections
    per_class = {dataset.categories[number]: _mean(precision[:, :, k]) for k, number in enumerate(scorer.params.catIds)}
    return metrics, per_class


def _categories(dataset: Dataset, names: Sequence[str]) -> dict[int, int]:
    """Class index of the model → category id of the data set, matched by name."""
    ids = {name.strip().lower(): number for number, name in dataset.categories.items()}
    known = {index: ids[name.strip().lower()] for index, name in enumerate(names) if name.strip().lower() in ids}
    if not known:
        wanted, offered = ", ".join(list(ids)[:4]), ", ".join(list(names)[:4])
        raise ConfigError(
            f"dataset {dataset.name}: none of its classes ({wanted}, …) is known to the model ({offered}, …)"
        )
    return known


def _rows(dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, one in zip(dataset.images, found, strict=True):
        for (x1, y1, x2, y2), score, label in zip(
            one.boxes.tolist(), one.scores.tolist(), one.classes.tolist(), strict=True
        ):
            if label in categories:
                box = [x1, y1, x2 - x1, y2 - y1]
                rows.append(
                    {"id": len(rows) + 1, "image_id": image.id, "category_id": categories[label],
                     "bbox": box, "area": box[2] * box[3], "score": score, "iscrowd": 0}
                )  # fmt: skip
    return rows


def _defined(value: float) -> float | None:
    return None if value < 0 else float(value)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None
