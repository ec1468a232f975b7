"""Stem, trunk and head are found in the graph, whatever its nodes are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from harness.recipes.onnx import prepared
from harness.recipes.parts import head_nodes, module_of, named, stem_nodes, trunk

SIZE = 64


class Net:
    """Writes a small graph node by node; a node is named as the test calls it."""

    def __init__(self) -> None:
        self.nodes, self.weights = [], []

    def conv(self, name: str, given: str, channels: int = 4, stride: int = 1, into: int = 4) -> str:
        """A 3 × 3 convolution and its SiLU; returns the tensor behind them."""
        self.last(f"{name}", given, channels, stride, into)
        self.nodes.append(helper.make_node("Sigmoid", [name], [f"{name}/sigmoid"], name=f"{name}/sigmoid"))
        self.nodes.append(helper.make_node("Mul", [name, f"{name}/sigmoid"], [f"{name}/silu"], name=f"{name}/silu"))
        return f"{name}/silu"

    def last(self, name: str, given: str, channels: int = 4, stride: int = 1, into: int = 4) -> str:
        """A 3 × 3 convolution alone."""
        weight = np.random.default_rng(0).random((into, channels, 3, 3)).astype(np.float32)
        self.weights.append(numpy_helper.from_array(weight, f"{name}/weight"))
        self.nodes.append(
            helper.make_node(
                "Conv", [given, f"{name}/weight"], [name], name=name, pads=[1, 1, 1, 1], strides=[stride, stride]
            )
        )
        return name

    def node(self, kind: str, name: str, *given: str, **attributes: object) -> str:
        """Any other operator."""
        self.nodes.append(helper.make_node(kind, list(given), [name], name=name, **attributes))
        return name

    def backbone(self) -> list[str]:
        """Stem, and three levels whose features flow down again, as in every YOLO; returns the level's features."""
        stem = self.conv("stem1", self.conv("stem0", "images", 3, 2), 4, 2)
        small = self.conv("body8", stem, 4, 2)
        middle = self.conv("body16", small, 4, 2)
        large = self.conv("body32", middle, 4, 2)
        up = self.node("Add", "neck16", self.conv("down16", small, 4, 2), middle)
        return [small, up, self.node("Add", "neck32", self.conv("down32", up, 4, 2), large)]

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model with the shape of every tensor."""
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        return shape_inference.infer_shapes(model)


def yolox() -> tuple[onnx.ModelProto, set[str]]:
    """Each level has a stem and two branches; the branch of boxes ends in two predictions."""
    net, outputs = Net(), []
    for level, feature in zip((8, 16, 32), net.backbone(), strict=True):
        stem = net.conv(f"stems{level}", feature)
        classes = net.last(f"head/cls_pred{level}", net.conv(f"head/cls_conv{level}", stem))
        boxes = net.conv(f"head/reg_conv{level}", stem)
        box, objectness = net.last(f"head/reg_pred{level}", boxes), net.last(f"head/obj_pred{level}", boxes)
        outputs.append(net.node("Concat", f"head/out{level}", box, objectness, classes, axis=1))
    return net.model(*outputs), {"head/"}


def yolov5() -> tuple[onnx.ModelProto, set[str]]:
    """Each level has one convolution, and the decoding behind it."""
    net, outputs = Net(), []
    for level, feature in zip((8, 16, 32), net.backbone(), strict=True):
        outputs.append(net.node("Sigmoid", f"head/out{level}", net.last(f"head/m{level}", feature)))
    return net.model(*outputs), {"head/"}


def distributed() -> tuple[onnx.ModelProto, set[str]]:
    """As YOLOv6 and YOLOv9: box distances are the expectation of a distribution, a convolution by 0, 1, 2, 3."""
    net, outputs = Net(), []
    net.weights.append(numpy_helper.from_array(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1), "bins"))
    for level, feature in zip((8, 16, 32), net.backbone(), strict=True):
        classes = net.last(f"head/cls_pred{level}", net.conv(f"head/cls_conv{level}", feature))
        box = net.last(f"head/reg_pred{level}", net.conv(f"head/reg_conv{level}", feature))
        spread = net.node("Softmax", f"head/softmax{level}", box, axis=1)
        outputs += [net.node("Conv", f"head/dfl{level}", spread, "bins"), classes]
    return net.model(*outputs), {"head/"}


def transformer() -> tuple[onnx.ModelProto, set[str]]:
    """As RT-DETR: a stem with two ways, one projection per level, and a decoder without convolutions."""
    net, outputs = Net(), []
    stem = net.conv("stem0", "images", 3, 2)
    joined = net.node("Add", "stem/join", net.conv("stem1", stem), net.conv("stem2", stem))
    feature = net.conv("stem3", joined, 4, 2)
    for level in (8, 16, 32):
        feature = net.conv(f"body{level}", feature, 4, 2)
        outputs.append(net.node("Softmax", f"head/decoder{level}", net.last(f"head/proj{level}", feature)))
    return net.model(*outputs), {"head/"}


@pytest.mark.parametrize("family", [yolox, yolov5, distributed, transformer])
def test_the_head_is_what_leads_to_part_of_a_level_and_all_that_lies_behind(family):
    model, prefixes = family()
    wanted = {node.name for node in model.graph.node if node.name.startswith(tuple(prefixes))}
    assert head_nodes(model.graph) == wanted


@pytest.mark.parametrize("family", [yolox, yolov5, distributed, transformer])
def test_the_stem_ends_at_a_quarter_of_the_resolution(family):
    model, _ = family()
    first = ("stem0", "stem1", "stem2", "stem3", "stem/")
    wanted = {node.name for node in model.graph.node if node.name.startswith(first)}
    assert stem_nodes(model.graph) == wanted
    assert not wanted & set(trunk(model))
    assert "body8" in trunk(model)


def test_levels_of_unknown_size_leave_the_last_convolutions_in_float():
    model, _ = yolox()
    del model.graph.value_info[:]
    found = {name for name in head_nodes(model.graph) if "conv" in name or "pred" in name}
    assert found == {f"head/{kind}_pred{level}" for kind in ("cls", "reg", "obj") for level in (8, 16, 32)}


def test_the_bundled_detector_has_the_parts_that_its_modules_name(built, tmp_path):
    """Module 0 and 1 are the stem, the last one the head; without their names the same nodes are found."""
    model = prepared(Path(built("onnxruntime", "fp32").path), tmp_path)
    modules = [module_of(node.name) for node in model.graph.node]
    last = max(number for number in modules if number is not None)
    for node in model.graph.node:
        node.name = ""
    named(model.graph)
    order = {node.name: place for place, node in enumerate(model.graph.node)}
    assert {order[name] for name in head_nodes(model.graph)} == {k for k, m in enumerate(modules) if m == last}
    assert {order[name] for name in stem_nodes(model.graph)} == {k for k, m in enumerate(modules) if m in (0, 1)}
    assert {modules[order[name]] for name in trunk(model)} >= set(range(2, last))
