"""Tensors inside a built network: run it and read them, or run only the part behind them.

Exporters, ONNX Runtime's quantizer and NNCF keep the names of tensors, so that the float graph and the network that was
built from it can be compared name by name. The files of other runtimes keep no names, and there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor

Tap = Callable[[NDArray[np.float32]], dict[str, Tensor]]
"""A function from a batch [N, 3, H, W] to tensors by name."""

READABLE = ("onnxruntime", "openvino")
"""The backends whose files keep the names of tensors."""


def tap(backend: str, path: str, tensors: Sequence[str]) -> Tap:
    """Open a network, on one thread, as a function that returns `tensors` besides the network's outputs.

    Tensors that the network does not have are left out.

    Raises:
        KeyError: the files of the backend keep no names.
    """
    return {"onnxruntime": _onnx_tap, "openvino": _openvino_tap}[backend](path, tensors)


class Hybrid:
    """A session of a built network up to a boundary, and of the float graph's head behind it.

    Args:
        backend: name of the built network's backend.
        path: file of the built network.
        float_graph: .onnx file of the float graph.
        boundary: names of the tensors where the network ends and the head begins (`head_inputs`).
    """

    def __init__(self, backend: str, path: str, float_graph: str, boundary: Sequence[str]) -> None:
        import onnx

        self._trunk, self._boundary = tap(backend, path, boundary), list(boundary)
        model = onnx.shape_inference.infer_shapes(onnx.load(float_graph))
        self._outputs = [output.name for output in model.graph.output]
        self._head = _session(onnx.utils.Extractor(model).extract_model(self._boundary, self._outputs))

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """See `Session.infer`."""
        found = self._trunk(batch)
        return tuple(self._head.run(self._outputs, {name: found[name] for name in self._boundary}))

    def executed(self) -> dict[str, int]:
        """Return nothing: no runtime tells what two networks in one session have executed."""
        return {}

    def close(self) -> None:
        """See `Session.close`."""
        del self._trunk, self._head


def output_shapes(float_graph: str) -> list[tuple[int, ...]]:
    """Return the shapes of the outputs of an .onnx file, in the order of its outputs."""
    import onnx

    outputs = onnx.load(float_graph, load_external_data=False).graph.output
    return [tuple(d.dim_value for d in output.type.tensor_type.shape.dim) for output in outputs]


def head_inputs(float_graph: str) -> list[str]:
    """Return the names of the tensors that the detection head of an .onnx file reads from the rest of the graph."""
    import onnx

    from harness.recipes.onnx import head_nodes

    graph = onnx.load(float_graph).graph
    head = head_nodes(graph)
    producers = {tensor: node.name for node in graph.node for tensor in node.output}
    read = {tensor for node in graph.node if node.name in head for tensor in node.input if tensor in producers}
    return sorted(tensor for tensor in read if producers[tensor] not in head)


def convolutions(float_graph: str) -> dict[str, tuple[str, str]]:
    """Return the tensors that each convolution of an .onnx file reads and writes: (read, written) by name of the node.

    The convolutions are in the order of the graph.
    """
    import onnx

    nodes = [node for node in onnx.load(float_graph).graph.node if node.op_type == "Conv"]
    return {node.name: (node.input[0], node.output[0]) for node in nodes}


def _session(model: Any) -> Any:
    """An ONNX Runtime session of a model in memory, on one thread; warnings are not printed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _onnx_tap(path: str, tensors: Sequence[str]) -> Tap:
    import onnx

    model = onnx.load(path)
    written = {tensor for node in model.graph.node for tensor in node.output}
    outputs = {output.name for output in model.graph.output}
    for name in tensors:
        if name in written - outputs:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = _session(model)
    given = session.get_inputs()[0]
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, {given.name: batch}), strict=True))


def _openvino_tap(path: str, tensors: Sequence[str]) -> Tap:
    import openvino

    core = openvino.Core()
    model = core.read_model(Path(path))
    known = {name for op in model.get_ops() for output in op.outputs() for name in output.get_names()}
    outputs = {name for output in model.outputs for name in output.get_names()}
    model.add_outputs([name for name in tensors if name in known - outputs])
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", config)
    places = {name: place for place, output in enumerate(compiled.outputs) for name in output.get_names()}

    def run(batch: NDArray[np.float32]) -> dict[str, Tensor]:
        found = compiled(batch)
        return {name: found[place] for name, place in places.items()}

    return run
