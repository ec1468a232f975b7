"""Files from elsewhere: what they are is read from them; what they are not is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from harness import ConfigError
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
    with pytest.raises(ConfigError, match=r"takes an input of 1×3×32×32, the suite feeds 1×3×640×640"):
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


def test_weights_in_a_file_that_no_key_covers_are_told(graphs, tmp_path):
    model = onnx.load(graphs / "fp32.onnx")
    onnx.save(model, tmp_path / "mine.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(
        ConfigError, match=r"keeps weights in 'weights.bin'; save it as one file, or .*'mine.onnx.data'"
    ):
        ready_onnx(given(tmp_path / "mine.onnx"), tmp_path)
    model = onnx.load(graphs / "fp32.onnx")
    onnx.save(model, tmp_path / "mine.onnx", save_as_external_data=True, location="mine.onnx.data", size_threshold=0)
    assert ready_onnx(given(tmp_path / "mine.onnx"), tmp_path)["precision"] == "fp32"


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
