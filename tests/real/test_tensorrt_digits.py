"""TensorRT cells of the bundled model from checkpoint to verdict, on a stand-in GPU that computes on ONNX Runtime.

What a real GPU adds is TensorRT itself; everything before and around it runs here: the graphs, the build, the session,
the scoring, the timing, the results.
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import onnx
import pytest
from onnx import numpy_helper
from standins import install

from harness.store.results import SCHEMA_FILE

SUITE = """
from harness import Gate, Model, Qat, Suite, matrix
TRAINED = Model("yolo26n-digits", qat=Qat(checkpoint="yolo26n-digits-qat"))
SUITE = Suite(
    "digits-gpu", "digits",
    matrix(TRAINED, ["fp32", "fp16", "int8", "int8-qat"], "tensorrt", imgsz=256)
    + matrix(TRAINED, ["fp32", "int8:tensorrt", "int8-qat:tensorrt"], "onnxruntime", imgsz=256),
    [Gate("map", max_drop=0.05, against="fp32"), Gate("attested_share", min=0.65, precisions="int8")],
)
"""


def test_the_cells_build_run_score_and_gate(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_images: Path, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path / "site")
    pytester.makepyfile(test_gpu=SUITE)
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--qg-cache-dir", "cache", "--qg-dataset", few_images, "-k", "accuracy or fp16"
    )
    content = json.loads((pytester.path / ".quantgate" / "results.json").read_text())
    jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text()))
    cells = {cell["id"].removeprefix("yolo26n-digits-"): cell for cell in content["cells"]}
    assert {name: cell["reason"] for name, cell in cells.items() if cell["status"] == "error"} == {}, str(result.stdout)

    scores = {name: cell["metrics"]["map"] for name, cell in cells.items()}
    assert scores["fp32-tensorrt-cuda"] == scores["fp32-onnxruntime-cpu"] > 0.5
    assert (
        scores["int8-tensorrt-cuda"] == scores["int8~tensorrt-onnxruntime-cpu"] > scores["fp32-onnxruntime-cpu"] - 0.05
    )
    assert scores["int8-qat-tensorrt-cuda"] == scores["int8-qat~tensorrt-onnxruntime-cpu"] > 0.5
    assert abs(scores["fp16-tensorrt-cuda"] - scores["fp32-tensorrt-cuda"]) < 0.01

    assert {name: set(cell["executed"]) for name, cell in cells.items()} == {
        "fp32-onnxruntime-cpu": {"f32"},
        "int8~tensorrt-onnxruntime-cpu": {"f32"},
        "int8-qat~tensorrt-onnxruntime-cpu": {"f32"},
        "int8-qat-tensorrt-cuda": {"i8", "f16"},
        "fp32-tensorrt-cuda": {"f32"},
        "fp16-tensorrt-cuda": {"f16"},
        "int8-tensorrt-cuda": {"i8", "f16"},
    }
    assert cells["int8-tensorrt-cuda"]["metrics"]["attested_share"] > 0.9
    assert {cell["status"] for cell in cells.values()} == {"met"}, str(result.stdout)

    timed = cells["fp16-tensorrt-cuda"]
    assert timed["metrics"]["device_p50_ms"] == 1.5
    assert timed["metrics"]["device_memory_bytes"] > timed["metrics"]["size_bytes"]
    assert timed["metrics"]["latency_ratio"] > 0
    assert timed["provenance"]["versions"]["tensorrt"] == "10.13.3.9"

    _expect_quantization_that_tensorrt_takes(pytester.path / "cache" / "artifacts")


def _expect_quantization_that_tensorrt_takes(artifacts: Path) -> None:
    """Its documentation: int8, symmetric, constant scales; activations per tensor, weights per output channel."""
    graphs = [onnx.load(file).graph for file in artifacts.glob("*/model.onnx")]
    quantized = [graph for graph in graphs if any(node.op_type == "QuantizeLinear" for node in graph.node)]
    assert len(quantized) == 6, "ModelOpt's, the one with float16 that is compiled, and ONNX Runtime's copy; of either"
    for graph in quantized:
        constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        for node in graph.node:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                scale, zero = constants[node.input[1]], constants[node.input[2]]
                assert (scale > 0).all()
                assert zero.dtype == "int8"
                assert not zero.any()
                weight = constants.get(node.input[0])
                assert scale.size == (1 if weight is None else weight.shape[0])
