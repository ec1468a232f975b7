"""Slices that tile a tensor become a Split; others stay, and no value changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.precision.splits import join_slices


def graph(path, parts, axis=2):
    """x → Identity → a Slice for each (start, end)."""
    constants = {"axis": [axis], **{f"s{k}": [s] for k, (s, _) in enumerate(parts)}}
    constants |= {f"e{k}": [e] for k, (_, e) in enumerate(parts)}
    nodes = [helper.make_node("Identity", ["x"], ["y"], "identity")]
    for k in range(len(parts)):
        nodes.append(helper.make_node("Slice", ["y", f"s{k}", f"e{k}", "axis"], [f"o{k}"], f"slice{k}"))
    made = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6])],
        [helper.make_tensor_value_info(f"o{k}", TensorProto.FLOAT, None) for k in range(len(parts))],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


@pytest.mark.parametrize(
    ("parts", "axis", "kinds"),
    [
        ([(4, 99), (0, 1), (1, 4)], 2, ["Identity", "Split"]),
        ([(0, 4), (4, 6)], -1, ["Identity", "Split"]),
        ([(0, 4), (3, 6)], 2, ["Identity", "Slice", "Slice"]),  # overlap
        ([(0, 4), (4, 5)], 2, ["Identity", "Slice", "Slice"]),  # a rest
        ([(1, 6)], 2, ["Identity", "Slice"]),
    ],
)
def test_parts_that_tile_a_tensor_are_one_split(tmp_path, parts, axis, kinds):
    path = tmp_path / "model.onnx"
    graph(path, parts, axis)
    image = np.random.default_rng(0).normal(size=(1, 3, 6)).astype(np.float32)
    before = onnxruntime.InferenceSession(path).run(None, {"x": image})
    join_slices(path)
    assert [node.op_type for node in onnx.load(path).graph.node] == kinds
    after = onnxruntime.InferenceSession(path).run(None, {"x": image})
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
