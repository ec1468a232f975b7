"""Tensors inside a built network: run it and read them, or run only what is behind them.

Exporters, ONNX Runtime's quantizer and NNCF keep the names of tensors, so the float graph and what became of it can be
compared name by name. On runtimes whose files keep no names there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor

Tap = Callable[[NDArray[np.float32]], dict[str, Tensor]]  # batch → tensors by name
READABLE = ("onnxruntime", "openvino")


def tap(backend: str, path: str, tensors: Sequence[str]) -> Tap:
    """Runs the network on one thread and gives these tensors too, beside its outputs; those it lacks are left out.

    Raises:
        KeyError: the backend's files keep no names.
    """
    return {"onnxruntime": _onnx_tap, "openvino": _openvino_tap}[backend](path, tensors)


class Hybrid:
    """A session: the trunk of a built network up to `boundary`, and behind it the head of the float graph."""

    def __init__(self, backend: str, path: str, float_graph: str, boundary: Sequence[str]) -> None:
        import onnx

        self._trunk, self._boundary = tap(backend, path, boundary), list(boundary)
        model = onnx.shape_inference.infer_shapes(onnx.load(float_graph))
        outputs = [output.name for output in model.graph.output]
        head = onnx.utils.Extractor(model).extract_model(self._boundary, outputs)
        self._head, self._outputs = _session(head), outputs

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        found = self._trunk(batch)
        return tuple(self._head.run(self._outputs, {name: found[name] for name in self._boundary}))

    def executed(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self._trunk, self._head


def output_shapes(float_graph: str) -> list[tuple[int, ...]]:
    """Of the outputs of an ONNX graph, in its order."""
    import onnx

    outputs = onnx.load(float_graph, load_external_data=False).graph.output
    return [tuple(d.dim_value for d in output.type.tensor_type.shape.dim) for output in outputs]


def boundary(float_graph: str) -> list[str]:
    """The tensors that the detection head of a float graph reads."""
    import onnx

    from harness.recipes.onnx import head_nodes

    graph = onnx.load(float_graph).graph
    head = head_nodes(graph)
    producers = {tensor: node.name for node in graph.node for tensor in node.output}
    read = {tensor for node in graph.node if node.name in head for tensor in node.input if tensor in producers}
    return sorted(tensor for tensor in read if producers[tensor] not in head)


def convolutions(float_graph: str) -> dict[str, tuple[str, str]]:
    """Name of each convolution → the tensor it reads and the one it writes, in the order of the graph."""
    import onnx

    nodes = [node for node in onnx.load(float_graph).graph.node if node.op_type == "Conv"]
    return {node.name: (node.input[0], node.output[0]) for node in nodes}


def _session(model: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _onnx_tap(path: str, tensors: Sequence[str]) -> Tap:
    import onnx

    model = onnx.load(path)
    written = {tensor for node in model.graph.node for tensor in node.output}
    known = {output.name for output in model.graph.output}
    for name in tensors:
        if name in written - known:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = _session(model)
    (given, *_) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, {given.name: batch}), strict=True))


def _openvino_tap(path: str, tensors: Sequence[str]) -> Tap:
    import openvino

    core = openvino.Core()
    model = core.read_model(Path(path))
    known = {name for op in model.get_ops() for output in op.outputs() for name in output.get_names()}
    own = {name for output in model.outputs for name in output.get_names()}
    model.add_outputs([name for name in tensors if name in known - own])
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", config)
    names: list[Mapping[str, int]] = [dict.fromkeys(output.get_names(), i) for i, output in enumerate(compiled.outputs)]

    def run(batch: NDArray[np.float32]) -> dict[str, Tensor]:
        found = compiled(batch)
        return {name: found[i] for i, several in enumerate(names) for name in several}

    return run
