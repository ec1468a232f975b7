"""The card: whose metrics it has, and how each kind of network is fed and read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from builders import INT8, measurement

from harness import Suite
from harness.commands.export.model_card import IDENTITY, card, meaning, measured
from harness.core.measurement import Artifact
from harness.measure.accuracy.signature import Signature
from harness.store.results import CellResult
from harness.tasks.base import Layout, OutputLayout

PROVENANCE: dict[str, Any] = {
    "weights": "aa11", "recipe": "onnx:static_int8", "calibration": {"digest": "cc33"}, "training": None,
    "imgsz": 640, "versions": {"onnxruntime": "1.30"},
}  # fmt: skip


def last(**changes: Any) -> CellResult:
    """The cell in results of the artifact, with changes of their provenance."""
    made = measurement(INT8, map_large=None)
    traced = {**PROVENANCE, "images": 128, "dataset": "coco128", "made_on": "another day", **changes}
    return CellResult("made", INT8.id, INT8, "unchanged", None, dataclasses.replace(made, provenance=traced))


def test_metrics_of_this_artifact_come_with_the_images_that_they_are_of() -> None:
    metrics, note = measured(last(), PROVENANCE)
    assert metrics == {"map": 0.4185, "map_50": 0.6, "size_bytes": 1000, "map_large": None}
    assert note == "128 images of coco128"


@pytest.mark.parametrize("name", IDENTITY)
def test_metrics_of_another_artifact_are_left_out_and_the_difference_is_named(name: str) -> None:
    assert measured(last(**{name: "other"}), PROVENANCE) == (
        None,
        f"not measured: the last results are of another artifact ({name} differ)",
    )


@pytest.mark.parametrize(
    "result",
    [
        None,
        dataclasses.replace(last(), measured=None),
        dataclasses.replace(last(), measured=dataclasses.replace(measurement(), metrics={})),
    ],
)
def test_without_a_measurement_there_are_no_metrics(result: CellResult | None) -> None:
    assert measured(result, PROVENANCE) == (None, "not measured: no last results of this cell")


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    recipe = {"build": "onnx:static_int8", "params": {}, "stored": "i8", "executes": "i8", "version": 1, "more": 0}
    known = {"files": {"model.onnx": "ff"}, "meta": {"shaped_by": {"recipe": recipe}}}
    (tmp_path / "artifact.json").write_text(json.dumps(known))
    return Artifact(str(tmp_path / "model.onnx"), "key", 1000, {})


def made(artifact: Artifact, layout: str = "raw", result: CellResult | None = None) -> dict[str, Any]:
    seen = Signature(OutputLayout(layout, 1, 2, bgr_bytes=layout == "yolox"), (1, 84, 8400), ("cat", "dog"))
    return card(Suite("made", "coco8", [INT8]), INT8, artifact, PROVENANCE, seen, result)


def test_the_card_says_which_file_to_open_and_which_output_to_read(artifact: Artifact) -> None:
    known = made(artifact)
    assert (known["entry"], known["files"], known["key"]) == ("model.onnx", {"model.onnx": "ff"}, "key")
    assert known["recipe"].keys() == {"build", "params", "stored", "executes", "version"}
    assert known["input"]["shape"] == [1, 3, 640, 640]
    told = (
        "[N, 4 + C, anchors]: centre x, centre y, width, height in pixels of the network input, then a score for each "
        "class. Keep scores above conf, then NMS within each class at iou, at most max_det."
    )
    assert known["output"] == {"index": 1, "shape": [1, 84, 8400], "layout": "raw", "meaning": told}
    assert json.loads(json.dumps(known)) == known


@pytest.mark.parametrize(
    ("layout", "colour", "highest"), [("raw", "RGB", 1), ("yolov5", "RGB", 1), ("yolox", "BGR", 255)]
)
def test_yolox_alone_reads_bgr_in_bytes(artifact: Artifact, layout: str, colour: str, highest: int) -> None:
    given = made(artifact, layout)["input"]
    assert (given["colour"], given["range"]) == (colour, [0, highest])


def test_a_status_is_told_with_its_metrics_only(artifact: Artifact) -> None:
    assert made(artifact, result=last())["status"] == "unchanged"
    assert made(artifact, result=last(weights="other"))["status"] is None


def test_every_layout_is_explained() -> None:
    assert all("Keep scores above conf" in meaning(OutputLayout(layout, 0, 2)) for layout in get_args(Layout))
