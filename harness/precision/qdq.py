"""Graphs with QuantizeLinear/DequantizeLinear pairs, said differently without changing a value.

Every function changes an `onnx.GraphProto` in place. Weights are quantized along one axis, activations per tensor, both
symmetrically with zero point 0, as ModelOpt writes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def unsigned(graph: Any) -> None:
    """Activations in uint8 around 128 instead of int8 around 0: the same values. Weights are stored as int8 already.

    OpenVINO 2026.4 computes graphs with signed activations wrong (README, "The int8 recipes"), and ONNX Runtime's x86
    kernels for them are slow.
    """
    from onnx import numpy_helper

    constants = _constants(graph)
    graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), "quantgate/128"))
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] not in constants:
            node.input[2] = "quantgate/128"
    _drop_unused(graph)


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
