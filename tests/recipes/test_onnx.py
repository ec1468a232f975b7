"""What the static recipe of ONNX Runtime quantizes, what it leaves in float, and what the runtime makes of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from harness.recipes.onnx import activation_ranges, activations, module_of, trunk
from harness.recipes.ranges import Histogram
from harness.recipes.registry import RECIPES

HEAD, STEM = 23, (0, 1)
METHODS = ("int8", "int8:minmax", "int8:entropy", "int8:percentile")


@pytest.fixture(scope="module")
def optimized(built, tmp_path_factory):
    """The graph that ONNX Runtime's kernels execute, by precision."""

    def optimized(precision: str) -> onnx.GraphProto:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(tmp_path_factory.mktemp("optimized") / "model.onnx")
        onnxruntime.InferenceSession(built("onnxruntime", precision).path, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath).graph

    return optimized


def test_the_trunk_runs_in_int8_from_convolution_to_convolution(optimized):
    graph = optimized("int8")
    kinds = Counter(node.op_type for node in graph.node if module_of(node.name) not in (HEAD, *STEM, None))
    assert kinds["QLinearConv"] > 70
    assert kinds["QLinearSigmoid"] > 60
    assert kinds["QLinearMul"] > 60
    assert not {"Conv", "FusedConv", "QuickGelu", "Sigmoid", "Mul", "Add"} & set(kinds)
    # Islands of float: into the trunk, two attentions, and out of it to the six branches of the head.
    assert kinds["QuantizeLinear"] + kinds["DequantizeLinear"] <= 12


def test_stem_and_head_run_in_float(optimized):
    for node in optimized("int8").node:
        if module_of(node.name) in (HEAD, *STEM):
            assert not node.op_type.startswith("QLinear"), node.name


def test_weights_are_stored_in_int8_per_output_channel(built):
    graph = onnx.load(built("onnxruntime", "int8").path).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    stored = {name: values for name, values in constants.items() if values.ndim == 4 and values.dtype == np.int8}
    assert len(stored) > 70
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            assert constants[node.input[1]].shape == stored[node.input[0]].shape[:1]
    size = built("onnxruntime", "int8").size_bytes / built("onnxruntime", "fp32").size_bytes
    assert size < 0.43


def test_the_methods_differ_in_nothing_but_the_ranges(built):
    recipes = [RECIPES["onnxruntime", precision] for precision in METHODS]
    assert len({(one.build, one.stored, one.executes, one.source) for one in recipes}) == 1
    graphs = [onnx.load(built("onnxruntime", precision).path).graph for precision in METHODS]
    assert len({tuple(node.name for node in graph.node) for graph in graphs}) == 1
    steps = [_steps(graph) for graph in graphs]
    for one, other in ((a, b) for a in range(4) for b in range(a)):
        assert steps[one] != steps[other], (METHODS[one], METHODS[other])
    widest = steps[METHODS.index("int8:minmax")]
    for cut in steps:
        assert all(cut[name] <= widest[name] * 1.001 for name in widest)


def _steps(graph: onnx.GraphProto) -> dict[str, float]:
    """Quantization step of every activation."""
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return {n.input[0]: float(constants[n.input[1]]) for n in graph.node if n.op_type == "QuantizeLinear"}


def test_every_method_stays_close_to_float(built, few_to_calibrate):
    import cv2

    from harness.tasks.preprocess import letterbox, normalize

    image = cv2.imread(str(sorted(few_to_calibrate.iterdir())[0]))
    batch = normalize(letterbox(image, (256, 256))[None])
    outputs = {}
    for precision in ("fp32", *METHODS):
        path = built("onnxruntime", precision).path
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        outputs[precision] = session.run(None, {"images": batch})[0][0, 4:].max(axis=0)  # best score of every anchor
    seen = outputs["fp32"] > 0.5
    assert seen.any()
    for precision in METHODS:
        assert np.abs(outputs[precision] - outputs["fp32"])[seen].mean() < 0.1, precision


def test_the_parts_are_found_by_ultralytics_numbering(built):
    model = onnx.load(built("onnxruntime", "fp32").path)
    numbers = {module_of(name) for name in trunk(model)}
    assert numbers >= {2, 10, 16, 22}
    assert not numbers & {*STEM, HEAD}
    assert module_of("/model.12/m/Conv") == 12
    assert module_of("/model/Conv") is module_of("Conv_3") is module_of("/model.x/Conv") is None


def test_only_what_least_squares_sees_through_a_silu_is_cut_on_its_flat_side(built):
    model = onnx.shape_inference.infer_shapes(onnx.load(built("onnxruntime", "fp32").path))
    name = next(node.input[0] for node in model.graph.node if node.op_type == "Sigmoid" and module_of(node.name) == 5)
    wanted = activations(model, trunk(model))
    assert name in wanted
    seen = Histogram()
    seen.add(np.random.default_rng(0).normal(-8, 4, 10_000).astype(np.float32))
    assert activation_ranges(model, {name: seen}, "mse")[name][0] > -9
    assert activation_ranges(model, {name: seen}, "minmax")[name][0] < -15
    sigmoid = next(node.output[0] for node in model.graph.node if node.op_type == "Sigmoid")
    assert sigmoid not in wanted
    assert activation_ranges(model, {}, "mse")[sigmoid] == (0, 1)


def test_nothing_but_the_model_is_left_in_the_artifact(built):
    folder = Path(built("onnxruntime", "int8").path).parent
    assert {file.name for file in folder.iterdir()} == {"model.onnx", "artifact.json"}


def chain(*kinds: str) -> onnx.ModelProto:
    """A graph of one operator after the other, as `kinds` says, named by position."""
    nodes = [helper.make_node(kind, [f"t{k}"], [f"t{k + 1}"], name=f"{k}") for k, kind in enumerate(kinds)]
    return helper.make_model(helper.make_graph(nodes, "g", [], []))


def test_without_numbers_the_last_convolution_and_what_follows_stay_in_float():
    """A float .onnx from elsewhere; decoding in int8 would round every score away."""
    assert trunk(chain("Conv", "Sigmoid", "Conv", "Softmax", "Mul", "Conv", "Reshape", "Sigmoid")) == [
        "0",
        "1",
        "2",
        "4",
    ]
    assert trunk(chain("Conv", "Sigmoid")) == []
