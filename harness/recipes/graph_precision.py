"""The precision of a graph from elsewhere, ONNX or OpenVINO, from its operators and the types of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EXECUTES = {
    "fp32": "f32", "fp16": "f32", "int8": "i8", "int4": "i8", "int8-dynamic": "i8", "w8": "f32", "w4": "f32",
    "w8a16": "i16",
}  # fmt: skip
"""Precision of a file → numeric type that its convolutions should run in on a CPU.

`w8` and `w4` are weights in 8 and 4 bits with float arithmetic; `int4` is weights in 4 bits and activations in 8.
"""

FEW = 64
"""A weight of fewer numbers may lie in the range of 4 bits by chance."""


@dataclass(frozen=True)
class GraphPrecision:
    """What was read from a graph."""

    name: str  # a key of EXECUTES
    notes: tuple[str, ...] = ()  # what a reader of the table must know about it


def precision_of_onnx(model: Any) -> GraphPrecision:
    """The precision of an ONNX model. Constant nodes must be initializers.

    Weights are the constants of more than one dimension. Scales and biases have one at most, and do not tell.
    """
    from onnx import TensorProto, numpy_helper

    graph = model.graph
    operators = {node.op_type for node in graph.node}
    types = {constant.name: constant.data_type for constant in graph.initializer}
    weights = [constant for constant in graph.initializer if len(constant.dims) > 1]
    share = _four_bit_share(weights, numpy_helper, TensorProto)
    share = 1.0 if operators & {"MatMulNBits"} else share
    zero_points = [types.get(n.input[2]) for n in graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2]
    if operators & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}:
        return GraphPrecision("int8-dynamic", _noted(share))
    if operators & {"QuantizeLinear", "QLinearConv"}:
        wide = sum(kind in (TensorProto.UINT16, TensorProto.INT16) for kind in zero_points)
        if wide > len(zero_points) / 2:
            return GraphPrecision("w8a16", _noted(share))
        return GraphPrecision("int4" if share > 0.5 else "int8", _noted(share))
    stored = {TensorProto.UINT8, TensorProto.INT8, *_four_bits(TensorProto)}
    if ("DequantizeLinear" in operators and stored & {constant.data_type for constant in weights}) or share == 1:
        return GraphPrecision("w4" if share > 0.5 else "w8", _noted(share))
    halves = sum(constant.data_type == TensorProto.FLOAT16 for constant in weights)
    return GraphPrecision("fp16" if halves > len(weights) / 2 else "fp32")


def precision_of_ir(model: Any) -> GraphPrecision:
    """The precision of an `openvino.Model`."""
    operations = model.get_ops()
    sizes: dict[str, int] = {}
    kinds = []
    for op in operations:
        if op.get_type_name() == "Constant" and len(op.get_output_shape(0)) > 1:
            kind = op.get_element_type().get_type_name()
            if len(op.get_output_shape(0)) > 2:
                kinds.append(kind)
            sizes[kind] = sizes.get(kind, 0) + int(np.prod(op.get_output_shape(0)))
    four = sum(sizes.get(kind, 0) for kind in ("i4", "u4", "nf4"))
    whole = four + sum(sizes.get(kind, 0) for kind in ("i8", "u8"))
    share = four / whole if whole else 0.0
    if any(op.get_type_name() == "FakeQuantize" for op in operations):
        return GraphPrecision("int4" if share > 0.5 else "int8", _noted(share))
    if share > 0.5:
        return GraphPrecision("w4", _noted(share))
    for kind, precision in (("i8", "w8"), ("u8", "w8"), ("f16", "fp16")):
        if kinds.count(kind) > len(kinds) / 2:
            return GraphPrecision(precision, _noted(share))
    return GraphPrecision("fp32", _noted(share))


def _four_bits(types: Any) -> set[int]:
    """ONNX's types of at most 4 bits; older versions of `onnx` do not have all of them."""
    return {getattr(types, name) for name in ("INT4", "UINT4", "INT2", "UINT2") if hasattr(types, name)}


def _four_bit_share(weights: Any, numpy_helper: Any, types: Any) -> float:
    """The share of the quantized weights, by their numbers, that 4 bits hold: by type, or because no number is larger.

    Tools that train in 4 bits store what they found in int8, since few runtimes read anything smaller.
    """
    few = whole = 0
    for tensor in weights:
        size = int(np.prod(tensor.dims))
        if tensor.data_type in _four_bits(types):
            few, whole = few + size, whole + size
        elif tensor.data_type in (types.INT8, types.UINT8):
            whole += size
            if tensor.data_type == types.INT8 and size >= FEW:
                values = numpy_helper.to_array(tensor)
                few += size if values.min() >= -8 and values.max() <= 7 else 0
    return few / whole if whole else 0.0


def _noted(share: float) -> tuple[str, ...]:
    """The note on weights of 4 bits; none where there are hardly any."""
    return (f"{share:.0%} of the quantized weights are stored in 4 bits",) if share > 0.005 else ()
