"""Run a cell over a data set, and score the detections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.measurement import ONE_PLACE, Artifact
from harness.core.suite import Decoding
from harness.machine.worker import Channel
from harness.measure.accuracy import detections_file
from harness.measure.accuracy.bootstrap import Counts, draws, resampled
from harness.measure.accuracy.coco import Evaluation, at_confidence, class_labels, known_classes
from harness.measure.accuracy.coco_streaming import Evaluator
from harness.measure.reading import output_layout
from harness.tasks.base import Detections, OutputLayout
from harness.tasks.classes import match_classes
from harness.tasks.decode import decode, prepare
from harness.tasks.look import padded
from harness.tasks.preprocess import normalize
from harness.tasks.values import ROUNDED_UP

Pixels = NDArray[np.uint8]
"""Letterboxed images [N, 3, H, W], in the order of the data set."""

Decoder = Callable[..., list[Detections]]
"""A function with the arguments of `tasks.decode.decode`."""

POINT = 2  # pixels that hold all boxes where fractions of the image are read as pixels
DIGITS = 6  # decimals of a resampled metric; the rounding is a thousandth of any change that a data set can prove


@dataclass(frozen=True)
class Scored:
    """What the accuracy phase brings back from its child process."""

    metrics: dict[str, float | None]
    per_class: dict[str, float | None]  # AP by class name
    instances: dict[str, int]  # objects of the data set by class name
    resampled: dict[str, list[float]]  # metrics in each resample of the data set, to six decimals
    detections: str  # hash of the detections (`detections_digest`)
    executed: dict[str, int]  # multiply-accumulates of one call by numeric type (`Session.executed`)
    unknown: tuple[str, ...]  # classes of the data set that the model does not know; they score 0
    infer_s: float  # seconds inside the runtime, for the whole data set
    notes: tuple[str, ...] = ()  # what a reader of the table must know of the outputs


@dataclass(frozen=True)
class ScoreJob:
    """Run a cell over a data set and score it. On one thread: a result may not depend on how busy the machine is."""

    cell: Cell
    artifact: Artifact
    dataset: Dataset
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W], in the order of dataset.images
    decoding: Decoding
    found: str  # .npz file to which the detections are written
    resampled: Sequence[str] = ("map",)  # metrics to resample: keys of PARTS, or "box_map"
    operating_conf: float = 0.25  # score from which on the deployed detector reports an object

    def run(self, channel: Channel) -> Scored:
        """Infer, decode and score all images, and write the detections to the file `found`.

        Raises:
            Unavailable: the device is absent.
            ConfigError: the outputs fit no family, or the model knows no class that has objects in the data set.
        """
        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        pixels = np.load(self.pixels, mmap_mode="r")
        layout = output_layout(session, self.cell, self.artifact, pixels, len(self.dataset.categories))
        names = class_names_of(layout, self.cell, self.artifact, self.dataset)
        _check_classes(self.dataset, names)
        evaluator = Evaluator(self.dataset, names)
        found: list[Detections] = []
        infer_s = 0.0
        batches = detect_batches(session, self.cell, layout, self.dataset, pixels, self.decoding, channel.progress)
        for batch in batches:
            evaluator.add(batch.found)
            found += batch.found
            infer_s += batch.infer_s
        executed = session.executed()
        session.close()
        detections_file.save_detections(Path(self.found), self.dataset, found, names)
        evaluation = evaluator.result()
        drawn = self._drawn(evaluation, draws(self.dataset.digest, len(found)))
        return Scored(
            metrics={**evaluation.metrics, **at_confidence(evaluation.ranks, self.operating_conf)},
            per_class=evaluation.per_class,
            instances=evaluation.instances,
            resampled={name: [round(value, DIGITS) for value in values.tolist()] for name, values in drawn.items()},
            detections=detections_file.detections_digest(found),
            executed=executed,
            unknown=_unknown_classes(self.dataset, names),
            infer_s=infer_s,
            notes=(*_class_notes(self.dataset, names), *layout.notes, *remarks(found, evaluation.metrics)),
        )

    def _drawn(self, evaluation: Evaluation, counts: Counts) -> dict[str, NDArray[np.float64]]:
        """The metrics of `self.resampled` in each resample."""
        drawn = resampled(evaluation.ranks, counts, [name for name in self.resampled if name != "box_map"])
        if "box_map" in self.resampled and evaluation.box_ranks:
            drawn["box_map"] = resampled(evaluation.box_ranks, counts)["map"]
        return drawn


@dataclass(frozen=True)
class Seen:
    """What a session has found in a data set."""

    found: list[Detections]  # by image
    names: Sequence[str]  # class names of the model
    reading: OutputLayout  # how the outputs were read


@dataclass(frozen=True)
class DetectedBatch:
    """What a session has found in one batch."""

    found: list[Detections]  # by image
    infer_s: float  # seconds inside the runtime


def detect(
    session: Session, cell: Cell, artifact: Artifact, dataset: Dataset, pixels: Pixels, decoding: Decoding,
    progress: Callable[[int, int], None] = lambda done, total: None, decoder: Decoder = decode,
) -> Seen:  # fmt: skip
    """Run a session over a data set, and decode its outputs.

    Args:
        session: the opened artifact.
        cell: the cell.
        artifact: its artifact, whose metadata says what the outputs hold.
        dataset: the images.
        pixels: the letterboxed images.
        decoding: thresholds.
        progress: called after each batch with the number of images done and the number of all images.
        decoder: turns outputs into detections.

    Raises:
        ConfigError: the outputs fit no family, or do not fit the class names.
    """
    layout = output_layout(session, cell, artifact, pixels, len(dataset.categories))
    batches = detect_batches(session, cell, layout, dataset, pixels, decoding, progress, decoder)
    found = [one for batch in batches for one in batch.found]
    return Seen(found, class_names_of(layout, cell, artifact, dataset), layout)


def detect_batches(
    session: Session, cell: Cell, layout: OutputLayout, dataset: Dataset, pixels: Pixels, decoding: Decoding,
    progress: Callable[[int, int], None], decoder: Decoder = decode,
) -> Iterator[DetectedBatch]:  # fmt: skip
    """Yield what a session finds, batch by batch. Arguments are as in `detect`; `layout` says how outputs are read."""
    for start in range(0, len(pixels), cell.batch):
        batch = padded(normalize(pixels[start : start + cell.batch]), cell.batch)
        batch = prepare(batch, layout.bgr_bytes)
        begun = time.perf_counter()
        outputs = session.infer(batch)
        took = time.perf_counter() - begun
        originals = [(image.width, image.height) for image in dataset.images[start : start + cell.batch]]
        yield DetectedBatch(decoder(outputs, layout, decoding, cell.imgsz, originals), took)
        progress(min(start + cell.batch, len(pixels)), len(pixels))


def class_names_of(layout: OutputLayout, cell: Cell, artifact: Artifact, dataset: Dataset) -> Sequence[str]:
    """Return the class names of a model: those in its file, else the names of the data set in the order of their ids.

    Raises:
        ConfigError: the file has no names, and the data set does not have as many as the model has classes.
    """
    if artifact.meta["names"]:
        return list(artifact.meta["names"])
    names = [dataset.categories[number] for number in sorted(dataset.categories)]
    if layout.classes not in (None, len(names)):
        raise ConfigError(
            f"{cell}: the file carries no class names and has {layout.classes} classes, the data set "
            f"{dataset.name} has {len(names)}"
        )
    return names


def _check_classes(dataset: Dataset, names: Sequence[str]) -> None:
    """Raise ConfigError where all objects are of classes that the model does not know: any model would score 0."""
    owned = {row["category_id"] for row in dataset.annotations}
    if owned and not owned & set(known_classes(dataset, names).values()):
        there, offered = ", ".join(dataset.categories[one] for one in sorted(owned)[:4]), ", ".join(list(names)[:4])
        raise ConfigError(
            f"dataset {dataset.name}: the model knows none of the classes that have objects ({there}); it knows "
            f"{offered}: name its classes as the data set does"
        )


def remarks(found: Sequence[Detections], metrics: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return what is odd in the detections of a data set, one line each: what was dropped, and what cannot be right."""
    said = []
    if dropped := sum(one.dropped for one in found):
        said.append(f"{dropped} detections with a number that is NaN or infinite are left out")
    scores = np.concatenate([one.scores for one in found]) if found else np.zeros(0, np.float32)
    if len(scores) and scores.max() > ROUNDED_UP:
        said.append(f"scores of the detections reach {scores.max():.2f}, above 1")
    boxes = np.concatenate([one.boxes for one in found]) if len(scores) else np.zeros((0, 4), np.float32)
    if len(boxes) > 1 and (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max() <= POINT:
        said.append(ONE_PLACE)
    if metrics.get("map") == 0:
        said.append("mAP is 0: no detection lies on an object of its class")
    return tuple(said)


def _unknown_classes(dataset: Dataset, names: Sequence[str]) -> tuple[str, ...]:
    """The classes of the data set that are not among the class names of the model."""
    known = set(known_classes(dataset, names).values())
    labels = dict(zip(sorted(dataset.categories), class_labels(dataset), strict=True))
    return tuple(labels[number] for number in dataset.categories if number not in known)


def _class_notes(dataset: Dataset, names: Sequence[str]) -> list[str]:
    """How classes are matched, where it is not by their names."""
    return [note for note in [match_classes(dataset.categories, names).note] if note]
