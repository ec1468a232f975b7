"""Real COCO images through a real ONNX file, against an evaluation that shares no code with the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coco import ap_by_class, by_pycocotools

from harness import Suite, matrix
from harness.inputs.datasets.loading import load_scored
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_DATA, cache_folder
from harness.measure.accuracy import detections_file as detections
from harness.measure.accuracy.coco import COCO_STATS
from harness.measure.accuracy.score_cache import detections_file
from harness.measure.runner import Runner

INDEPENDENT = Path(__file__).parents[1] / "independent.py"
SHARED = Path(__file__).parents[3] / "shared"
WEIGHTS = Path(os.environ.get("QUANTGATE_WEIGHTS", SHARED / "weights")) / "yolo26n.pt"
DATA = Path(os.environ.get("QUANTGATE_DATA", SHARED / "data")) / "coco-val64"

pytestmark = pytest.mark.skipif(
    not (WEIGHTS.exists() and DATA.exists()),
    reason=f"needs {WEIGHTS} and {DATA}; set QUANTGATE_WEIGHTS and QUANTGATE_DATA to folders that hold them",
)


def test_map_of_yolo26n_agrees_with_an_independent_evaluation(tmp_path: Path) -> None:
    cells = matrix(str(WEIGHTS), "fp32", "onnxruntime")
    suite = Suite("coco", str(DATA), cells)
    runner = Runner(Settings(tmp_path / "run", tmp_path / "cache"))
    measured = runner.accuracy(suite, tmp_path, cells[0])
    assert measured.failure is None, measured.failure
    graph = next((tmp_path / "cache" / "artifacts").glob("*/model.onnx"))
    evaluated = subprocess.run([sys.executable, INDEPENDENT, graph, DATA], capture_output=True, text=True)
    assert evaluated.returncode == 0, evaluated.stderr
    expected = float(evaluated.stdout)
    assert measured.metrics["map"] == pytest.approx(expected, abs=0.001)
    print(json.dumps({"harness": measured.metrics["map"], "independent": expected}))


@pytest.mark.parametrize("name", ["coco-val64", "coco256", "digits"])
def test_every_number_is_pycocotools_own_on_the_same_detections(tmp_path: Path, name: str) -> None:
    bundled = name == "digits"  # coco-val64 has crowd regions
    cells = matrix("yolo26n-digits" if bundled else str(WEIGHTS), "fp32", "onnxruntime", imgsz=256 if bundled else 640)
    data = BUNDLED_DATA["digits"] if bundled else DATA.parent / name
    measured = Runner(Settings(tmp_path / "run", cache_folder())).accuracy(
        Suite("c", str(data), cells), tmp_path, cells[0]
    )
    assert measured.failure is None, measured.failure
    found = detections.load_detections(detections_file(tmp_path / "run", str(measured.provenance["detections"])))
    made = load_scored(data)
    names = [str(k) for k in range(10)] if bundled else list(made.categories.values())
    theirs = dict(zip(COCO_STATS, by_pycocotools(made, found, names), strict=True))
    for metric, value in theirs.items():
        assert measured.metrics[metric] == (None if value < 0 else pytest.approx(value, abs=1e-12)), metric
    known = {label: value for label, value in measured.per_class.items() if value is not None}
    assert known == pytest.approx(ap_by_class(made, found, names), abs=1e-12)


def test_the_end_to_end_head_scores_what_facts_say(tmp_path: Path) -> None:
    cells = matrix([str(WEIGHTS), f"{WEIGHTS}:e2e"], "fp32", "onnxruntime")
    runner = Runner(Settings(tmp_path / "run", tmp_path / "cache"))
    suite = Suite("heads", str(DATA), cells)
    raw, end_to_end = sorted((runner.accuracy(suite, tmp_path, cell) for cell in cells), key=lambda m: m.cell.model)
    assert raw.metrics["map"] == pytest.approx(0.4515, abs=0.002)
    assert end_to_end.metrics["map"] == pytest.approx(0.4462, abs=0.002)
