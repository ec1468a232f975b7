"""ONNX Runtime on small graphs: what it computes, and what its profile says was executed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from graphs import CONVOLUTION, IMAGES, KERNEL, SIZE, convolved, save_graph
from onnx import TensorProto, helper

from harness import Artifact, Cell, ConfigError, Unavailable
from harness.backends import onnxruntime as backend

CELL = Cell("m", "fp32", "onnxruntime", imgsz=SIZE)


def opened(path: Path, cell: Cell = CELL) -> backend.OrtSession:
    return backend.open(Artifact(str(path), "key", 1), cell, 1)


@pytest.fixture
def convolution(tmp_path: Path) -> Path:
    return save_graph(tmp_path / "model.onnx", [helper.make_node("Conv", ["images", "w"], ["output"])], w=KERNEL)


def test_a_call_computes_what_the_graph_says(convolution: Path) -> None:
    (output,) = opened(convolution).infer(IMAGES)
    np.testing.assert_allclose(output, convolved(), rtol=1e-5)


def test_a_graph_of_float16_is_given_float16(tmp_path: Path) -> None:
    half = save_graph(tmp_path / "half.onnx", [helper.make_node("Relu", ["images"], ["output"])], TensorProto.FLOAT16)
    (output,) = opened(half).infer(IMAGES)
    assert output.dtype == np.float16
    np.testing.assert_array_equal(output, IMAGES.astype(np.float16))


def test_an_input_of_another_type_is_one_line(tmp_path: Path) -> None:
    whole = save_graph(
        tmp_path / "whole.onnx", [helper.make_node("Identity", ["images"], ["output"])], TensorProto.INT64
    )
    with pytest.raises(ConfigError, match=r"whole.onnx takes images of int64; quantgate feeds float32,"):
        opened(whole)


def test_a_convolution_is_counted_in_the_type_it_ran_in(convolution: Path) -> None:
    assert opened(convolution).executed() == {"f32": CONVOLUTION}


def test_every_image_of_a_batch_counts(convolution: Path) -> None:
    three = Cell("m", "fp32", "onnxruntime", imgsz=SIZE, batch=3)
    assert opened(convolution, three).executed() == {"f32": 3 * CONVOLUTION}


def test_a_dynamically_quantized_product_is_counted_as_int8_and_the_rest_as_float(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["images"], ["quantized", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["quantized", "b", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "c"], ["output"]),
    ]
    weights = {"b": np.ones((SIZE, 5), np.int8), "c": np.ones((5, 7), np.float32)}
    executed = opened(save_graph(tmp_path / "dynamic.onnx", nodes, **weights)).executed()
    assert executed == {"i8": 3 * SIZE * SIZE * 5, "f32": 3 * SIZE * 5 * 7}


def test_the_profile_is_gone_when_it_was_read(convolution: Path, tmp_path: Path, monkeypatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    opened(convolution).executed()
    assert list(scratch.iterdir()) == []


def test_a_transposed_convolution_spreads_every_input(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConvTranspose", ["images", "w"], ["output"], strides=[2, 2])]
    path = save_graph(tmp_path / "up.onnx", nodes, w=np.ones((3, 6, 2, 2), np.float32))
    assert opened(path).executed() == {"f32": 3 * SIZE * SIZE * 6 * 4}


# Kernels as a profile lists them


def kernel(name: str, output: list[int], *given: tuple[str, list[int]]) -> dict[str, object]:
    inputs = [{kind: shape} for kind, shape in given]
    return {"op_name": name, "input_type_shape": inputs, "output_type_shape": [{"float": output}]}


SCALE, ZERO = ("float", []), ("uint8", [])


@pytest.mark.parametrize(
    ("listed", "work"),
    [
        (
            kernel("QLinearConv", [1, 8, 5, 5], ("uint8", [1, 4, 5, 5]), SCALE, ZERO, ("int8", [8, 4, 3, 3])),
            {"i8": 8 * 4 * 9 * 25},
        ),
        (kernel("QGemm", [2, 6], ("int8", [2, 5]), SCALE, ZERO, ("int8", [5, 6])), {"i8": 2 * 5 * 6}),
        (kernel("DynamicQuantizeMatMul", [2, 6], ("float", [2, 5]), ("int8", [5, 6])), {"i8": 2 * 5 * 6}),
        (kernel("FusedMatMul", [2, 6], ("float16", [2, 5]), ("float16", [5, 6])), {"f16": 2 * 5 * 6}),
        (kernel("MatMul", [2, 6], ("double", [2, 5]), ("double", [5, 6])), {"double": 2 * 5 * 6}),
        (kernel("Conv", [1, 8, 5, 5], ("float", [1, 4, 5, 5])), {}),  # a packed weight, whose shape is not listed
        (kernel("Add", [1, 8, 5, 5], ("float", [1, 8, 5, 5]), ("float", [1, 8, 5, 5])), {}),
    ],
)
def test_a_kernel_counts_in_the_type_of_its_first_input(listed: dict[str, object], work: dict[str, int]) -> None:
    assert backend._macs(listed) == work


# What is missing


def test_it_runs_on_the_cpu_alone() -> None:
    assert backend.probe(CELL)
    with pytest.raises(Unavailable, match="onnxruntime runs on device 'cpu' only"):
        backend.probe(Cell("m", "fp32", "onnxruntime", "cuda"))


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_an_absent_provider_is_an_error_and_not_another_provider(convolution: Path, monkeypatch) -> None:
    monkeypatch.setitem(backend.PROVIDERS, "cpu", "CUDAExecutionProvider")
    with pytest.raises(Unavailable, match=r"onnxruntime has no CUDAExecutionProvider; it offers .*CPUExec"):
        opened(convolution)


def test_a_closed_session_answers_no_more(convolution: Path) -> None:
    session = opened(convolution)
    session.close()
    with pytest.raises(AttributeError):
        session.infer(IMAGES)
