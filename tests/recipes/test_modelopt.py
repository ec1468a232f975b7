"""Post-training quantization by ModelOpt: one graph, symmetric int8, that TensorRT compiles and ONNX Runtime scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders import built, digits
from onnx import numpy_helper

from harness.recipes.registry import SOURCES
from harness.tasks.preprocess import normalize

pytest.importorskip("modelopt", reason="ModelOpt is not installed: pip install 'quantgate[qat]'")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled detector, exported in float and quantized."""
    folder = tmp_path_factory.mktemp("modelopt")
    inputs = digits(folder)
    return {name: built(SOURCES[name], inputs, folder / name) / "model.onnx" for name in ("onnx", "modelopt")}


def test_convolutions_read_int8_on_both_sides_with_zero_point_0_except_those_of_the_class_branch(
    graphs: dict[str, Path],
) -> None:
    graph = onnx.load(graphs["modelopt"]).graph
    made_by = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    in_float = [node.name for node in convolutions if node.input[1] in constants]
    assert len(in_float) == 3 * 5, "three scales, five convolutions each"
    assert all(name.startswith("/model.23/") and "cv3" in name for name in in_float)
    for node in (node for node in convolutions if node.name not in in_float):
        activation, weight = (made_by[name] for name in node.input[:2])
        assert {activation.op_type, weight.op_type} == {"DequantizeLinear"}
        stored = constants[weight.input[0]]
        assert stored.dtype == np.int8
        assert constants[weight.input[1]].shape == (len(stored),)  # a step per output channel
        assert constants[activation.input[1]].shape == ()
        assert not constants[weight.input[2]].any()
        assert not constants[activation.input[2]].any()


def test_it_computes_nearly_what_float_computes(graphs: dict[str, Path]) -> None:
    pixels = normalize(np.load(graphs["onnx"].parent.parent / "pixels.npy")[:1])
    scores = []
    for path in graphs.values():
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        scores.append(session.run(None, {"images": pixels})[0][0, 4:])
    assert scores[0].max() > 0.5, "there is something to see on the image"
    assert np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.98


def test_it_is_stored_in_int8_and_carries_the_class_names(graphs: dict[str, Path]) -> None:
    small, large = graphs["modelopt"].stat().st_size, graphs["onnx"].stat().st_size
    assert small < 0.36 * large
    metadata = {entry.key: entry.value for entry in onnx.load(graphs["modelopt"]).metadata_props}
    assert "'9'" in metadata["names"]
