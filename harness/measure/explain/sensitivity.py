"""`quantgate sensitivity`: which group of layers loses how much when it alone runs in int8, all else in float.

Judged on images of the train split that calibration has not seen, so that a recipe can be chosen by it and the scored
images stay a test. Few images cannot tell small drops of mAP from chance; the table is ranked by the detection error,
which compares every detection with that of the float network and has far less noise.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.inputs.artifact_cache import Cache
from harness.inputs.datasets.loading import load_calibration, load_scored, overlap
from harness.judge.attestation import share
from harness.machine.worker import Channel
from harness.measure.accuracy import detections_file
from harness.measure.accuracy.agreement import iou
from harness.measure.accuracy.score import ScoreJob
from harness.measure.place import Place
from harness.tasks.base import Detections
from harness.tasks.outputs import content
from harness.tasks.preprocess import normalize
from harness.tasks.registry import of_task

BACKEND = "onnxruntime"
CALIBRATION = 64  # images, or half of the train split where it is smaller
SEEN = 0.1  # score above which a detection counts
SAME = 0.5  # overlap, intersection over union, above which two boxes are the same detection


@dataclass(frozen=True)
class Sensitivity:
    """What quantizing one group of layers did."""

    group: str
    share: float  # of the multiply-accumulates that then ran in int8
    drop: float  # fp32 mAP − mAP
    error: float  # root mean square of the differences of detection scores; a detection that is missing has score 0


@dataclass(frozen=True)
class Split:
    """Images to calibrate on and images to judge on, disjoint."""

    calibration: Dataset
    judged: Dataset


@dataclass(frozen=True)
class SplitJob:
    """Read a data set and divide it; hashing its files takes time."""

    data: Path
    calibration: Path | None
    limit: int  # images to judge on; 0: all that are left
    scored: bool  # judge on the scored split instead

    def run(self, channel: Channel) -> Split:
        if self.limit < 0:
            raise ConfigError(f"--limit {self.limit}: judge on one image or more, or 0 for all")
        train = load_calibration(self.data, explicit=False)
        source = load_calibration(self.calibration) if self.calibration else train
        if source is None or not source.images:
            raise ConfigError(f"{self.calibration or self.data} has no images to calibrate on; give --calibration PATH")
        few = len(source.images) if self.calibration or self.scored else max(1, len(source.images) // 2)
        calibration = replace(source, images=source.images[: min(CALIBRATION, few)])
        judged = load_scored(self.data) if self.scored else train
        if judged is None or not judged.annotations:
            raise ConfigError(f"{self.data} has no train split with ground truth to judge on; --scored takes val")
        shared = set(overlap(calibration, judged))
        seen = {image.digest for image in calibration.images if image.path in shared}
        left = tuple(image for image in judged.images if image.digest not in seen)
        judged = judged.of_images(left[: self.limit] if self.limit else left)
        if not judged.annotations:
            raise ConfigError(f"{self.data}: no image with ground truth is left beside the calibration images")
        return Split(calibration, judged)


@dataclass(frozen=True)
class SweepJob:
    """Quantize one group after the other and score each network."""

    cell: Cell
    graph: Artifact  # the float graph
    calibration: str  # .npy of letterboxed bytes [N, 3, S, S]
    judged: Dataset
    pixels: str  # the same of the judged images

    def run(self, channel: Channel) -> list[Sensitivity]:
        """One row per group, and at the end one for the recipe, which quantizes most of them at once."""
        from harness.recipes import onnx, ranges

        calibration: NDArray[np.uint8] = np.load(self.calibration, mmap_mode="r")
        with tempfile.TemporaryDirectory() as folder:
            model = onnx.prepared(Path(self.graph.path), Path(folder))
            if not layer_groups(model):
                raise ConfigError(f"{self.cell}: the nodes of the graph are not named after modules; nothing to rank")
            parts = {**layer_groups(model), "the int8 recipe": onnx.trunk(model)}
            wanted = onnx.activations(model, [name for nodes in parts.values() for name in nodes])
            batches = (normalize(calibration[k : k + 1]) for k in range(len(calibration)))
            histograms = ranges.collect(model, wanted, batches, lambda done: channel.progress(0, len(parts)))
            reach = onnx.activation_ranges(model, histograms, "mse")
            score = _Scorer(self, Path(folder))
            exact, found, _ = score(Path(self.graph.path), lambda: channel.progress(0, len(parts)))
            rows = []
            for done, (name, nodes) in enumerate(parts.items(), 1):
                path = Path(folder, "model.onnx")
                _save(onnx.quantized(model, nodes, reach), path)
                reached, other, ran = score(path, lambda done=done: channel.progress(done, len(parts)))  # type: ignore[misc]
                rows.append(Sensitivity(name, ran, exact - reached, detection_error(found, other)))
        return rows


def measure_sensitivity(
    place: Place, cache: Path, cell: Cell, weights: Path, wanted: SplitJob
) -> tuple[Split, list[Sensitivity]]:
    """Quantize one group of layers at a time; heavy work runs in children, out of the way of timed sections.

    Raises:
        ConfigError, Unavailable, CellError: the graph or the data cannot be measured so.
    """
    if cell.backend != BACKEND:
        raise ConfigError(f"sensitivity is measured on {BACKEND} only: {cell.backend} quantizes whole graphs here")
    store = Cache(cache, place.run_job)
    split: Split = place.run_job(wanted, "read the images")
    graph = store.artifact(cell, weights, None)
    pixels = [str(store.pixels(part.images, cell.imgsz)) for part in (split.calibration, split.judged)]
    judged = of_task(split.judged, content(graph.meta).task)
    rows: list[Sensitivity] = place.run_job(SweepJob(cell, graph, pixels[0], judged, pixels[1]), "groups of layers")
    return split, rows


def layer_groups(model: Any) -> dict[str, list[str]]:
    """Nodes of the quantized kinds by module, the head's by branch; groups without a convolution are left out."""
    from harness.recipes import onnx

    nodes = [node for node in model.graph.node if node.op_type in onnx.QUANTIZED]
    numbers = {node.name: onnx.module_of(node.name) for node in nodes}
    head = max((number for number in numbers.values() if number is not None), default=None)
    found: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        number = numbers[node.name]
        branch = node.name.split("/")[2] if number == head and node.name.count("/") > 2 else ""
        if number is not None:
            found[f"{number} {branch}".strip()].append(node.name)
    convolutions = {node.name for node in nodes if node.op_type == "Conv"}
    return {name: names for name, names in found.items() if convolutions & set(names)}


def detection_error(exact: Sequence[Detections], other: Sequence[Detections]) -> float:
    """Root mean square over images and detections, seen from either side."""
    errors = [_missed(a, b) for one, two in zip(exact, other, strict=True) for a, b in ((one, two), (two, one))]
    every = np.concatenate(errors)
    return float(np.sqrt(np.mean(every**2))) if len(every) else 0.0


def _missed(one: Detections, other: Detections) -> NDArray[np.float32]:
    """Score of each detection of `one` minus that of the closest box of the same class in `other`."""
    seen = one.scores > SEEN
    scores = one.scores[seen]
    if not len(scores) or not len(other.scores):
        return scores
    overlaps = iou(one.boxes[seen], other.boxes) * (one.classes[seen][:, None] == other.classes[None])
    closest = overlaps.argmax(axis=1)
    same = overlaps[np.arange(len(closest)), closest] > SAME
    difference: NDArray[np.float32] = scores - np.where(same, other.scores[closest], 0)
    return difference


class _Scorer:
    """mAP, detections and share of int8 of a graph on the judged images."""

    def __init__(self, job: SweepJob, folder: Path) -> None:
        self._job, self._found = job, folder / "detections.npz"

    def __call__(self, path: Path, alive: Callable[[], None]) -> tuple[float, list[Detections], float]:
        job = self._job
        artifact = replace(job.graph, path=str(path))
        scoring = ScoreJob(job.cell, artifact, job.judged, job.pixels, Decoding(), str(self._found), ())
        scored = scoring.run(_Muted(alive))
        return (
            scored.metrics["map"] or 0.0,
            detections_file.load_detections(self._found),
            share(scored.executed, "i8") or 0.0,
        )


class _Muted(Channel):
    """A channel whose progress is only a sign of life."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive

    def progress(self, done: int, total: int) -> None:
        self._alive()


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.save(model, path)
