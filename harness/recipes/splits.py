"""Replaces Slices that together cut a tensor into all its parts by one Split, as the exporter writes it for detectors.

OpenVINO 2026.4.1 loses such Slices before a GatherElements. The end-to-end heads of segmentation and pose models have
them. OpenVINO then fails with "Shapes [1,8400,116] and [1,300,4] are not consistent" and compiles nothing.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cut:
    """A Slice with constant ends and step 1 along one axis: elements `start` to `end`, without `end`."""

    start: int
    end: int
    node: Any  # onnx.NodeProto


def to_openvino(source: Path) -> Any:
    """Convert an ONNX file to an `openvino.Model`, with its Slices joined."""
    import onnx
    import openvino

    model = onnx.load(str(source))
    if not join_slices(model):
        return openvino.convert_model(str(source))
    with tempfile.TemporaryDirectory() as folder:  # through a file, since a model in memory is limited to 2 GB
        path = Path(folder, "joined.onnx")
        onnx.save(model, path)
        return openvino.convert_model(str(path))


def join_slices(model: Any) -> bool:
    """Replace the Slices before a GatherElements by Splits, in place, and return whether there were any.

    Every tensor keeps its values.
    """
    import onnx

    graph, changed = model.graph, False
    shaped = onnx.shape_inference.infer_shapes(model).graph.value_info
    sides = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in shaped}
    gathered = {node.input[0] for node in graph.node if node.op_type == "GatherElements"}
    for (tensor, axis), cuts in _cuts(graph, sides).items():
        cuts.sort(key=lambda cut: (cut.start, cut.end))
        edges = [0, *(cut.end for cut in cuts)]
        tiles = [cut.start for cut in cuts] == edges[:-1] and edges[-1] == sides[tensor][axis]
        if tiles and any(cut.node.output[0] in gathered for cut in cuts):
            _replace(graph, tensor, axis, cuts, np.diff(edges).astype(np.int64))
            changed = True
    return changed


def _cuts(graph: Any, sides: dict[str, list[int]]) -> dict[tuple[str, int], list[Cut]]:
    """The Slices of a graph by the tensor and axis that they cut. `sides` gives the shapes of tensors by name."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in graph.initializer}
    found = defaultdict(list)
    for node in graph.node:
        shape = sides.get(node.input[0]) if node.op_type == "Slice" else None
        if not shape:
            continue
        said = [constants.get(name) or [] for name in node.input[1:]]  # starts, ends, axes, steps
        if len(said) > 2 and all(len(one) == 1 for one in said) and said[3:] in ([], [[1]]):
            start, end, axis = (one[0] for one in said[:3])
            found[node.input[0], axis % len(shape)].append(Cut(start, min(end, shape[axis]), node))
    return found


def _replace(graph: Any, tensor: str, axis: int, cuts: list[Cut], sizes: Any) -> None:
    """Put one Split of `tensor` into parts of `sizes` in the place of the Slices `cuts`."""
    import onnx

    constant = onnx.numpy_helper.from_array(sizes, f"{cuts[0].node.output[0]}/sizes")
    outputs = [cut.node.output[0] for cut in cuts]
    split = onnx.helper.make_node(
        "Split", [tensor, constant.name], outputs, f"{cuts[0].node.output[0]}/split", axis=axis
    )
    graph.initializer.append(constant)
    graph.node.insert(min(list(graph.node).index(cut.node) for cut in cuts), split)
    for cut in cuts:
        graph.node.remove(cut.node)
