"""Where the accuracy of a cell went: stages, kinds of error, classes, images, layers. Everything runs in one child."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.cell import Cell
from harness.core.errors import QuantgateError
from harness.core.measurement import Artifact
from harness.core.suite import Suite
from harness.machine.worker import Channel
from harness.measure.accuracy import agreement
from harness.measure.accuracy.coco import known_classes
from harness.measure.explain import intermediate_tensors, tide
from harness.measure.explain.layer_noise import Layer, rank
from harness.measure.explain.stage_swap import Stage, Walked, WalkJob, blamed
from harness.measure.explain.tide import Errors
from harness.measure.place import Place
from harness.tasks.base import Detections
from harness.tasks.outputs import content, read_outputs
from harness.tasks.preprocess import normalize

IMAGES = 64  # that the stages are walked on; all of a smaller data set
NOISE_IMAGES = 8  # that the layers are compared on
SHOWN = 8  # worst classes, images and layers that are kept


@dataclass(frozen=True)
class Lost:
    """A class or an image, and what became of it."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Explanation:
    """Everything that `quantgate explain` prints."""

    cell: str
    images: int
    blamed: str  # the stage that lost most; empty where none lost anything
    stages: tuple[Stage, ...]
    before: Errors  # kinds of error of the reference
    after: Errors
    classes: tuple[Lost, ...]  # AP
    pictures: tuple[Lost, ...]  # detections of the reference above operating_conf, and how many of them survive
    layers: tuple[Layer, ...]  # the worst first
    no_layers: str = ""  # why there are none


def from_json(kept: Mapping[str, Any]) -> Explanation:
    """The inverse of `dataclasses.asdict`, from a results file."""
    made = {
        "stages": tuple(Stage(**one) for one in kept["stages"]),
        "before": Errors(**kept["before"]),
        "after": Errors(**kept["after"]),
        "classes": tuple(Lost(**one) for one in kept["classes"]),
        "pictures": tuple(Lost(**one) for one in kept["pictures"]),
        "layers": tuple(Layer(**one) for one in kept["layers"]),
    }
    return Explanation(**{**kept, **made})


@dataclass(frozen=True)
class ExplainJob:
    """Walk the stages, then look at what differs between the first and the last."""

    walk: WalkJob

    def run(self, channel: Channel) -> Explanation:
        walked = self.walk.run(channel)
        categories = known_classes(self.walk.dataset, walked.names)
        before, after = (tide.errors(self.walk.dataset, found, categories) for found in _sides(walked))
        layers, why = self._layers()
        return Explanation(
            self.walk.cell.id, len(self.walk.dataset.images), blamed(walked.stages), walked.stages, before, after,
            self._classes(walked), self._pictures(walked), tuple(layers[:SHOWN]), why,
        )  # fmt: skip

    def _classes(self, walked: Walked) -> tuple[Lost, ...]:
        old, new = walked.reference.per_class, walked.cell.per_class
        lost = [Lost(name, value, new[name] or 0.0) for name, value in old.items() if value is not None]
        worst = sorted(lost, key=lambda one: one.after - one.before)
        return tuple(one for one in worst[:SHOWN] if one.after < one.before)

    def _pictures(self, walked: Walked) -> tuple[Lost, ...]:
        lost = []
        for image, old, new in zip(self.walk.dataset.images, *_sides(walked), strict=True):
            sure = int((old.scores >= self.walk.conf).sum())
            share = agreement.survival([old], [new], self.walk.conf)["agreement"]
            if share is not None and share < 1:
                lost.append(Lost(Path(image.path).name, sure, round(share * sure)))
        return tuple(sorted(lost, key=lambda one: one.after - one.before)[:SHOWN])

    def _layers(self) -> tuple[list[Layer], str]:
        walk = self.walk
        if walk.float_graph is None or walk.cell.backend not in intermediate_tensors.READABLE:
            return [], f"{walk.cell.backend} keeps no names of tensors"
        convolutions = intermediate_tensors.convolutions(walk.float_graph)
        tensors = [tensor for pair in convolutions.values() for tensor in pair]
        exact = intermediate_tensors.tap("onnxruntime", walk.float_graph, tensors)
        built = intermediate_tensors.tap(walk.cell.backend, walk.artifact.path, tensors)
        pixels = np.load(walk.pixels, mmap_mode="r")
        batch = walk.cell.batch
        starts = range(0, min(NOISE_IMAGES, len(pixels) - batch + 1), batch)
        shapes, said = intermediate_tensors.output_shapes(walk.float_graph), content(walk.artifact.meta)
        extra = read_outputs(shapes, said, walk.cell.imgsz, walk.cell.head).extra
        return rank(convolutions, exact, built, (normalize(pixels[k : k + batch]) for k in starts), extra), ""


def explain(place: Place, suite: Suite, home: Path, cell: Cell, images: int = IMAGES) -> Explanation:
    """Where the accuracy of a cell went, on the first `images` of its data set.

    Raises:
        Unavailable, ConfigError, CellError: of the cell itself; what is missing beside it shortens the explanation.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = _job(place, suite, home, cell, Path(folder), images)
        explained: Explanation = place.run_job(job, f"explain {cell}")
    return explained


def _job(place: Place, suite: Suite, home: Path, cell: Cell, folder: Path, images: int) -> ExplainJob:
    """Build what is missing, and cut the data set to its first `images`."""
    inputs = place.inputs(suite, home, cell)

    def other(backend: str) -> tuple[Cell, Artifact] | None:
        sibling = replace(cell, precision="fp32", backend=backend)
        try:
            return sibling, place.inputs(suite, home, sibling).artifact
        except QuantgateError:  # no checkpoint, or no such runtime
            return None

    torch, exported, graph = other("torch"), other(cell.backend), other("onnxruntime")
    pixels = folder / "pixels.npy"
    np.save(pixels, np.load(inputs.pixels, mmap_mode="r")[:images])
    return ExplainJob(
        WalkJob(
            cell, inputs.artifact, exported and exported[1], torch, graph and graph[1].path,
            inputs.data.first(images), str(pixels), suite.decoding, suite.operating_conf,
        )
    )  # fmt: skip


def _sides(walked: Walked) -> tuple[Sequence[Detections], Sequence[Detections]]:
    return walked.reference.seen.found, walked.cell.seen.found
