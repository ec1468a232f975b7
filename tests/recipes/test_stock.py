"""`int8:ultralytics` is what `YOLO.export(quantize=8)` makes of the same checkpoint and images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import yaml
from onnx import numpy_helper

from harness.inputs.sources import BUNDLED_WEIGHTS

EXPORT = """
import sys
from ultralytics import YOLO
YOLO(sys.argv[1]).export(format=sys.argv[2], quantize=8, imgsz=256, data=sys.argv[3], device="cpu")
"""


@pytest.fixture
def exported(tmp_path: Path, few_to_calibrate: Path):
    """What the real exporter writes, by format, from a data set whose validation split is the calibration images."""

    def exported(form: str) -> Path:
        weights = Path(shutil.copy(BUNDLED_WEIGHTS["yolo26n-digits"], tmp_path / "m.pt"))
        images = shutil.copytree(few_to_calibrate, tmp_path / "images")
        names = {index: str(index) for index in range(10)}
        data = tmp_path / "data.yaml"
        data.write_text(yaml.safe_dump({"train": str(images), "val": str(images), "names": names}))
        environment = {**os.environ, "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(tmp_path)}
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", EXPORT, weights, form, data],
            check=True, capture_output=True, env=environment,
        )  # fmt: skip
        return tmp_path

    return exported


def test_onnx(built, exported):
    ours = onnx.load(built("onnxruntime", "int8:ultralytics").path).graph
    theirs = onnx.load(exported("onnx") / "m_int8.onnx").graph
    assert [node.SerializeToString() for node in ours.node] == [node.SerializeToString() for node in theirs.node]
    mine, other = ({i.name: numpy_helper.to_array(i) for i in graph.initializer} for graph in (ours, theirs))
    assert mine.keys() == other.keys()
    assert {name for name in mine if not np.array_equal(mine[name], other[name])} == set()
    assert any(values.dtype == np.int8 and values.ndim == 4 for values in mine.values())


def test_openvino(built, exported):
    core = openvino.Core()
    ours = core.read_model(built("openvino", "int8:ultralytics").path)
    (file,) = (exported("openvino") / "m_int8_openvino_model").glob("*.xml")
    theirs = core.read_model(file)
    shown = [
        [(op.get_type_name(), str(op.get_output_partial_shape(0))) for op in model.get_ordered_ops()]
        for model in (ours, theirs)
    ]
    assert shown[0] == shown[1]
    weights = [
        [op.data for op in model.get_ordered_ops() if op.get_type_name() == "Constant"] for model in (ours, theirs)
    ]
    for mine, other in zip(*weights, strict=True):
        # Their loader shuffles the images: sums of floats differ in the last bits, integers do not.
        exact = not np.issubdtype(mine.dtype, np.floating)
        assert np.array_equal(mine, other) if exact else np.allclose(mine, other, rtol=1e-5, atol=1e-6)
    assert any(values.dtype == np.int8 and values.ndim == 4 for values in weights[0])
