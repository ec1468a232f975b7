"""Weights of four bits are told from weights of eight, by their type and by their numbers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.recipes.graph_precision import EXECUTES, precision_of_onnx

EIGHT = np.arange(-100, 100, 2).reshape(1, 1, 10, 10).astype(np.int8)
FOUR = np.tile(np.arange(-7, 8), 20).reshape(1, 3, 10, 10).astype(np.int8)
PACKED = helper.make_tensor("p", TensorProto.INT4, FOUR.shape, FOUR.ravel().tolist())


def graph(*weights: np.ndarray | onnx.TensorProto, quantized: bool = True) -> onnx.ModelProto:
    """Weights behind DequantizeLinear nodes; with `quantized`, an activation goes through a QuantizeLinear."""
    tensors = [
        w if isinstance(w, onnx.TensorProto) else numpy_helper.from_array(w, f"w{n}") for n, w in enumerate(weights)
    ]
    tensors += [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.uint8(0), "z")]
    nodes = [helper.make_node("DequantizeLinear", [one.name, "s"], [f"{one.name}/real"]) for one in tensors[:-2]]
    if quantized:
        nodes.append(helper.make_node("QuantizeLinear", ["images", "s", "z"], ["whole"]))
    return helper.make_model(helper.make_graph(nodes, "g", [], [], tensors))


@pytest.mark.parametrize(
    ("model", "name", "notes"),
    [
        (graph(EIGHT), "int8", ()),
        (graph(PACKED), "int4", ("100% of the quantized weights are stored in 4 bits",)),
        (graph(FOUR), "int4", ("100% of the quantized weights are stored in 4 bits",)),
        (graph(FOUR, EIGHT), "int4", ("75% of the quantized weights are stored in 4 bits",)),
        (graph(FOUR[:, :1, :8, :8], EIGHT), "int8", ("39% of the quantized weights are stored in 4 bits",)),
        (graph(FOUR[:, :1, :1], EIGHT), "int8", ()),  # ten numbers may be small by chance
        (graph(PACKED, quantized=False), "w4", ("100% of the quantized weights are stored in 4 bits",)),
        (graph(EIGHT, quantized=False), "w8", ()),
    ],
)
def test_four_bits_are_told_with_their_share(model, name, notes) -> None:
    read = precision_of_onnx(model)
    assert (read.name, read.notes) == (name, notes)
    assert read.name in EXECUTES
