"""Graphs with QuantizeLinear/DequantizeLinear pairs, said differently without changing a value.

Every function changes an `onnx.GraphProto` in place. Weights are quantized along one axis, activations per tensor;
`store_weights` and `dequantized` want both symmetric with zero point 0, as ModelOpt writes them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.recipes.splits import to_openvino


def store_weights(graph: Any) -> None:
    """`float weight → QuantizeLinear` becomes the int8 weight; its DequantizeLinear stays."""
    from onnx import numpy_helper

    constants = _constants(graph)
    for node in [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] in constants]:
        weight, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
        steps = np.rint(weight / _along(node, scale, weight.ndim))  # half to even, as QuantizeLinear rounds
        limits = np.iinfo(zero.dtype)
        stored = np.clip(steps, limits.min, limits.max).astype(zero.dtype)
        graph.initializer.append(numpy_helper.from_array(stored, node.output[0]))
        graph.node.remove(node)
    _drop_unused(graph)


def fold_constants(graph: Any) -> None:
    """Constant nodes become initializers, where everything here looks for scales, zero points and weights."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = next((attribute for attribute in node.attribute if attribute.name == "value"), None)
        if value is not None:
            value.t.name = node.output[0]
            graph.initializer.append(value.t)
            graph.node.remove(node)


def unsigned(graph: Any) -> None:
    """Activations in uint8 around z + 128 instead of int8 around z: the same values. Weights and their pairs stay.

    OpenVINO 2026.4.1 was seen to compute graphs with signed activations wrong on one machine and right on another
    (RECIPES.md); of these it computed what ONNX Runtime did on both.
    """
    from onnx import numpy_helper

    constants = _constants(graph)
    for node in _activation_quantizers(graph, constants):
        zero = numpy_helper.to_array(constants[node.input[2]])
        name = f"{node.input[2]}/unsigned"
        if name not in constants:
            constants[name] = numpy_helper.from_array((zero.astype(np.int16) + 128).astype(np.uint8), name)
            graph.initializer.append(constants[name])
        for reader in (node, *_readers(graph, node.output[0])):
            reader.input[2] = name
    _drop_unused(graph)


def _activation_quantizers(graph: Any, constants: Mapping[str, Any]) -> list[Any]:
    """QuantizeLinear nodes that make int8 of an activation, for DequantizeLinear nodes alone to read."""
    from onnx import TensorProto

    return [
        node
        for node in graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants and len(node.input) > 2
        if node.input[2] in constants and constants[node.input[2]].data_type == TensorProto.INT8
        if all(
            reader.op_type == "DequantizeLinear" and len(reader.input) > 2 for reader in _readers(graph, node.output[0])
        )
    ]


def _readers(graph: Any, tensor: str) -> list[Any]:
    return [node for node in graph.node if tensor in node.input]


def to_ir(source: Path, target: Path) -> None:
    """ONNX graph, with pairs or without → OpenVINO IR of the same values."""
    import onnx
    import openvino

    model = onnx.load(str(source))
    unsigned(model.graph)
    with tempfile.TemporaryDirectory() as folder:  # not from memory, where there is a limit of 2 GB
        path = Path(folder, "unsigned.onnx")
        onnx.save(model, path)
        openvino.save_model(to_openvino(path), target, compress_to_fp16=False)


def dequantized(graph: Any) -> dict[str, NDArray[np.float32]]:
    """Take the pairs out: float weights on their int8 steps, activations as they come.

    Returns:
        The steps of each weight, one per output channel, by the tensor's name in the float graph.
    """
    from onnx import numpy_helper

    constants = {name: numpy_helper.to_array(tensor) for name, tensor in _constants(graph).items()}
    quantized = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    weights, plain = {}, {}
    for node in [node for node in graph.node if node.op_type == "DequantizeLinear"]:
        stored, scale = constants.get(node.input[0]), constants[node.input[1]]
        if stored is None:
            plain[node.output[0]] = quantized[node.input[0]].input[0]
        else:
            weight = (stored * _along(node, scale, stored.ndim)).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
            weights[node.output[0]] = scale
        graph.node.remove(node)
    for node in quantized.values():
        graph.node.remove(node)
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = plain.get(name, name)
    _drop_unused(graph)
    return weights


def _along(node: Any, scale: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """`scale`, shaped to be multiplied with a weight of so many dimensions."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    return scale.reshape([-1 if d == axis and scale.ndim else 1 for d in range(dimensions)])


def _constants(graph: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in graph.initializer}


def _drop_unused(graph: Any) -> None:
    """Initializers that nothing reads any more, and the recorded types, which may have changed."""
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]
