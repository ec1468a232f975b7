"""Rewrites Q/DQ graphs, that is ONNX graphs with pairs of QuantizeLinear and DequantizeLinear.

All functions but `dequantized` keep every value that a graph computes. All but `to_ir` change an `onnx.GraphProto` in
place. Weights are quantized along one axis, activations per tensor. `store_weights` and `dequantized` want weights and
activations symmetric with zero point 0, as ModelOpt writes them.
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
    """Replace each float weight and its QuantizeLinear by the int8 weight. The DequantizeLinear behind it stays."""
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
    """Turn Constant nodes into initializers, where this module looks for scales, zero points and weights."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = next((attribute for attribute in node.attribute if attribute.name == "value"), None)
        if value is not None:
            value.t.name = node.output[0]
            graph.initializer.append(value.t)
            graph.node.remove(node)


def unsigned(graph: Any) -> None:
    """Quantize activations to uint8 with zero point z + 128 instead of int8 with zero point z; weights stay int8.

    OpenVINO 2026.4.1 computed graphs with signed activations wrong on one machine and right on another (RECIPES.md). On
    both machines it computed the graphs with unsigned activations as ONNX Runtime did.
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
    """The QuantizeLinear nodes that quantize an activation to int8, and that only DequantizeLinear nodes read."""
    from onnx import TensorProto

    found = []
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in constants or len(node.input) < 3:
            continue
        zero = constants.get(node.input[2])
        if zero is None or zero.data_type != TensorProto.INT8:
            continue
        readers = _readers(graph, node.output[0])
        if all(reader.op_type == "DequantizeLinear" and len(reader.input) > 2 for reader in readers):
            found.append(node)
    return found


def _readers(graph: Any, tensor: str) -> list[Any]:
    """The nodes that read `tensor`."""
    return [node for node in graph.node if tensor in node.input]


def to_ir(source: Path, target: Path, as_unsigned: bool = True) -> int:
    """Convert an ONNX file, with Q/DQ pairs or without, to an OpenVINO IR that computes equal values.

    `as_unsigned` applies `unsigned` first. Returns the number of activations that are signed in the ONNX file.
    """
    import onnx
    import openvino

    model = onnx.load(str(source))
    signed = len(_activation_quantizers(model.graph, _constants(model.graph)))
    if as_unsigned:
        unsigned(model.graph)
    with tempfile.TemporaryDirectory() as folder:  # through a file, since a model in memory is limited to 2 GB
        path = Path(folder, "unsigned.onnx")
        onnx.save(model, path)
        openvino.save_model(to_openvino(path), target, compress_to_fp16=False)
    return signed


def dequantized(graph: Any) -> dict[str, NDArray[np.float32]]:
    """Take all Q/DQ pairs out: weights become floats on their int8 steps, and activations are no longer rounded.

    Returns:
        Name of each weight in the float graph → its quantization steps, one per output channel.
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
    """Reshape `scale` so that it multiplies a weight with this number of dimensions along the axis of `node`."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    return scale.reshape([-1 if d == axis and scale.ndim else 1 for d in range(dimensions)])


def _constants(graph: Any) -> dict[str, Any]:
    """The initializers of a graph by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def _drop_unused(graph: Any) -> None:
    """Remove initializers that no node reads, and the recorded types of tensors, which may have changed."""
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]
