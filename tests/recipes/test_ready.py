"""Files from elsewhere: what they are is read from them; what they are not is one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from graphs import save_graph
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from harness import Artifact, Cell, ConfigError
from harness.backends.registry import backend
from harness.core.errors import first_line
from harness.recipes.base import BuildInputs
from harness.recipes.ready import float_graph, ir
from harness.recipes.ready import onnx as ready_onnx
from harness.recipes.registry import RECIPES, source_of

SIZE = 32


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> Path:
    """One small convolution as float32, float16, static and dynamic int8."""
    folder = tmp_path_factory.mktemp("graphs")
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["images", "w"], ["output"], name="conv", pads=[1, 1, 1, 1])
    taken = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, SIZE, SIZE])
    graph = helper.make_graph([node], "g", [taken], [given], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"names": "{0: 'cat', 1: 'dog'}"})
    onnx.save(model, folder / "fp32.onnx")
    onnx.save(convert_float_to_float16(model, keep_io_types=True), folder / "fp16.onnx")
    quantize_static(folder / "fp32.onnx", folder / "int8.onnx", Images())
    quantize_dynamic(folder / "fp32.onnx", folder / "int8-dynamic.onnx", weight_type=QuantType.QUInt8)
    return folder


class Images:
    """A calibration reader of one image."""

    left = 1

    def get_next(self):
        self.left -= 1
        return {"images": np.ones((1, 3, SIZE, SIZE), np.float32)} if self.left == 0 else None


def given(weights: Path, side: int = SIZE) -> BuildInputs:
    return BuildInputs(weights, weights, (side, side), 1, False, None)


@pytest.mark.parametrize(
    ("name", "executes"), [("fp32", "f32"), ("fp16", "f32"), ("int8", "i8"), ("int8-dynamic", "i8")]
)
def test_the_precision_of_an_onnx_graph_is_read_from_it(graphs, tmp_path, name, executes):
    misnamed = tmp_path / "best_int4.onnx"
    misnamed.write_bytes((graphs / f"{name}.onnx").read_bytes())
    meta = ready_onnx(given(misnamed), tmp_path)
    assert (meta["precision"], meta["executes"]) == (name, executes)
    assert (tmp_path / "model.onnx").is_file()


def test_class_names_come_from_the_metadata(graphs, tmp_path):
    assert ready_onnx(given(graphs / "fp32.onnx"), tmp_path)["names"] == ["cat", "dog"]


@pytest.mark.parametrize(("half", "precision"), [(False, "fp32"), (True, "fp16")])
def test_an_openvino_ir_is_read_with_the_names_beside_it(graphs, tmp_path, half, precision):
    model = openvino.convert_model(str(graphs / "fp32.onnx"))
    openvino.save_model(model, tmp_path / "mine.xml", compress_to_fp16=half)
    (tmp_path / "metadata.yaml").write_text("names: {0: cat, 1: dog}")
    made = tmp_path / "made"
    made.mkdir()
    meta = ir(given(tmp_path / "mine.xml"), made)
    assert (meta["precision"], meta["names"]) == (precision, ["cat", "dog"])
    assert sorted(file.name for file in made.iterdir()) == ["model.bin", "model.xml"]


def test_openvino_reads_an_onnx_graph_too(graphs, tmp_path):
    assert ir(given(graphs / "int8.onnx"), tmp_path)["precision"] == "int8"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.bin", "model.xml"]


def test_a_float_onnx_stands_where_the_exported_graph_does(graphs, tmp_path):
    made_by = source_of(RECIPES["onnxruntime", "int8"], graphs / "fp32.onnx")
    assert made_by is not None
    assert made_by.run(given(graphs / "fp32.onnx"), tmp_path) == {"names": ["cat", "dog"]}


def test_a_quantized_onnx_cannot_be_quantized_again(graphs, tmp_path):
    with pytest.raises(ConfigError, match=r"int8.onnx is int8 already .* precisions='ready'"):
        float_graph(given(graphs / "int8.onnx"), tmp_path)


def test_a_truncated_onnx_is_one_line(graphs, tmp_path):
    whole = (graphs / "fp32.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"cut.onnx cannot be read as an ONNX graph: .+") as caught:
        ready_onnx(given(tmp_path / "cut.onnx"), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_truncated_ir_is_one_line(graphs, tmp_path):
    model = openvino.convert_model(str(graphs / "fp32.onnx"))
    openvino.save_model(model, tmp_path / "cut.xml")
    whole = (tmp_path / "cut.xml").read_text()
    (tmp_path / "cut.xml").write_text(whole[: len(whole) // 2])
    with pytest.raises(
        ConfigError, match=r"cut.xml cannot be read as an OpenVINO IR: (?!Exception from)\w.+"
    ) as caught:
        ir(given(tmp_path / "cut.xml"), tmp_path)
    assert "\n" not in str(caught.value)


def test_an_ir_without_its_weights_says_which_file_is_missing(tmp_path):
    (tmp_path / "lonely.xml").write_text("<net/>")
    with pytest.raises(ConfigError, match=r"lonely.bin is missing"):
        ir(given(tmp_path / "lonely.xml"), tmp_path)


def test_another_image_size_is_told_with_both(graphs, tmp_path):
    with pytest.raises(ConfigError, match=r"fp32.onnx is for images of 32×32 pixels .* feeds 640×640: write imgsz=32"):
        ready_onnx(given(graphs / "fp32.onnx", 640), tmp_path)


def free(graphs: Path, path: Path) -> Path:
    """The float graph with free batch and image size, as `export(dynamic=True)` makes it."""
    model = onnx.load(graphs / "fp32.onnx")
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    onnx.save(model, path)
    return path


def test_free_dimensions_become_those_of_the_cell(graphs, tmp_path):
    ready_onnx(given(free(graphs, tmp_path / "mine.onnx"), 64), tmp_path)
    (output,) = onnx.load(tmp_path / "model.onnx").graph.output
    assert [dim.dim_value for dim in output.type.tensor_type.shape.dim] == [1, 4, 64, 64]


def test_free_dimensions_of_an_ir_too(graphs, tmp_path):
    model = openvino.convert_model(str(free(graphs, tmp_path / "mine.onnx")))
    openvino.save_model(model, tmp_path / "mine.xml")
    made = tmp_path / "made"
    made.mkdir()
    ir(given(tmp_path / "mine.xml", 64), made)
    assert list(openvino.Core().read_model(made / "model.xml").output(0).get_shape()) == [1, 4, 64, 64]


def test_scales_and_zero_points_may_be_constant_nodes(graphs, tmp_path):
    model = onnx.load(graphs / "int8.onnx")
    for tensor in list(model.graph.initializer):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
        model.graph.initializer.remove(tensor)
    onnx.save(model, tmp_path / "constants.onnx")
    assert ready_onnx(given(tmp_path / "constants.onnx"), tmp_path)["precision"] == "int8"
    assert not [node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "Constant"]


@pytest.mark.parametrize("suffix", [".ONNX", ".Onnx"])
def test_a_suffix_in_capitals_is_the_same_suffix(graphs, tmp_path, suffix):
    file = tmp_path / f"BEST{suffix}"
    file.write_bytes((graphs / "fp32.onnx").read_bytes())
    assert ready_onnx(given(file), tmp_path)["precision"] == "fp32"
    assert source_of(RECIPES["onnxruntime", "int8"], file) == source_of(RECIPES["onnxruntime", "int8"], Path("m.onnx"))


def test_an_ir_in_capitals_has_its_weights_in_capitals(graphs, tmp_path):
    openvino.save_model(openvino.convert_model(str(graphs / "fp32.onnx")), tmp_path / "mine.xml")
    for suffix in (".xml", ".bin"):
        (tmp_path / f"mine{suffix}").rename(tmp_path / f"MINE{suffix.upper()}")
    made = tmp_path / "made"
    made.mkdir()
    assert ir(given(tmp_path / "MINE.XML"), made)["executes"] == "f32"


def test_a_float_graph_with_another_input_gets_the_usual_one(tmp_path):
    """Bytes with channels last and a division inside are quantized like any exported graph."""
    weight = np.random.default_rng(0).random((4, 3, 3, 3), np.float32)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "white"], ["small"]),
        helper.make_node("Transpose", ["small"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["turned", "w"], ["output"]),
    ]
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32(255), "white")]
    taken = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [taken], [made], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "m.onnx")
    (tmp_path / "made").mkdir()
    float_graph(given(tmp_path / "m.onnx"), tmp_path / "made")
    session = onnxruntime.InferenceSession(tmp_path / "made" / "model.onnx", providers=["CPUExecutionProvider"])
    (one,) = session.get_inputs()
    assert (one.type, one.shape) == ("tensor(float)", [1, 3, SIZE, SIZE])
    pixels = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    batch = pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    before = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        session.run(None, {one.name: batch})[0], before.run(None, {"pixels": pixels})[0], rtol=1e-5
    )


def signed(path: Path) -> Path:
    """A Q/DQ graph whose activations are signed int8."""
    nodes = [
        helper.make_node("QuantizeLinear", ["images", "step", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["real"]),
        helper.make_node("Conv", ["real", "w"], ["output"]),
    ]
    weights = {"step": np.float32(1 / 127), "zero": np.int8(0), "w": np.ones((4, 3, 3, 3), np.float32)}
    return save_graph(path, nodes, batch=1, **weights)


@pytest.mark.parametrize(
    ("unsigned", "type_of_activations", "said"),
    [(False, "i8", "1 activations are signed int8, which OpenVINO"), (True, "u8", "1 signed .* stored in uint8")],
)
def test_signed_activations_run_as_they_are_on_openvino_unless_asked(tmp_path, unsigned, type_of_activations, said):
    made = tmp_path / "made"
    made.mkdir()
    recipe = RECIPES["openvino", "ready:unsigned" if unsigned else "ready"]
    meta = recipe.run(given(signed(tmp_path / "signed.onnx")), made)
    (note,) = meta["notes"]
    assert re.search(said, note)
    (quantizer,) = (
        op for op in openvino.Core().read_model(made / "model.xml").get_ops() if op.get_type_name() == "FakeQuantize"
    )
    lowest = float(quantizer.input_value(1).get_node().get_data().min())
    assert lowest < -1
    assert meta["precision"] == "int8"


def test_a_file_that_stands_for_another_one_is_told(tmp_path):
    for content, said in (
        ("<!DOCTYPE html><html><a href=/login>", "cannot be read as an ONNX graph; it is a web page"),
        ("", "cannot be read as an ONNX graph; it is empty"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "run 'git lfs pull'"),
        ("../../blobs/c3c3", r"a symbolic link that was copied as text: put the file '../../blobs/c3c3'"),
    ):
        (tmp_path / "mine.onnx").write_text(content)
        with pytest.raises(ConfigError, match=said):
            ready_onnx(given(tmp_path / "mine.onnx"), tmp_path)
        (tmp_path / "mine.xml").write_text(content)
        (tmp_path / "mine.bin").write_text("")
        with pytest.raises(ConfigError, match=said.replace("ONNX graph", "OpenVINO IR")):
            ir(given(tmp_path / "mine.xml"), tmp_path)


def test_an_operator_that_openvino_has_not_is_named(graphs, tmp_path):
    model = onnx.load(graphs / "fp32.onnx")
    model.graph.node[0].op_type = "Convoluted"
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(Exception, match="Convoluted") as caught:
        ir(given(tmp_path / "odd.onnx"), tmp_path)
    assert "Convoluted" in first_line(caught.value), str(caught.value)


def test_a_file_of_another_kind_is_told(graphs, tmp_path):
    with pytest.raises(ConfigError, match=r"mine.tflite is no .onnx file"):
        ready_onnx(given(tmp_path / "mine.tflite"), tmp_path)


FED = {  # type of the input, its shape, what the graph does first
    "plain": (TensorProto.FLOAT, [1, 3, SIZE, SIZE], []),
    "free": (TensorProto.FLOAT, ["n", 3, "h", "w"], []),
    "half, channels last": (TensorProto.FLOAT16, [1, SIZE, SIZE, 3], ["cast", "turn"]),
    "bytes": (TensorProto.UINT8, [1, 3, SIZE, SIZE], ["cast", "divide"]),
    "bytes, channels last, free": (TensorProto.UINT8, ["n", "h", "w", 3], ["cast", "turn", "divide"]),
    "floats up to 255": (TensorProto.FLOAT, [1, 3, SIZE, SIZE], ["divide"]),
    "all free, channels last": (TensorProto.FLOAT, ["n", "h", "w", "c"], ["turn", "divide"]),
}


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", FED)
def test_every_runtime_computes_the_same_from_what_the_file_wants(tmp_path, kind, runtime):
    element, shape, first = FED[kind]
    weight = np.random.default_rng(0).random((4, 3, 3, 3), np.float32)
    batch = np.random.default_rng(1).integers(0, 256, (1, 3, SIZE, SIZE)).astype(np.float32) / np.float32(255)
    words = {
        "cast": lambda x, y: helper.make_node("Cast", [x], [y], to=TensorProto.FLOAT),
        "turn": lambda x, y: helper.make_node("Transpose", [x], [y], perm=[0, 3, 1, 2]),
        "divide": lambda x, y: helper.make_node("Div", [x, "white"], [y]),
    }
    names = ["images", *first]
    nodes = [words[word](names[number], word) for number, word in enumerate(first)]
    nodes.append(helper.make_node("Conv", [names[-1], "w"], ["output"]))
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32(255), "white")]
    ends = (
        [helper.make_tensor_value_info("images", element, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(nodes, "g", *ends, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "m.onnx")
    made, recipe = tmp_path / "made", RECIPES[runtime, "ready"]
    made.mkdir()
    meta = recipe.run(given(tmp_path / "m.onnx"), made)
    cell = Cell("m", "ready", runtime, imgsz=SIZE)
    session = backend(runtime).open(Artifact(str(made / recipe.entry), "key", 1, meta), cell, 1)
    windows = np.lib.stride_tricks.sliding_window_view(batch, (3, 3), axis=(2, 3))
    expected = np.einsum("ochw,ncijhw->noij", weight, windows)
    for _ in range(2):
        np.testing.assert_allclose(session.infer(batch)[0], expected, rtol=5e-3)
    assert ("notes" in meta) == (element == TensorProto.FLOAT and "divide" in first)


def test_a_second_input_that_has_to_be_fed_is_told_at_build(tmp_path):
    graph = onnx.load(save_graph(tmp_path / "m.onnx", [helper.make_node("Relu", ["images"], ["output"])], batch=1))
    graph.graph.input.append(helper.make_tensor_value_info("im_shape", TensorProto.FLOAT, [1, 2]))
    onnx.save(graph, tmp_path / "m.onnx")
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(ConfigError, match=r"m.onnx wants 'im_shape' \(1×2, float32\) besides the image 'images'"):
            RECIPES[runtime, "ready"].run(given(tmp_path / "m.onnx"), tmp_path)
