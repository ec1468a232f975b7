"""OpenVINO on the CPU.

The execution precision is always stated: by default, OpenVINO runs a float32 model in bf16 on a CPU that has bf16.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import feed, macs
from harness.backends.base import Tensor, require, require_cpu
from harness.core.cell import Cell
from harness.core.errors import Unsupported
from harness.core.measurement import Artifact
from harness.machine.fingerprint import cpu_flags

CONVOLUTIONS = ("Convolution", "GroupConvolution")
PRODUCTS = ("MatMul", "FullyConnected", "Gemm")
NUMBER = re.compile("([fiu])(8|16|32|64)")  # the types of OpenVINO that NumPy has too; not bf16, u4, f8e4m3
NUMPY = {"f": "float", "i": "int", "u": "uint"}
REFERENCE = "network.onnx"  # in assets/reference


def probe(cell: Cell) -> str:
    """Return the version of the installed OpenVINO.

    Raises:
        Unavailable: OpenVINO is not installed, or the cell's device is not the CPU.
        Unsupported: the cell is bf16, and this CPU does not have bf16 instructions.
    """
    require_cpu(cell)
    if cell.family == "bf16" and not {"avx512_bf16", "amx_bf16"} & cpu_flags():
        raise Unsupported("this CPU has no bf16 instructions (avx512_bf16 or amx_bf16)")
    return require("openvino", extra="openvino")


def load() -> None:
    """Import OpenVINO."""
    import openvino  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> OpenVinoSession:
    """Compile the model for the CPU: one stream on `threads` threads, in bf16 for a bf16 cell and else in float32.

    Raises:
        ConfigError: the model takes something else than images, or images of a type that quantgate does not feed.
    """
    import openvino

    core = openvino.Core()
    config = {
        "INFERENCE_PRECISION_HINT": "bf16" if cell.family == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return OpenVinoSession(
        core.compile_model(artifact.path, "CPU", config), artifact.path, artifact.meta.get("feed", {})
    )


class OpenVinoSession:
    """A compiled model with one inference request."""

    def __init__(self, compiled: Any, path: str, said: Mapping[str, Any]) -> None:
        import openvino

        inputs = [described_port(port) for port in compiled.inputs]
        self._input = feed.image_input(inputs, path)
        self._feed = feed.feed_of(inputs[self._input], path, said)

        self._tensor = openvino.Tensor
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._outputs = range(len(compiled.outputs))

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the model on `batch` and return views of the request's output tensors.

        The batch is not copied where the model takes it as it is.
        """
        self._given = self._feed(batch)  # the tensor only points to it
        self._request.set_input_tensor(self._input, self._tensor(self._given, shared_memory=True))
        self._request.infer()
        return tuple(self._request.get_output_tensor(i).data for i in self._outputs)

    def executed(self) -> dict[str, int]:
        """Count in the execution graph, whose kernels' names end in the type they compute in (`brgconv_avx512_I8`).

        The graph's `runtimePrecision` would not do. It is the type of the input, so it says f16 of a float32 kernel
        that reads f16 weights.
        """
        counts: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ops():
            info = node.get_rt_info()
            kind = info["primitiveType"].astype(str).rpartition("_")[2].lower()
            counts[kind] += _macs(info["layerType"].astype(str), node)
        return {kind: count for kind, count in counts.items() if count}

    def close(self) -> None:
        """Drop the inference request and the compiled model."""
        del self._request, self._compiled


def described_port(port: Any) -> feed.NetworkInput:
    """An input of a model or a compiled model, as OpenVINO describes it."""
    kind = port.get_element_type().get_type_name()
    number = NUMBER.fullmatch(kind)
    dtype = NUMPY[number[1]] + number[2] if number else kind
    partial = port.get_partial_shape()
    shape = None if partial.rank.is_dynamic else tuple(_side(length) for length in partial)
    return feed.NetworkInput(port.get_any_name() if port.get_names() else "", dtype, shape)


def _side(length: Any) -> int | None:
    """The length of a side, None for a free one."""
    return None if length.is_dynamic else int(length.get_length())


def _macs(layer: str, node: Any) -> int:
    """Multiply-accumulates of a node of the execution graph; 0 for a layer of any kind but convolution and product."""
    if layer in CONVOLUTIONS:
        output = node.get_output_shape(0)
        return macs.convolution(node.get_input_shape(1), output, output[1])
    if layer == "Deconvolution":
        return macs.transposed_convolution(node.get_input_shape(1), node.get_input_shape(0))
    if layer in PRODUCTS:
        return macs.matmul(node.get_input_shape(0), node.get_output_shape(0))
    return 0
