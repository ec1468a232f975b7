"""A graph of an old opset is raised where int8 needs it, and computes what it did, or the line says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders import digits
from graphs import SIZE, save_graph
from jobs import Silent
from onnx import helper

from harness import Cell, ConfigError
from harness.inputs.builds import BuildJob
from harness.inputs.sources import BUNDLED_WEIGHTS
from harness.recipes import opset
from harness.recipes.onnx import RECIPES
from harness.recipes.opset import raised

EXPORT = """
import sys
from ultralytics import YOLO
model = YOLO(sys.argv[1])
model.ckpt_path = model.model.pt_path = sys.argv[2]
model.export(format="onnx", imgsz=256, opset=11, verbose=False, device="cpu")
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """The bundled detector as Ultralytics exports it at opset 11, without a name on any node."""
    folder = tmp_path_factory.mktemp("old")
    command = [sys.executable, "-c", EXPORT, str(BUNDLED_WEIGHTS["yolo26n-digits"]), str(folder / "old.pt")]
    subprocess.run(command, check=True, capture_output=True)
    model = onnx.load(folder / "old.onnx")
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, folder / "old.onnx")
    return folder / "old.onnx"


@pytest.mark.parametrize("precision", ["int8", "int8:minmax"])
def test_int8_of_an_old_graph_loads_and_stays_close_to_float(old, tmp_path, precision):
    assert onnx.load(old).opset_import[0].version == 11
    inputs = digits(tmp_path / "inputs", weights=old, source=old)
    cell = Cell("old", precision, "onnxruntime", imgsz=256)
    made = tmp_path / "made"
    made.mkdir()
    added = BuildJob(RECIPES["onnxruntime", precision], inputs, str(made), cell).run(Silent())
    assert [file.name for file in made.iterdir()] == ["model.onnx"]
    assert "not measured on this family" in added["notes"][0]
    batch = next(inputs.batches())
    exact, found = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"images": batch})[0][0, 4:]
        for path in (old, made / "model.onnx")
    )
    seen = exact.max(axis=0) > 0.5
    assert seen.any()
    assert np.abs(exact - found)[:, seen].mean() < 0.05


def test_a_graph_that_is_new_enough_is_taken_as_it_is(tmp_path):
    node = helper.make_node("Relu", ["images"], ["output"])
    path = save_graph(tmp_path / "new.onnx", [node])
    assert raised(path, tmp_path, "new.onnx") == path


def test_a_graph_that_onnx_cannot_convert_is_one_line(tmp_path):
    node = helper.make_node("Made", ["images"], ["output"], domain="com.example")
    path = save_graph(tmp_path / "graph.onnx", [node])
    _age(path, helper.make_opsetid("com.example", 1))
    with pytest.raises(ConfigError, match=r"mine\.onnx is of opset 11, int8 needs 13, and onnx cannot convert") as said:
        raised(path, tmp_path, "mine.onnx")
    assert "\n" not in str(said.value)
    assert str(said.value).endswith("export it again with opset 13 or later")


def test_a_graph_that_computes_other_values_afterwards_is_refused(tmp_path, monkeypatch):
    path = save_graph(tmp_path / "graph.onnx", [helper.make_node("Relu", ["images"], ["output"])], batch=1)
    _age(path)
    assert raised(path, tmp_path, "mine.onnx").name == "raised.onnx"

    def wrong(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
        model.graph.node[0].op_type = "Neg"
        model.opset_import[0].version = version
        return model

    monkeypatch.setattr(onnx.version_converter, "convert_version", wrong)
    with pytest.raises(ConfigError, match="converted it computes other values"):
        raised(path, tmp_path, "mine.onnx")
    monkeypatch.setattr(opset, "_difference", lambda one, other: 0.0)
    assert raised(path, tmp_path, "mine.onnx").name == "raised.onnx"


def _age(path: Path, *domains: onnx.OperatorSetIdProto) -> None:
    """Say that a graph is of opset 11."""
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto())
    for side in (1, 3, SIZE, SIZE):
        model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = side
    model.opset_import[0].version = 11
    model.opset_import.extend(domains)
    onnx.save(model, path)
