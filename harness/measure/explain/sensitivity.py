"""`quantgate sensitivity`: how much each group of layers loses when it alone runs in int8, and all else in float.

The networks are judged on images of the train split that calibration has not seen, so that a recipe can be chosen by
the result while the scored images stay a test. Few images cannot tell small drops of mAP from chance. The table is
therefore ranked by the detection error, which compares every detection with the float network and has far less noise.
"""

from __future__ import annotations

import functools
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
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
from harness.measure.accuracy.agreement import detection_error
from harness.measure.accuracy.score import ScoreJob
from harness.measure.place import Place
from harness.tasks.base import Detections
from harness.tasks.outputs import content
from harness.tasks.preprocess import normalize
from harness.tasks.registry import of_task

BACKEND = "onnxruntime"
CALIBRATION = 64  # images to calibrate on; half of the train split where that is smaller


@dataclass(frozen=True)
class Sensitivity:
    """What quantizing one group of layers has done."""

    group: str
    share: float  # of the multiply-accumulates, the share that then ran in int8
    drop: float  # mAP of the float network − mAP
    error: float  # detection error (`detection_error`)


@dataclass(frozen=True)
class Split:
    """Images to calibrate on and images to judge on. No image is in both."""

    calibration: Dataset
    judged: Dataset


@dataclass(frozen=True)
class SplitJob:
    """Read a data set and divide it; in a child, because hashing its files takes time."""

    data: Path
    calibration: Path | None  # other images to calibrate on; None: the train split
    limit: int  # how many images to judge on; 0: all that are left
    scored: bool  # judge on the scored split instead of the train split

    def run(self, channel: Channel) -> Split:
        """Return the images to calibrate on and the images to judge on.

        Raises:
            ConfigError: the limit is negative, or there are no images for one of the two purposes.
        """
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
        return Split(calibration, self._left(judged, calibration))

    def _left(self, judged: Dataset, calibration: Dataset) -> Dataset:
        """The first images to judge on, up to the limit, without the images that calibrate."""
        shared = set(overlap(calibration, judged))
        seen = {image.digest for image in calibration.images if image.path in shared}
        left = tuple(image for image in judged.images if image.digest not in seen)
        judged = judged.of_images(left[: self.limit] if self.limit else left)
        if not judged.annotations:
            raise ConfigError(f"{self.data}: no image with ground truth is left beside the calibration images")
        return judged


@dataclass(frozen=True)
class SweepJob:
    """Quantize one group after the other, and score each network."""

    cell: Cell
    graph: Artifact  # the float graph
    calibration: str  # .npy file of letterboxed images, uint8 [N, 3, H, W], to calibrate on
    judged: Dataset
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W], in the order of judged.images

    def run(self, channel: Channel) -> list[Sensitivity]:
        """Return one row per group, and at the end one row for the int8 recipe, which quantizes most groups at once.

        Raises:
            ConfigError: the nodes of the graph are not named after modules.
        """
        from harness.recipes import onnx, ranges

        with tempfile.TemporaryDirectory() as folder:
            model = onnx.prepared(Path(self.graph.path), Path(folder))
            if not layer_groups(model):
                raise ConfigError(f"{self.cell}: the nodes of the graph are not named after modules; nothing to rank")
            parts = {**layer_groups(model), "the int8 recipe": onnx.trunk(model)}

            def alive(done: int) -> None:
                """Report no progress, only that calibration goes on."""
                channel.progress(0, len(parts))

            wanted = onnx.activations(model, [name for nodes in parts.values() for name in nodes])
            histograms = ranges.collect(model, wanted, self._calibration_batches(), alive)
            reach = onnx.activation_ranges(model, histograms, "mse")
            score = _Scorer(self, Path(folder))
            exact = score(Path(self.graph.path), functools.partial(channel.progress, 0, len(parts)))
            rows = []
            for done, (name, nodes) in enumerate(parts.items(), 1):
                path = Path(folder, "model.onnx")
                _save(onnx.quantized(model, nodes, reach), path)
                other = score(path, functools.partial(channel.progress, done, len(parts)))
                error = detection_error(exact.found, other.found)
                rows.append(Sensitivity(name, other.int8_share, exact.map - other.map, error))
        return rows

    def _calibration_batches(self) -> Iterator[NDArray[np.float32]]:
        """The calibration images, one per batch."""
        pixels: NDArray[np.uint8] = np.load(self.calibration, mmap_mode="r")
        return (normalize(pixels[k : k + 1]) for k in range(len(pixels)))


def measure_sensitivity(
    place: Place, cache: Path, cell: Cell, weights: Path, wanted: SplitJob
) -> tuple[Split, list[Sensitivity]]:
    """Quantize one group of layers at a time, and return the images used and one row per group.

    Heavy work runs in children, out of the way of timed sections.

    Args:
        place: where the children run.
        cache: folder of the cache.
        cell: the model in fp32 on ONNX Runtime.
        weights: file of the model.
        wanted: which images to calibrate and judge on.

    Raises:
        ConfigError: the backend is not ONNX Runtime, or the graph or the data cannot be used.
        Unavailable, CellError: the graph cannot be built, or a child failed.
    """
    if cell.backend != BACKEND:
        raise ConfigError(f"sensitivity is measured on {BACKEND} only: {cell.backend} quantizes whole graphs here")
    store = Cache(cache, place.run_job)
    split: Split = place.run_job(wanted, "read the images")
    graph = store.artifact(cell, weights, None)
    calibration, pixels = (str(store.pixels(part.images, cell.imgsz)) for part in (split.calibration, split.judged))
    judged = of_task(split.judged, content(graph.meta).task)
    rows: list[Sensitivity] = place.run_job(SweepJob(cell, graph, calibration, judged, pixels), "groups of layers")
    return split, rows


def layer_groups(model: Any) -> dict[str, list[str]]:
    """Return the names of the nodes that int8 can quantize, by group; groups without a convolution are left out.

    Each numbered module of an Ultralytics model is a group ("12"), and in the head each branch ("23 cv2.0").

    Args:
        model: an ONNX model whose nodes are named after modules.
    """
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


@dataclass(frozen=True)
class _Scored:
    """What one network has found on the judged images."""

    map: float
    found: list[Detections]  # by image
    int8_share: float  # of the multiply-accumulates, the share that ran in int8


class _Scorer:
    """Scores graphs on the judged images of a job."""

    def __init__(self, job: SweepJob, folder: Path) -> None:
        self._job, self._found = job, folder / "detections.npz"

    def __call__(self, path: Path, alive: Callable[[], None]) -> _Scored:
        """Score the graph in the file `path`; `alive` is called as long as it goes on."""
        job = self._job
        artifact = replace(job.graph, path=str(path))
        scoring = ScoreJob(job.cell, artifact, job.judged, job.pixels, Decoding(), str(self._found), ())
        scored = scoring.run(_Muted(alive))
        found = detections_file.load_detections(self._found)
        return _Scored(scored.metrics["map"] or 0.0, found, share(scored.executed, "i8") or 0.0)


class _Muted(Channel):
    """A channel for a job within a job: its progress is only a sign of life."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive

    def progress(self, done: int, total: int) -> None:
        self._alive()


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.save(model, path)
