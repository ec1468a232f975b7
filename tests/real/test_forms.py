"""The bundled digits in the output forms of other exporters: each scores what the plain graph scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from built import Built
from forms import SURGERY, rebuilt

from harness import Cell, Decoding
from harness.backends import onnxruntime
from harness.core.measurement import Artifact
from harness.inputs.datasets.loading import load_scored
from harness.inputs.pixels import read_image
from harness.inputs.sources import find_data
from harness.measure.accuracy.coco import evaluate
from harness.measure.accuracy.score import detect
from harness.tasks.preprocess import letterbox

CELL = Cell("digits", "ready", "onnxruntime", imgsz=256)
IMAGES = 16


@pytest.fixture(scope="module")
def scored(built: Built):
    """A function from a graph to its mAP on the first digits, and to how it was read."""
    data = load_scored(find_data(["digits"], Path(), ())).first(IMAGES)
    pixels = np.stack([letterbox(read_image(image), (256, 256)) for image in data.images])

    def score(path: Path) -> float:
        artifact = Artifact(str(path), "key", 1, {"names": None})
        seen = detect(onnxruntime.open(artifact, CELL, 1), CELL, artifact, data, pixels, Decoding())
        return evaluate(data, seen.found, seen.names).metrics["map"]

    return score


@pytest.mark.parametrize("form", sorted(SURGERY.keys() - {"one class"}))
def test_the_digits_score_the_same_in_every_form(built: Built, scored, tmp_path, form):
    exported = Path(built("onnxruntime", "fp32").path)
    one_class = "deepstream" in form  # such a file keeps the best class of each anchor only
    plain = rebuilt(exported, "one class", tmp_path / "plain.onnx") if one_class else exported
    assert scored(rebuilt(exported, form, tmp_path / "model.onnx")) == pytest.approx(scored(plain), abs=0.001)
