"""Reads from a graph, ONNX or OpenVINO, which input takes the images, and in which layout and range.

A runtime tells name, type and shape of an input. That a graph divides by 255 itself, or that its bytes have a scale,
only the first operators behind the input tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.backends import feed
from harness.backends.feed import NetworkInput, Shape

MOVING = {
    "Cast", "Identity", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Gather", "Slice", "Pad", "Resize", "Concat",
    "Split", "Convert", "StridedSlice", "Interpolate", "VariadicSplit",
}  # fmt: skip
"""Operators, of ONNX and of OpenVINO, that move values or change their type and leave the range as it is."""

ARITHMETIC = {
    "Mul": "mul", "Div": "div", "Sub": "add", "Add": "add",
    "Multiply": "mul", "Divide": "div", "Subtract": "add",
}  # fmt: skip
"""Operator, of ONNX and of OpenVINO → its kind for `feed.white_of`."""

TO_FIRST = [0, 3, 1, 2]


@dataclass(frozen=True)
class ImageInput:
    """The input of a graph that takes the images."""

    name: str
    shape: Shape  # [N, 3, H, W] or [N, H, W, 3]; None for a free side
    feed: Mapping[str, Any]  # what the artifact's metadata says under `feed`; empty where name, type and shape tell all

    def fixed(self, cell: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """The shape of a cell's batches, given as [N, 3, H, W], in the layout of this input."""
        return feed.wanted(self.shape, cell)


def of_onnx(model: Any, where: str) -> ImageInput:
    """The image input of an ONNX model. Initializers that older files list among the inputs are none.

    Raises:
        ConfigError: no input takes RGB images, or another input has to be fed besides. `where` names the file.
    """
    from onnx import helper

    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name not in constants:
            tensor = value.type.tensor_type
            try:
                dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
            except (KeyError, TypeError):
                dtype = f"type {tensor.elem_type}"
            shape = tuple(feed.side(side.dim_value) for side in tensor.shape.dim) if tensor.HasField("shape") else None
            inputs.append(NetworkInput(value.name, dtype, shape))
    image = inputs[feed.image_input(inputs, where)]
    behind = list(_onnx_steps(model.graph, image.name))
    turned = any(kind == "turn" for kind, _, _ in behind)
    return ImageInput(image.name, _shape(image.shape, turned), _said(image.dtype, behind))


def of_ir(model: Any, where: str) -> ImageInput:
    """The image input of an `openvino.Model`. Raises as `of_onnx`."""
    from harness.backends.openvino import described_port

    inputs = [described_port(port) for port in model.inputs]
    number = feed.image_input(inputs, where)
    behind = list(_ir_steps(model.inputs[number]))
    turned = any(kind == "turn" for kind, _, _ in behind)
    return ImageInput(inputs[number].name, _shape(inputs[number].shape, turned), _said(inputs[number].dtype, behind))


Step = tuple[str, float, int]
"""Kind of an operation, its number, and the zero point of a `scale`; see `feed.white_of` for the kinds but `turn` and
`scale`: channels last become channels first, and whole numbers become real ones."""


def _shape(shape: Shape | None, turned: bool) -> Shape:
    """The shape of an image input, with three channels where the file leaves them free."""
    if shape is None:
        shape = (None, None, None, None)
    if 3 not in (shape[1], shape[3]):
        return (*shape[:3], 3) if turned else (shape[0], 3, *shape[2:])
    return shape


def _said(dtype: str, steps: list[Step]) -> dict[str, Any]:
    """What the first operators say about the range of an image input of this type."""
    if dtype not in feed.FLOATS:
        scaled = next(((number, zero) for kind, number, zero in steps if kind == "scale"), None)
        return {"scale": scaled[0], "zero": scaled[1]} if scaled else {}
    white = feed.white_of((kind, number) for kind, number, _ in steps)
    return {"white": white} if white == 255 else {}


def _onnx_steps(graph: Any, tensor: str) -> Iterator[Step]:
    """Yield what happens to the tensor behind an input, up to the first operator that changes more than its range."""
    from onnx import numpy_helper

    constants = {one.name: one for one in graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def number(name: str) -> Any:
        return numpy_helper.to_array(constants[name]) if name in constants else None

    seen: set[str] = set()
    while tensor not in seen:
        seen.add(tensor)
        following = [node for node in readers.get(tensor, []) if node.op_type != "Shape"]
        if not following or any(node.op_type not in MOVING for node in following[1:]):
            return
        node = following[0]
        if node.op_type == "Transpose" and _permutation(node) == TO_FIRST:
            yield "turn", 0, 0
        elif node.op_type in ARITHMETIC:
            others = [number(name) for name in node.input if name != tensor]
            if len(others) != 1 or others[0] is None:
                return
            yield ARITHMETIC[node.op_type], _largest(others[0]), 0
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = number(node.input[1]), number(node.input[2]) if len(node.input) > 2 else np.uint8(0)
            if scale is None or zero is None or np.size(scale) != 1:
                return
            if node.op_type == "DequantizeLinear":
                yield "scale", float(np.ravel(scale)[0]), int(np.ravel(zero)[0])
            else:
                top = np.iinfo(zero.dtype).max - int(np.ravel(zero)[0])
                yield "round", top * float(np.ravel(scale)[0]), 0
        elif node.op_type not in MOVING:
            return
        tensor = node.output[0]


def _ir_steps(port: Any) -> Iterator[Step]:
    """As `_onnx_steps`, behind an input of an `openvino.Model`."""
    while True:
        nodes = [target.get_node() for target in port.get_target_inputs()]
        nodes = [node for node in nodes if node.get_type_name() != "ShapeOf"]
        if not nodes or any(node.get_type_name() not in MOVING for node in nodes[1:]):
            return
        node, kind = nodes[0], nodes[0].get_type_name()
        if kind == "Transpose" and _constant(node, 1) is not None and list(_constant(node, 1)) == TO_FIRST:
            yield "turn", 0, 0
        elif kind in ARITHMETIC:
            other = next((value for index in (0, 1) if (value := _constant(node, index)) is not None), None)
            if other is None:
                return
            yield ARITHMETIC[kind], _largest(other), 0
        elif kind == "FakeQuantize":
            top = _constant(node, 2)
            if top is not None:
                yield "round", _largest(top), 0
        elif kind not in MOVING:
            return
        port = node.output(0)


def _constant(node: Any, index: int) -> Any:
    """The value of a constant input of an OpenVINO node, also behind a Convert; None where it is computed."""
    source = node.input_value(index).get_node()
    if source.get_type_name() == "Convert":
        source = source.input_value(0).get_node()
    return source.get_data() if source.get_type_name() == "Constant" else None


def _permutation(node: Any) -> list[int]:
    """The order of axes of a Transpose node of ONNX."""
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])


def _largest(values: Any) -> float:
    """The largest absolute value of a constant."""
    return float(np.abs(np.asarray(values, np.float64)).max(initial=0))


def standardize(model: Any, image: ImageInput) -> None:
    """Give an ONNX model the input of an exported graph, float32 [N, 3, H, W] in [0, 1], in place.

    A model that has this input keeps it. Otherwise a few operators before the old input convert.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    (old,) = (value for value in graph.input if value.name == image.name)
    element, shape = old.type.tensor_type.elem_type, [side.dim_value for side in old.type.tensor_type.shape.dim]
    dtype = str(helper.tensor_dtype_to_np_dtype(element))
    fed = feed.feed_of(NetworkInput(image.name, dtype, tuple(shape)), image.name, image.feed)
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if fed.channels_last:
        steps.append(("Transpose", [], {"perm": [0, 2, 3, 1]}))
        shape = [shape[0], 3, *shape[1:3]]
    if fed.white != 1:
        graph.initializer.append(numpy_helper.from_array(np.float32(fed.white), f"{image.name}/white"))
        steps.append(("Mul", [f"{image.name}/white"], {}))
    if fed.dtype != np.float32:
        steps += [("Round", [], {})] if fed.dtype.kind != "f" else []
        steps.append(("Cast", [], {"to": element}))
    if not steps:
        return
    index = list(graph.input).index(old)
    graph.input.remove(old)
    tensor = f"{image.name}/standard"
    graph.input.insert(index, helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape))
    for number, (kind, others, attributes) in enumerate(steps):
        made = image.name if number == len(steps) - 1 else f"{image.name}/{kind}"
        graph.node.insert(number, helper.make_node(kind, [tensor, *others], [made], made, **attributes))
        tensor = made
