"""The image input of a graph from elsewhere: which it is, where its channels are, and what it wants to be fed."""

from __future__ import annotations

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ConfigError
from harness.recipes import graph_input

FLOAT, HALF, BYTE, SIGNED = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8
NCHW, NHWC = [1, 3, 8, 8], [1, 8, 8, 3]


def model(*nodes: onnx.NodeProto, element: int = FLOAT, shape=NCHW, others=(), **constants) -> onnx.ModelProto:
    """A graph whose image input is `images`, with a convolution of `x` behind the nodes."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    tensors.append(numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w"))
    given = [*others, helper.make_tensor_value_info("images", element, shape)]
    last = nodes[-1].output[0] if nodes else "images"
    nodes = (*nodes, helper.make_node("Conv", [last, "w"], ["output"]))
    made = helper.make_tensor_value_info("output", FLOAT, None)
    graph = helper.make_graph(nodes, "g", given, [made], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def node(kind: str, *given: str, to: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, list(given), [to], **attributes)


TURN = node("Transpose", "images", to="x", perm=[0, 3, 1, 2])
CAST = helper.make_node("Cast", ["images"], ["c"], to=FLOAT)
THIRD = np.float32([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)

KINDS = {
    "plain": (model(), NCHW, {}),
    "channels last": (model(TURN, shape=NHWC), NHWC, {}),
    "divided": (model(node("Div", "images", "k", to="x"), k=np.float32(255)), NCHW, {"white": 255}),
    "multiplied": (model(node("Mul", "k", "images", to="x"), k=np.float32([1 / 255])), NCHW, {"white": 255}),
    "mean of bytes": (model(node("Sub", "images", "k", to="x"), k=THIRD * 255), NCHW, {"white": 255}),
    "mean of fractions": (model(node("Sub", "images", "k", to="x"), k=THIRD), NCHW, {}),
    "turned and divided": (
        model(TURN, node("Div", "x", "k", to="y"), k=np.float32(255), shape=NHWC), NHWC, {"white": 255},
    ),
    "bytes": (model(CAST, node("Div", "c", "k", to="x"), k=np.float32(255), element=BYTE), NCHW, {}),
    "scaled bytes": (
        model(node("DequantizeLinear", "images", "s", "z", to="x"), s=np.float32(0.5), z=np.int8(-128), element=SIGNED),
        NCHW, {"scale": 0.5, "zero": -128},
    ),
    "free": (model(shape=["n", 3, "h", "w"]), [None, 3, None, None], {}),
    "minus one": (model(shape=[-1, 3, -1, -1]), [None, 3, None, None], {}),
    "all free": (model(shape=["n", "c", "h", "w"]), [None, 3, None, None], {}),
    "all free, channels last": (model(TURN, shape=["n", "h", "w", "c"]), [None, None, None, 3], {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_tells_how_its_images_are_fed(kind) -> None:
    graph, shape, fed = KINDS[kind]
    assert graph_input.of_onnx(graph, "m") == graph_input.ImageInput("images", tuple(shape), fed)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "scaled bytes"])
def test_an_ir_tells_it_too(kind, tmp_path) -> None:
    graph, shape, fed = KINDS[kind]
    onnx.save(graph, tmp_path / "m.onnx")
    if kind == "minus one":  # OpenVINO's reader of ONNX does not take it
        return
    found = graph_input.of_ir(openvino.Core().read_model(tmp_path / "m.onnx"), "m")
    assert found.name == "images" and dict(found.feed) == fed
    assert [side for side in found.shape if side] == [side for side in shape if side]


def test_weights_among_the_inputs_are_none() -> None:
    listed = helper.make_tensor_value_info("w", FLOAT, [4, 3, 3, 3])
    assert graph_input.of_onnx(model(others=[listed]), "m").name == "images"


def test_a_second_input_is_named() -> None:
    size = helper.make_tensor_value_info("im_shape", FLOAT, [1, 2])
    with pytest.raises(ConfigError, match=r"m wants 'im_shape' \(1×2, float32\) besides the image 'images'"):
        graph_input.of_onnx(model(others=[size]), "m")


def test_a_preprocessed_ir_wants_bytes(tmp_path) -> None:
    """The layout and the division that OpenVINO's PrePostProcessor writes into the model."""
    from openvino import preprocess

    onnx.save(model(), tmp_path / "m.onnx")
    plain = openvino.Core().read_model(tmp_path / "m.onnx")
    steps = preprocess.PrePostProcessor(plain)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    found = graph_input.of_ir(steps.build(), "m")
    assert (found.shape, dict(found.feed)) == ((1, 8, 8, 3), {})
