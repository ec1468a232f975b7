"""The parts of a detector's ONNX graph: stem, trunk, branches of the head, decoding. Found in the graph, not by names.

All functions want an `onnx.ModelProto` or its graph whose nodes have names (`named`) and whose tensors have known
shapes, as shape inference leaves it. Only `module_of` and `in_branch` read names: they tell more where Ultralytics
exported the graph, whose nodes are named after modules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

QUANTIZED = ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize", "Reshape", "Split")
"""Operators that static int8 quantizes."""

CONVOLUTIONS = ("Conv", "ConvTranspose")
ACTIVATIONS = ("Sigmoid", "Mul", "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "HardSwish", "Tanh", "Softplus")
"""Operators that activation functions behind a convolution consist of."""

STEM_DIVISOR = 4
"""The stem ends where the feature maps have the network's input size divided by this."""

BRANCHES = ("cv2", "cv3", "cv4", "proto")
"""Branches of convolutions in Ultralytics' heads: boxes, classes, mask coefficients or key points, mask prototypes."""


def named(graph: Any) -> None:
    """Give a name to each node that has none, in place."""
    for number, node in enumerate(graph.node):
        node.name = node.name or f"node_{number}"


def trunk(model: Any) -> list[str]:
    """Names of the nodes that int8 is worth it for: the operators in `QUANTIZED` between stem and head."""
    left_out = head_nodes(model.graph) | stem_nodes(model.graph)
    return [node.name for node in model.graph.node if node.op_type in QUANTIZED and node.name not in left_out]


def stem_nodes(graph: Any) -> set[str]:
    """Names of the nodes down to a quarter of the input's resolution.

    They are the convolutions that read a map larger than that, unless one that reads a smaller map lies before them;
    what leads to them; and the activation functions behind them.
    """
    areas, producers = _areas(graph), {tensor: node for node in graph.node for tensor in node.output}
    limit = _input_area(graph) / STEM_DIVISOR**2
    late: set[str] = set()  # tensors behind a convolution that reads a small map
    convolutions = []
    for node in graph.node:  # in topological order, as in every valid graph
        large = areas.get(node.input[0], 0) > limit if node.input else False
        if not late.isdisjoint(node.input) or (node.op_type in CONVOLUTIONS and not large):
            late.update(node.output)
        elif node.op_type in CONVOLUTIONS:
            convolutions.append(node)
    found: dict[str, Any] = {}
    left = convolutions
    while left:
        node = left.pop()
        if node.name not in found:
            found[node.name] = node
            left.extend(producers[name] for name in node.input if name in producers)
    written = {tensor for node in found.values() for tensor in node.output}
    for node in graph.node:
        read = [name for name in node.input if name in producers]
        if node.op_type in ACTIVATIONS and read and written.issuperset(read):
            found[node.name] = node
            written.update(node.output)
    return set(found)


def head_nodes(graph: Any) -> set[str]:
    """Names of the nodes of the head: its branches of convolutions and the decoding behind them.

    A prediction is the last convolution on its way, and the predictions of one level have maps of one size. A node
    belongs to a branch where it leads to some predictions of one level, but not to all of them: where several branches
    begin, there the trunk ends. A level with one prediction (YOLOv5, YOLOv7, the prototypes of masks) has no branches,
    and its last convolution alone belongs to the head.
    """
    areas = _areas(graph)
    predictions = {node.name: areas.get(node.output[0], node.name) for node in _last_convolutions(graph)}
    levels: dict[Any, set[str]] = defaultdict(set)
    for name, area in predictions.items():
        levels[area].add(name)
    found = set(predictions)
    for node, leads_to in _predictions_behind(graph, set(predictions)):
        sizes = {predictions[name] for name in leads_to}
        if not leads_to or (len(sizes) == 1 and leads_to < levels[sizes.pop()]):
            found.add(node.name)
    return found


def _last_convolutions(graph: Any) -> list[Any]:
    """The convolutions that no other convolution follows; expectations over bins count as decoding."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    found: list[Any] = []
    leads_to_convolution: set[str] = set()  # tensors
    for node in reversed(graph.node):
        convolves = node.op_type in CONVOLUTIONS and not _is_expectation(node, constants)
        if convolves and leads_to_convolution.isdisjoint(node.output):
            found.append(node)
        if convolves or not leads_to_convolution.isdisjoint(node.output):
            leads_to_convolution.update(node.input)
    return found


def _is_expectation(node: Any, constants: Mapping[str, Any]) -> bool:
    """Whether a convolution weighs its channels by 0, 1, 2, …: the mean of a distribution over box distances (DFL)."""
    from onnx import numpy_helper

    weight = constants.get(node.input[1]) if len(node.input) > 1 else None
    if weight is None or len(weight.dims) < 3 or weight.dims[0] != 1 or weight.dims[1] < 2 or prod(weight.dims[2:]) > 1:
        return False
    return np.array_equal(numpy_helper.to_array(weight).ravel(), np.arange(weight.dims[1]))


def _predictions_behind(graph: Any, predictions: set[str]) -> Iterator[tuple[Any, set[str]]]:
    """Each node, from the last to the first, and the names of the predictions that it leads to or is."""
    behind: dict[str, set[str]] = defaultdict(set)  # tensor → predictions behind it
    for node in reversed(graph.node):
        leads_to = set().union(*(behind[name] for name in node.output))
        if node.name in predictions:
            leads_to.add(node.name)
        for name in node.input:
            behind[name] |= leads_to
        yield node, leads_to


def _areas(graph: Any) -> dict[str, int]:
    """Tensor → height × width, for tensors [N, C, H, W] of known shape."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return {name: shape[2] * shape[3] for name, shape in shapes.items() if len(shape) == 4 and shape[2] and shape[3]}


def _input_area(graph: Any) -> float:
    """Height × width of the images that the graph takes, [N, C, H, W] or [N, H, W, C]; infinite where unknown."""
    weights = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
        if len(sides) == 3 and all(sides) and value.name not in weights:
            return float(prod(sides) / min(sides))
    return float("inf")


def in_branch(name: str) -> bool:
    """Whether a node of the head belongs to its branches of convolutions, and not to the decoding behind them."""
    return any(branch in name for branch in BRANCHES)


def module_of(name: str) -> int | None:
    """Number of the Ultralytics module that a node belongs to, by the node's name: `/model.23/cv2.0/…` → 23."""
    number = name.removeprefix("/model.").partition("/")[0] if name.startswith("/model.") else ""
    return int(number) if number.isdigit() else None
