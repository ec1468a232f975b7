"""OpenVINO on small graphs: what it computes, in the precision that it is told, and what its execution graph says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from graphs import IMAGES, KERNEL, SIZE, convolved, save_graph
from onnx import TensorProto, helper

from harness import Artifact, Cell, Unavailable
from harness.backends import openvino as backend
from harness.core.errors import Unsupported

CELL = Cell("m", "fp32", "openvino", imgsz=SIZE)
SIDES = [SimpleNamespace(is_dynamic=False, get_length=lambda side=side: side) for side in (1, 3, SIZE, SIZE)]


class Partial(list):
    rank = SimpleNamespace(is_dynamic=False)


PORT = SimpleNamespace(
    get_element_type=lambda: SimpleNamespace(get_type_name=lambda: "f32"),
    get_partial_shape=lambda: Partial(SIDES),
    get_names=lambda: {"images"},
    get_any_name=lambda: "images",
)


@pytest.fixture
def session(tmp_path: Path):
    """Open a graph from `images` to `output`."""

    def opened(nodes: list[onnx.NodeProto], cell: Cell = CELL, **weights: np.ndarray) -> backend.OpenVinoSession:
        path = save_graph(tmp_path / "model.onnx", nodes, batch=cell.batch, **weights)
        return backend.open(Artifact(str(path), "key", 1), cell, 1)

    return opened


def convolution() -> list[onnx.NodeProto]:
    return [helper.make_node("Conv", ["images", "w"], ["output"])]


def test_a_call_computes_what_the_graph_says(session) -> None:
    (output,) = session(convolution(), w=KERNEL).infer(IMAGES)
    np.testing.assert_allclose(output, convolved(), rtol=1e-4)


def test_a_second_call_is_about_its_own_batch(session) -> None:
    opened = session(convolution(), w=KERNEL)
    first = opened.infer(IMAGES)[0].copy()
    np.testing.assert_allclose(opened.infer(IMAGES * 2)[0], first * 2, rtol=1e-4)


def test_a_convolution_is_counted_in_the_type_of_its_kernel(session) -> None:
    assert session(convolution(), w=KERNEL).executed() == {"f32": 16 * 3 * 9 * (SIZE - 2) ** 2}


def test_a_product_and_a_transposed_convolution_are_counted_by_their_shapes(session) -> None:
    nodes = [
        helper.make_node("MatMul", ["images", "m"], ["wide"]),
        helper.make_node("ConvTranspose", ["wide", "w"], ["output"], strides=[2, 2]),
    ]
    work = session(nodes, m=np.ones((SIZE, 48), np.float32), w=np.ones((3, 16, 2, 2), np.float32)).executed()
    assert work == {"f32": 3 * SIZE * SIZE * 48 + 3 * SIZE * 48 * 16 * 4}


@pytest.mark.parametrize("element", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_a_converted_batch_lives_as_long_as_the_call_reads_it(tmp_path: Path, element: int) -> None:
    cast = helper.make_node("Cast", ["images"], ["wide"], to=TensorProto.FLOAT)
    negated = helper.make_node("Neg", ["wide"], ["output"])
    path = save_graph(tmp_path / "model.onnx", [cast, negated], element, 1)
    graph = onnx.load(path)
    graph.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(graph, path)
    opened = backend.open(Artifact(str(path), "key", 1), CELL, 1)
    for _ in range(5):
        (output,) = opened.infer(IMAGES)
        expected = IMAGES.astype(np.float16) if element == TensorProto.FLOAT16 else np.rint(IMAGES * 255)
        np.testing.assert_array_equal(output, -expected.astype(np.float32))


@pytest.mark.parametrize(("precision", "hint"), [("fp32", "f32"), ("int8", "f32"), ("bf16", "bf16")])
def test_the_precision_of_float_layers_is_stated_and_not_left_to_the_runtime(
    monkeypatch, precision: str, hint: str
) -> None:
    import openvino

    told = {}

    class Core:
        def compile_model(self, path: str, device: str, config: dict[str, object]) -> SimpleNamespace:
            told.update(config, device=device)
            return SimpleNamespace(create_infer_request=lambda: None, inputs=[PORT], outputs=[])

    monkeypatch.setattr(openvino, "Core", Core)
    backend.open(Artifact("model.xml", "key", 1), Cell("m", precision, "openvino"), 3)
    assert told["INFERENCE_PRECISION_HINT"] == hint
    assert (told["device"], told["INFERENCE_NUM_THREADS"], told["NUM_STREAMS"]) == ("CPU", 3, 1)


# The execution graph


class Node:
    """A node of OpenVINO's execution graph, as `get_runtime_model` lists it."""

    def __init__(self, layer: str, kernel: str, output: list[int], *inputs: list[int]) -> None:
        self._info = {"layerType": layer, "primitiveType": kernel}
        self._output, self._inputs = output, inputs

    def get_rt_info(self) -> dict[str, SimpleNamespace]:
        return {name: SimpleNamespace(astype=lambda kind, text=text: text) for name, text in self._info.items()}

    def get_output_shape(self, number: int) -> list[int]:
        return self._output

    def get_input_shape(self, number: int) -> list[int]:
        return self._inputs[number]


def test_a_kernel_computes_in_the_type_that_its_name_ends_in() -> None:
    nodes = [
        Node("Convolution", "brgconv_avx512_I8", [1, 8, 5, 5], [1, 4, 5, 5], [8, 4, 3, 3]),
        Node("GroupConvolution", "jit_avx512_dw_BF16", [1, 8, 5, 5], [1, 8, 5, 5], [8, 1, 1, 3, 3]),
        Node("FullyConnected", "gemm_mlas_f32", [2, 6], [2, 5], [6, 5]),
        Node("Pooling", "jit_avx512_I8", [1, 8, 2, 2], [1, 8, 5, 5]),
    ]
    graph = SimpleNamespace(get_ops=lambda: nodes)
    compiled = SimpleNamespace(
        get_runtime_model=lambda: graph, create_infer_request=lambda: None, inputs=[PORT], outputs=[]
    )
    assert backend.OpenVinoSession(compiled, "m.xml", {}).executed() == {
        "i8": 8 * 4 * 9 * 25,
        "bf16": 8 * 9 * 25,
        "f32": 2 * 5 * 6,
    }


# What is missing


def test_it_runs_on_the_cpu_alone() -> None:
    assert backend.probe(CELL)
    with pytest.raises(Unavailable, match="openvino runs on device 'cpu' only"):
        backend.probe(Cell("m", "fp32", "openvino", "cuda"))


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_bf16_needs_a_cpu_with_bf16_instructions(monkeypatch, flag: str) -> None:
    bf16 = Cell("m", "bf16", "openvino")
    monkeypatch.setattr(backend, "cpu_flags", lambda: frozenset({"avx2", flag}))
    assert backend.probe(bf16)
    monkeypatch.setattr(backend, "cpu_flags", lambda: frozenset({"avx2"}))
    with pytest.raises(Unsupported, match="this CPU has no bf16 instructions"):
        backend.probe(bf16)
    assert backend.probe(CELL)


def test_a_closed_session_answers_no_more(session) -> None:
    opened = session(convolution(), w=KERNEL)
    opened.close()
    with pytest.raises(AttributeError):
        opened.infer(IMAGES)


@pytest.mark.parametrize(("kind", "said"), [("f32", "float32"), ("u8", "uint8"), ("bf16", "bf16"), ("u4", "u4")])
def test_types_of_inputs_are_numpys_or_keep_their_own_name(kind, said):
    import openvino
    from openvino import opset13 as ops

    given = ops.parameter([1, 3, 32, 32], getattr(openvino.Type, kind), "images")
    model = openvino.Model([ops.result(given)], [given])
    assert backend.described_port(model.inputs[0]).dtype == said
