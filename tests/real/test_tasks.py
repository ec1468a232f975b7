"""Segmentation and pose on the real runtimes: every backend finds the masks and key points that PyTorch finds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from harness import Suite, matrix
from harness.core.measurement import Measurement
from harness.inputs.finder import Settings
from harness.measure.accuracy import detections_file as detections
from harness.measure.accuracy.score_cache import detections_file
from harness.measure.runner import Runner
from harness.tasks.base import Detections

MODELS = ["yolo26-seg-digits", "yolo26-pose-digits"]
BACKENDS = [
    name
    for name, module in (("onnxruntime", "onnxruntime"), ("openvino", "openvino"), ("litert", "ai_edge_litert"))
    if importlib.util.find_spec(module)
]


@pytest.fixture(scope="module")
def measure(tmp_path_factory: pytest.TempPathFactory, few_images: Path, shared_cache: Path):
    """Score a cell on a dozen images; returns its measurement and what it found."""
    folder = tmp_path_factory.mktemp("tasks")
    runner = Runner(Settings(folder / "run", shared_cache, dataset=few_images))

    def measure(model: str, precision: str, backend: str) -> tuple[Measurement, list[Detections]]:
        suite = Suite("tasks", "digits", matrix(model, precision, backend, imgsz=256))
        measured = runner.accuracy(suite, Path(), suite.cells[0])
        assert measured.failure is None, measured.failure
        file = detections_file(folder / "run", str(measured.provenance["detections"]))
        return measured, detections.load_detections(file)

    return measure


def shapes(one: Detections) -> np.ndarray:
    """Everything that a detection says beside its box, as numbers."""
    if one.points is not None:
        return one.points.reshape(len(one.scores), -1)
    return np.array([mask[1::2].sum() for mask in one.masks or ()], float)  # pixels of each mask


@pytest.mark.parametrize("head", ["", ":e2e"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_runtime_finds_what_pytorch_finds(measure, model: str, head: str, backend: str) -> None:
    reference, expected = measure(model + head, "fp32", "torch")
    measured, found = measure(model + head, "fp32", backend)
    assert measured.metrics["map"] == pytest.approx(reference.metrics["map"], abs=2e-3)
    assert measured.metrics["box_map"] == pytest.approx(reference.metrics["box_map"], abs=2e-3)
    for ours, theirs in zip(found, expected, strict=True):
        sure = [one.scores > 0.1 for one in (ours, theirs)]
        assert shapes(ours)[sure[0]] == pytest.approx(shapes(theirs)[sure[1]], rel=0.02, abs=1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_int8_keeps_most_of_it(measure, model: str, backend: str) -> None:
    exact, _ = measure(model, "fp32", backend)
    quantized, _ = measure(model, "int8", backend)
    assert exact.metrics["map"] > 0.2
    assert quantized.metrics["map"] > 0.9 * exact.metrics["map"]
    assert quantized.executed["i8"] > quantized.executed.get("f32", 0)


def test_a_mask_lies_where_ultralytics_puts_it(measure) -> None:
    ultralytics = pytest.importorskip("ultralytics")
    from harness.inputs.datasets.loading import load_scored
    from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS

    _, found = measure("yolo26-seg-digits", "fp32", "torch")
    model = ultralytics.YOLO(BUNDLED_WEIGHTS["yolo26-seg-digits"])
    model.model.end2end = False
    images = load_scored(BUNDLED_DATA["digits"]).images[: len(found)]
    overlaps = []
    for image, ours in zip(images, found, strict=True):
        said = model.predict(
            image.path, imgsz=256, conf=0.3, iou=0.7, rect=False, retina_masks=True, verbose=False, device="cpu"
        )[0]
        for box, mask in zip(said.boxes.xyxy, said.masks.data.numpy() > 0 if len(said) else (), strict=True):
            nearest = np.abs(ours.boxes - box.numpy()).max(axis=1).argmin()
            runs = ours.masks[nearest]
            own = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(image.width, image.height).T
            overlaps.append((own & mask).sum() / (own | mask).sum())
    assert len(overlaps) > 20
    assert np.mean(overlaps) > 0.97
