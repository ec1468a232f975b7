"""A Q/DQ graph can be said differently; what it computes stays the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.recipes import qdq

STEP = 0.05
PIXELS = np.random.default_rng(0).normal(0, 3, (1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def model() -> onnx.ModelProto:
    """Two convolutions that read the same quantized tensor, a weight still in float each, as ModelOpt exports them."""
    rng = np.random.default_rng(1)
    constants = {"step": np.array(STEP, np.float32), "zero": np.array(0, np.int8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "step", "zero"], ["xq"]),
    ]
    for name in ("a", "b"):
        constants[f"{name}.weight"] = rng.normal(0, 0.2, (4, 3, 3, 3)).astype(np.float32)
        constants[f"{name}.step"] = (np.abs(constants[f"{name}.weight"]).max((1, 2, 3)) / 120).astype(np.float32)
        constants[f"{name}.zero"] = np.zeros(4, np.int8)
        step = [f"{name}.step", f"{name}.zero"]
        nodes += [
            helper.make_node("QuantizeLinear", [f"{name}.weight", *step], [f"{name}8"], axis=0),
            helper.make_node("DequantizeLinear", [f"{name}8", *step], [f"{name}q"], axis=0),
            helper.make_node("Conv", ["xq", f"{name}q"], [f"{name}.out"], name=name),
        ]
    outputs = [helper.make_tensor_value_info(f"{name}.out", TensorProto.FLOAT, [1, 4, 6, 6]) for name in ("a", "b")]
    graph = helper.make_graph(
        nodes, "pair", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])], outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
        value_info=[helper.make_tensor_value_info("x8", TensorProto.INT8, [1, 3, 8, 8])],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def computed(model: onnx.ModelProto, pixels: np.ndarray = PIXELS) -> list[np.ndarray]:
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": pixels})


@pytest.mark.parametrize("changes", [[qdq.store_weights], [qdq.store_weights, qdq.unsigned]])
def test_nothing_changes_but_the_words(
    model: onnx.ModelProto, changes: list[Callable[[onnx.GraphProto], None]]
) -> None:
    before = computed(model)
    for change in changes:
        change(model.graph)
    for old, new in zip(before, computed(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_are_stored_as_int8_and_no_float_copy_stays(model: onnx.ModelProto) -> None:
    qdq.store_weights(model.graph)
    large = {tensor.name: tensor.data_type for tensor in model.graph.initializer if np.prod(tensor.dims) > 4}
    assert large == {"a8": TensorProto.INT8, "b8": TensorProto.INT8}
    quantized = [node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert quantized == ["x"]


def test_activations_become_unsigned_and_weights_stay_signed(model: onnx.ModelProto) -> None:
    qdq.store_weights(model.graph)
    qdq.unsigned(model.graph)
    types = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    (activation,) = (node for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert types[activation.input[2]] == np.uint8(128)
    weights = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in types]
    assert {types[node.input[2]].dtype for node in weights} == {np.dtype(np.int8)}


@pytest.mark.parametrize("zero", [-128, -7, 0, 127])
def test_an_asymmetric_activation_keeps_its_values(model: onnx.ModelProto, zero: int) -> None:
    (stored,) = (tensor for tensor in model.graph.initializer if tensor.name == "zero")
    stored.CopyFrom(numpy_helper.from_array(np.array(zero, np.int8), "zero"))
    before = computed(model)
    qdq.unsigned(model.graph)
    for old, new in zip(before, computed(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_integer_that_something_else_reads_stays_as_it_is(model: onnx.ModelProto) -> None:
    (quantize, dequantize, *_) = model.graph.node
    dequantize.input[0] = "pooled"
    model.graph.node.insert(1, helper.make_node("Identity", [quantize.output[0]], ["pooled"]))
    qdq.unsigned(model.graph)
    assert (quantize.input[2], dequantize.input[2]) == ("zero", "zero")
    assert len(computed(model)) == 2


def test_without_the_pairs_the_weights_keep_their_steps(model: onnx.ModelProto) -> None:
    on_a_step = (np.round(PIXELS / STEP).clip(-128, 127) * np.float32(STEP)).astype(np.float32)
    before = computed(model, on_a_step)
    qdq.store_weights(model.graph)
    weights = qdq.dequantized(model.graph)

    assert {name: step.shape for name, step in weights.items()} == {"aq": (4,), "bq": (4,)}
    assert {node.op_type for node in model.graph.node} == {"Conv"}
    for old, new in zip(before, computed(model, on_a_step), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)
