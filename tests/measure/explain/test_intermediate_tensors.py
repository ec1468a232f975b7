"""Tensors inside built networks, on small graphs: read by name, and replaced as the input of the float head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.measure.explain.intermediate_tensors import READABLE, Hybrid, convolutions, head_inputs, output_shapes, tap

BATCH = np.random.default_rng(0).random((1, 3, 4, 4)).astype(np.float32)


def network(path: Path, trunk: float, head: float) -> str:
    """`image` · trunk → `a`, ReLU → `b`, and in the last module `b` · head → `out`; the factors are convolutions."""
    weights = [
        numpy_helper.from_array((np.eye(3) * factor).astype(np.float32).reshape(3, 3, 1, 1), name)
        for name, factor in (("w0", trunk), ("w1", head))
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["a"], name="/model.0/conv/Conv"),
        helper.make_node("Relu", ["a"], ["b"], name="/model.0/act/Relu"),
        helper.make_node("Conv", ["b", "w1"], ["out"], name="/model.1/cv2/Conv"),
    ]
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 4, 4)) for name in ("image", "out"))
    graph = helper.make_graph(nodes, "small", [given], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return str(path)


@pytest.mark.parametrize("backend", READABLE)
def test_inner_tensors_are_read_by_name_beside_the_outputs(tmp_path, backend):
    found = tap(backend, network(tmp_path / "n.onnx", 2, 5), ["a", "b"])(BATCH)
    assert found.keys() >= {"a", "b", "out"}
    assert found["a"] == pytest.approx(2 * BATCH, rel=1e-6)
    assert found["out"] == pytest.approx(10 * BATCH, rel=1e-6)


@pytest.mark.parametrize("backend", READABLE)
def test_tensors_that_the_network_does_not_have_are_left_out(tmp_path, backend):
    found = tap(backend, network(tmp_path / "n.onnx", 2, 5), ["fused away", "b"])(BATCH)
    assert "b" in found and "fused away" not in found


@pytest.mark.parametrize("backend", READABLE)
def test_an_output_is_given_once_also_when_it_is_asked_for(tmp_path, backend):
    found = tap(backend, network(tmp_path / "n.onnx", 2, 5), ["out"])(BATCH)
    assert list(found) == ["out"]


def test_a_backend_whose_files_keep_no_names_has_nothing_to_read(tmp_path):
    with pytest.raises(KeyError, match="litert"):
        tap("litert", network(tmp_path / "n.onnx", 2, 5), ["a"])


def test_convolutions_are_named_with_what_they_read_and_write_in_the_order_of_the_graph(tmp_path):
    found = convolutions(network(tmp_path / "n.onnx", 2, 5))
    assert list(found.items()) == [("/model.0/conv/Conv", ("image", "a")), ("/model.1/cv2/Conv", ("b", "out"))]


def test_the_shapes_of_outputs_are_read_without_running_the_graph(tmp_path):
    assert output_shapes(network(tmp_path / "n.onnx", 2, 5)) == [(1, 3, 4, 4)]


def test_the_head_is_the_last_module_and_reads_what_the_trunk_writes(tmp_path):
    assert head_inputs(network(tmp_path / "n.onnx", 2, 5)) == ["b"]


@pytest.mark.parametrize("backend", READABLE)
def test_a_hybrid_is_the_built_trunk_with_the_float_head(tmp_path, backend):
    float_graph, built = network(tmp_path / "float.onnx", 2, 5), network(tmp_path / "built.onnx", 3, 7)
    session = Hybrid(backend, built, float_graph, head_inputs(float_graph))
    (output,) = session.infer(BATCH)
    assert output == pytest.approx(3 * 5 * BATCH, rel=1e-6)
    assert session.executed() == {}
    session.close()
