"""Run a cell over a data set and score what it finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.machine.worker import Channel
from harness.measure.accuracy import detections_file
from harness.measure.accuracy.bootstrap import Counts, draws, resampled
from harness.measure.accuracy.coco import Evaluation, at_confidence, known_classes
from harness.measure.accuracy.coco_streaming import Evaluator
from harness.tasks.base import Detections, OutputLayout
from harness.tasks.decode import decode, prepare
from harness.tasks.outputs import content, read_outputs
from harness.tasks.preprocess import normalize

Pixels = NDArray[np.uint8]
Decoder = Callable[..., list[Detections]]  # as `families.decode`
DIGITS = 6  # decimals of a resampled metric; a thousandth of what any data set proves


@dataclass(frozen=True)
class Scored:
    """What the accuracy phase brings back from its child."""

    metrics: dict[str, float | None]
    per_class: dict[str, float | None]
    instances: dict[str, int]  # objects of the data set by class
    resampled: dict[str, list[float]]  # metrics in the resamples of the data set, to six digits
    detections: str  # their digest
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
    found: str  # .npz to write the detections to
    resampled: Sequence[str] = ("map",)  # metrics
    operating_conf: float = 0.25

    def run(self, channel: Channel) -> Scored:
        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        pixels = np.load(self.pixels, mmap_mode="r")
        reading = reading_of(session, self.cell, self.artifact)
        names = names_of(reading, self.cell, self.artifact, self.dataset)
        evaluator = Evaluator(self.dataset, names)
        found: list[Detections] = []
        infer_s = 0.0
        for some, took in by_batch(session, self.cell, reading, self.dataset, pixels, self.decoding, channel.progress):
            evaluator.add(some)
            found += some
            infer_s += took
        executed = session.executed()
        session.close()
        detections_file.save_detections(Path(self.found), self.dataset, found, names)
        scored = evaluator.result()
        drawn = self._drawn(scored, draws(self.dataset.digest, len(found)))
        known = set(known_classes(self.dataset, names).values())
        unknown = tuple(name for number, name in self.dataset.categories.items() if number not in known)
        return Scored(
            {**scored.metrics, **at_confidence(scored.ranks, self.operating_conf)},
            scored.per_class,
            scored.instances,
            {name: [round(value, DIGITS) for value in values.tolist()] for name, values in drawn.items()},
            detections_file.detections_digest(found),
            executed,
            unknown,
            infer_s,
        )

    def _drawn(self, scored: Evaluation, counts: Counts) -> dict[str, NDArray[np.float64]]:
        """The metrics of `self.resampled` in each resample."""
        drawn = resampled(scored.ranks, counts, [name for name in self.resampled if name != "box_map"])
        if "box_map" in self.resampled and scored.box_ranks:
            drawn["box_map"] = resampled(scored.box_ranks, counts)["map"]
        return drawn


@dataclass(frozen=True)
class Seen:
    """What a session found in a data set."""

    found: list[Detections]  # by image
    names: Sequence[str]  # of the model's classes


def detect(
    session: Session, cell: Cell, artifact: Artifact, dataset: Dataset, pixels: Pixels, decoding: Decoding,
    progress: Callable[[int, int], None] = lambda done, total: None, decoder: Decoder = decode,
) -> Seen:  # fmt: skip
    """Run a session over a data set and decode its outputs; `pixels` are letterboxed bytes [N, 3, S, S]."""
    reading = reading_of(session, cell, artifact)
    batches = by_batch(session, cell, reading, dataset, pixels, decoding, progress, decoder)
    found = [one for some, _ in batches for one in some]
    return Seen(found, names_of(reading, cell, artifact, dataset))


def by_batch(
    session: Session, cell: Cell, reading: OutputLayout, dataset: Dataset, pixels: Pixels, decoding: Decoding,
    progress: Callable[[int, int], None], decoder: Decoder = decode,
) -> Iterator[tuple[list[Detections], float]]:  # fmt: skip
    """What is found in each batch, and the seconds inside the runtime."""
    for start in range(0, len(pixels), cell.batch):
        batch = _padded(normalize(pixels[start : start + cell.batch]), cell.batch)
        batch = prepare(batch, reading.layout)
        begun = time.perf_counter()
        outputs = session.infer(batch)
        took = time.perf_counter() - begun
        originals = [(i.width, i.height) for i in dataset.images[start : start + cell.batch]]
        yield decoder(outputs, reading, decoding, cell.imgsz, originals), took
        progress(min(start + cell.batch, len(pixels)), len(pixels))


def reading_of(session: Session, cell: Cell, artifact: Artifact) -> OutputLayout:
    """The family of the model, from the shapes of its outputs."""
    blank = np.zeros((cell.batch, 3, cell.imgsz, cell.imgsz), np.float32)
    shapes = [output.shape for output in session.infer(blank)]
    try:
        return read_outputs(shapes, content(artifact.meta), cell.imgsz, cell.head)
    except ConfigError as error:
        raise ConfigError(f"{cell}: {error}") from None


def names_of(reading: OutputLayout, cell: Cell, artifact: Artifact, dataset: Dataset) -> Sequence[str]:
    """Class names from the file; where it has none, the data set's by id, if there are as many."""
    if artifact.meta["names"]:
        return list(artifact.meta["names"])
    names = [dataset.categories[number] for number in sorted(dataset.categories)]
    if reading.classes not in (None, len(names)):
        raise ConfigError(
            f"{cell}: the file carries no class names and has {reading.classes} classes, the data set "
            f"{dataset.name} has {len(names)}"
        )
    return names


def _padded(batch: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The last batch of a data set, filled up with zeros to the static shape of the artifact."""
    missing = size - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)]) if missing else batch
