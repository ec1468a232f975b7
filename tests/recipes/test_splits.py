"""Slices that tile a tensor become a Split; others stay, and no value changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.recipes.splits import join_slices


def graph(path, parts, axis=2, gathered=True):
    """x → Identity → a Slice for each (start, end), unnamed; the first is gathered from."""
    constants = {"axis": [axis], **{f"s{k}": [s] for k, (s, _) in enumerate(parts)}}
    constants["first"] = np.zeros((1, 1, 1), np.int64)
    constants |= {f"e{k}": [e] for k, (_, e) in enumerate(parts)}
    nodes = [helper.make_node("Identity", ["x"], ["y"], "identity")]
    for k in range(len(parts)):
        nodes.append(helper.make_node("Slice", ["y", f"s{k}", f"e{k}", "axis"], [f"o{k}"]))
    if gathered:
        nodes.append(helper.make_node("GatherElements", ["o0", "first"], ["g"], axis=1))
    outputs = [*(f"o{k}" for k in range(len(parts))), *["g"] * gathered]
    made = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


@pytest.mark.parametrize(
    ("parts", "axis", "kinds"),
    [
        ([(4, 99), (0, 1), (1, 4)], 2, ["Split"]),
        ([(0, 4), (4, 6)], -1, ["Split"]),
        ([(0, 4), (3, 6)], 2, ["Slice", "Slice"]),  # overlap
        ([(0, 4), (4, 5)], 2, ["Slice", "Slice"]),  # a rest
        ([(1, 6)], 2, ["Slice"]),
    ],
)
def test_parts_that_tile_a_tensor_are_one_split(tmp_path, parts, axis, kinds):
    path = tmp_path / "model.onnx"
    graph(path, parts, axis)
    image = np.random.default_rng(0).normal(size=(1, 3, 6)).astype(np.float32)
    before = onnxruntime.InferenceSession(path).run(None, {"x": image})
    model = onnx.load(path)
    assert join_slices(model) is ("Split" in kinds)
    assert [node.op_type for node in model.graph.node] == ["Identity", *kinds, "GatherElements"]
    onnx.save(model, path)
    after = onnxruntime.InferenceSession(path).run(None, {"x": image})
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_slices_that_nothing_is_gathered_from_stay(tmp_path):
    graph(tmp_path / "model.onnx", [(0, 4), (4, 6)], gathered=False)
    model = onnx.load(tmp_path / "model.onnx")
    assert not join_slices(model)
    assert [node.op_type for node in model.graph.node] == ["Identity", "Slice", "Slice"]
