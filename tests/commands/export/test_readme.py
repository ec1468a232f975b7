"""The README of an export: code that a reader can paste, and tables without holes."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from harness import Cell
from harness.backends.registry import own_backends
from harness.commands.export.readme import LOADING, readme

CARD: dict[str, Any] = {
    "cell": "yolo26n-int8-onnxruntime-cpu", "suite": "made", "quantgate": "1.2", "key": "k", "entry": "model.onnx",
    "files": {"model.onnx": "ff"}, "size_bytes": 2_500_000, "weights": "aa11", "calibration": None, "training": None,
    "recipe": {"build": "onnx:copy", "params": {}, "stored": "f32", "executes": "f32", "version": 1},
    "versions": {"onnxruntime": "1.30"}, "names": ["cat", "dog"], "metrics": None, "metrics_note": "not measured: why",
    "input": {
        "shape": [1, 3, 480, 640], "type": "float32", "colour": "RGB", "range": [0, 1], "letterbox": {"pad": 114},
    },
    "output": {"index": 0, "meaning": "what it means"},
    "decoding": {"conf": 0.001, "iou": 0.7, "max_det": 300, "operating_conf": 0.25},
}  # fmt: skip


INT8 = Cell("yolo26n", "int8", "onnxruntime")


def text(cell: Cell = INT8, **changes: Any) -> str:
    return readme({**CARD, **changes}, cell)


def code(shown: str) -> str:
    return shown.partition("```python\n")[2].partition("```")[0]


def test_it_says_what_it_is_and_how_to_feed_and_read_it() -> None:
    shown = text()
    assert shown.startswith("# yolo26n-int8-onnxruntime-cpu\n")
    assert "Input: float32 [1, 3, 480, 640], RGB, values 0 to 1.\n" in shown
    assert "scale the longer side to 640 px (bilinear), centre it, pad with 114." in shown
    assert "Output 0: what it means\n" in shown
    assert "Classes, by number: cat, dog\n" in shown
    assert "| size | 2.50 MB |" in shown


@pytest.mark.parametrize("name", own_backends())
def test_every_backend_that_ships_has_code_that_parses_and_opens_the_file(name: str) -> None:
    written = code(text(Cell("m", "int8", name), entry="model.bin"))
    ast.parse(written)
    assert '"model.bin"' in written
    assert "another package" not in written


def test_the_ending_of_a_file_comes_before_its_backend() -> None:
    assert "aoti_load_package" in code(text(Cell("m", "int8", "torch"), entry="model.pt2"))
    assert "torch.load" in code(text(Cell("m", "int8", "torch"), entry="model.pt"))


def test_a_foreign_backend_is_named_and_not_guessed() -> None:
    written = code(text(Cell("m", "int8", "theirs"), entry="model.x"))
    ast.parse(written)
    assert "# model.x is loaded by theirs" in written
    assert "theirs" not in LOADING


@pytest.mark.parametrize(("precision", "hint"), [("fp32", "f32"), ("bf16", "bf16")])
def test_openvino_is_told_the_precision_that_the_cell_executes(precision: str, hint: str) -> None:
    assert f'"INFERENCE_PRECISION_HINT": "{hint}"' in code(text(Cell("m", precision, "openvino")))


def test_a_metric_has_its_unit_and_one_without_a_value_has_no_row() -> None:
    shown = text(metrics={"map": 0.418512, "map_large": None, "size_bytes": 2_500_000}, metrics_note="128 images of d")
    rows = [line for line in shown.partition("## Measured")[2].splitlines() if line.startswith("| ")]
    assert rows == ["| metric | value |", "| map | 0.41851 |", "| size_bytes | 2,500,000 B |"]
    assert shown.endswith("128 images of d\n")


def test_without_metrics_it_says_why() -> None:
    assert text().partition("## Measured\n")[2].strip() == "not measured: why"


def test_calibration_training_and_parameters_are_told_where_there_are_any() -> None:
    shown = text(
        calibration={"images": 64, "dataset": "coco", "digest": "cc33"}, training={"epochs": 3},
        recipe={**CARD["recipe"], "params": {"method": "mse"}},
    )  # fmt: skip
    assert "| calibration | 64 images of coco, `cc33` |" in shown
    assert '| training | {"epochs": 3} |' in shown
    assert '`onnx:copy` with {"method": "mse"}, stored f32' in shown
    assert "calibration" not in text() and "training" not in text()
