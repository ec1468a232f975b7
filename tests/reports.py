"""Results as a run writes them, of any size, for the tests of reports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from builders import MACHINE, detections
from PIL import Image

from harness import Gate, Suite, Verdict
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.measurement import Measurement
from harness.inputs.datasets.base import load_image
from harness.inputs.datasets.coco import to_coco
from harness.measure.accuracy.detections_file import save_detections
from harness.measure.accuracy.score_cache import dataset_file, detections_file
from harness.measure.explain.explain import Explanation, Lost
from harness.measure.explain.layer_noise import Layer
from harness.measure.explain.stage_swap import Stage
from harness.measure.explain.tide import TYPES, Errors
from harness.store.results import CellResult, Recorded, load_results, plan_of, results_to_json

GATES = (
    Gate("map", max_drop=0.005),
    Gate("map", max_drop=0.02, against="fp32"),
    Gate("size_bytes", max_rise=0.01),
    Gate("latency", max_rise=0.05),
)
FP32 = Cell("yolo26n", "fp32", "onnxruntime")
INT8 = FP32.sibling("int8")
CAT, DOG = (20, 10, 60, 40, 0.9, 0), (100, 80, 180, 150, 0.6, 1)  # detections: corners, score, class
FAINT = (5, 5, 9, 9, 0.1, 0)
FP16 = FP32.sibling("fp16")


def scored(cell: Cell, value: float = 0.4, seed: int = 0, **changes: Any) -> Measurement:
    """An accuracy and a latency; the resamples of two cells share their draws."""
    common = np.random.default_rng(9).normal(0, 0.02, 200)
    own = np.random.default_rng(seed).normal(0, 0.001, 200)
    made: dict[str, Any] = {
        "metrics": {
            "map": value, "map_50": value + 0.2, "size_bytes": 2_000_000, "agreement": 0.95, "map_large": None,
            "latency_p50_ms": 5.0, "latency_p90_ms": 6.0, "latency_ratio": None if cell.precision == "fp32" else 0.5,
        },
        "per_class": {"cat": value, "dog": value + 0.1},
        "instances": {"cat": 40, "dog": 7},
        "samples": {
            "map_resampled": (value + common + own).tolist(),
            "latency_ms": np.random.default_rng(seed).gamma(9, 0.5, 100).round(4).tolist(),
        },
        "executed": {"i8": 90, "f32": 10},
        "provenance": {
            "weights": "aa11", "dataset": "dd22", "images": 128, "detections": f"{cell.precision}{seed}",
            "operating_conf": 0.25, "versions": {"onnxruntime": "1.30.0"},
            "recipe": "onnx:static_int8", "calibration": {"digest": "cc33", "images": 64},
        },
    }  # fmt: skip
    return Measurement(cell, **{**made, **changes})


def result(cell: Cell, status: Any = "unchanged", *verdicts: Verdict, **changes: Any) -> CellResult:
    made = {"measured": scored(cell), "baseline": {"map": 0.4, "size_bytes": 2_000_000}, **changes}
    return CellResult("demo", cell.id, cell, status, None, verdicts=verdicts, file="suites/test_demo.py", **made)


DROPPED = Verdict("map", "baseline", "regressed", 0.38, 0.4, "≥ 0.395", "−0.02, 99% interval …", (0.37, 0.39))
SLOWER = Verdict("latency", "baseline", "regressed", 1.2, 1.0, "≤ 1.05 × baseline", "+20% ± 3%", (1.17, 1.23))


def regressed() -> list[CellResult]:
    """Three siblings of which int8 lost accuracy and speed."""
    samples = {**scored(INT8, 0.38, 1).samples, "log_ratio_network": [0.1, 0.12, 0.14]}
    worse = scored(INT8, 0.38, 1, samples=samples)
    return [result(FP32), result(FP16), result(INT8, "regressed", DROPPED, SLOWER, measured=worse)]


def explained() -> dict[str, Any]:
    """Of int8, as a run keeps it."""
    stages = (Stage("reference", "", 0.4, 1.0, 0.0), Stage("export", "reference", 0.3, 0.9, 0.0))
    before = Errors(0.9, dict.fromkeys(TYPES, 3), dict.fromkeys(TYPES, 0.01))
    after = Errors(0.8, dict.fromkeys(TYPES, 5), dict.fromkeys(TYPES, 0.04))
    lost = (Lost("cat", 0.5, 0.25),)
    layers = (Layer("/model.23/cv3.0/Conv", 4.2, 0.38), Layer("/model.0/conv/Conv", None, 0.0))
    return dataclasses.asdict(Explanation(INT8.id, 64, "export", stages, before, after, lost, (), layers))


def keep_detections(folder: Path) -> None:
    """Three images; int8 loses the dog of the second, and finds a cat in the third that fp32 has not."""
    images = []
    for number in (1, 2, 3):
        file = folder / "images" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (400, 840, 3), np.uint8)
        Image.fromarray(pixels).save(file)
        images.append(load_image(number, file))
    truth = [{"id": 1, "image_id": 2, "category_id": 7, "bbox": [100, 80, 80, 70], "area": 5600, "iscrowd": 0}]
    data = Dataset("made", tuple(images), {3: "cat", 7: "dog"}, truth)
    found = {FP32: [(CAT,), (CAT, DOG), ()], INT8: [(CAT, FAINT), (CAT,), (CAT,)]}
    for cell, seed in ((FP32, 0), (INT8, 1)):
        file = detections_file(folder, f"{cell.precision}{seed}")
        file.parent.mkdir(exist_ok=True)
        save_detections(file, data, [detections(*rows) for rows in found[cell]], ["cat", "dog"])
    file = dataset_file(folder, "dd22")
    file.parent.mkdir()
    file.write_text(json.dumps(to_coco(data)))


def write(folder: Path, cells: Sequence[CellResult], gates: Sequence[Gate] = GATES, **environment: str) -> Path:
    """A `results.json` of the suites that the cells name; returns the file."""
    plans = []
    for name in dict.fromkeys(one.suite for one in cells):
        own = [one.cell for one in cells if one.suite == name and one.cell]
        suite = Suite(name, "data.yaml", own, gates)
        plans.append(plan_of(suite, f"suites/test_{name}.py", dict.fromkeys(own, ("accuracy",)), (), 1))
    content = results_to_json(plans, cells, MACHINE, "pytest suites")
    content["environment"] |= environment
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    file.write_text(json.dumps(content, allow_nan=False))
    return file


def read(folder: Path, cells: Sequence[CellResult], **environment: str) -> Recorded:
    return load_results(write(folder, cells, **environment))


def many(models: int = 5, backends: int = 8, classes: int = 25) -> list[CellResult]:
    """`models` × `backends` × five precisions, a fifth of which failed; by default 200 cells with 4,000 deltas."""
    rng = np.random.default_rng(1)
    cells = []
    for number in range(models * backends):
        model, backend = f"detector{number // backends}", f"runtime{number % backends}"
        for step, kind in enumerate(("fp32", "bf16", "fp16", "int8", "int8-dynamic")):
            cell = Cell(model, kind, backend)
            value = 0.5 - 0.01 * step + float(rng.normal(0, 0.01))
            ap = dict(zip(_names(classes), rng.uniform(0.2, 0.8, classes).round(5).tolist(), strict=True))
            worse = scored(
                cell, value, number, per_class=ap, instances=dict.fromkeys(ap, 30),
                metrics={**scored(cell).metrics, "map": value, "size_bytes": int(1e7 / (step + 1)),
                         "latency_p50_ms": float(rng.uniform(2, 20))},
            )  # fmt: skip
            verdict = dataclasses.replace(
                DROPPED, observed=value, reference=value + 0.02, interval=(value - 0.01, value + 0.01),
                status="regressed" if kind == "int8" else "unchanged",
            )  # fmt: skip
            cells.append(result(cell, verdict.status, verdict, measured=worse, baseline={"map": value + 0.02}))
    return cells


def _names(classes: int) -> Mapping[str, None]:
    return dict.fromkeys(f"class {number}" for number in range(classes))
