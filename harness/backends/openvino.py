"""OpenVINO on the CPU. The execution precision is stated, or a CPU with bf16 would run "fp32" in bf16."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import macs
from harness.backends.base import Tensor, require, require_cpu
from harness.core.cell import Cell
from harness.core.errors import Unsupported
from harness.core.measurement import Artifact
from harness.machine.fingerprint import cpu_flags

CONVOLUTIONS = ("Convolution", "GroupConvolution")
PRODUCTS = ("MatMul", "FullyConnected", "Gemm")
REFERENCE = "network.onnx"  # of `references.py`


def probe(cell: Cell) -> str:
    require_cpu(cell)
    if cell.family == "bf16" and not {"avx512_bf16", "amx_bf16"} & cpu_flags():
        raise Unsupported("this CPU has no bf16 instructions (avx512_bf16 or amx_bf16)")
    return require("openvino", extra="openvino")


def load() -> None:
    import openvino  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> OpenVinoSession:
    import openvino

    core = openvino.Core()
    config = {
        "INFERENCE_PRECISION_HINT": "bf16" if cell.family == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return OpenVinoSession(core.compile_model(artifact.path, "CPU", config))


class OpenVinoSession:
    """One compiled model with one inference request."""

    def __init__(self, compiled: Any) -> None:
        import openvino

        self._tensor = openvino.Tensor
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._outputs = range(len(compiled.outputs))

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        self._request.set_input_tensor(self._tensor(batch, shared_memory=True))
        self._request.infer()
        return tuple(self._request.get_output_tensor(i).data for i in self._outputs)

    def executed(self) -> dict[str, int]:
        """Read from the execution graph: the kernel's name ends in the type it computes in (`brgconv_avx512_I8`).

        Not `runtimePrecision`, which is the type of the input: it says f16 of a float32 kernel that reads f16 weights.
        """
        counts: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ops():
            info = node.get_rt_info()
            kind = info["primitiveType"].astype(str).rpartition("_")[2].lower()
            counts[kind] += _macs(info["layerType"].astype(str), node)
        return {kind: count for kind, count in counts.items() if count}

    def close(self) -> None:
        del self._request, self._compiled


def _macs(layer: str, node: Any) -> int:
    """Multiply-accumulates of a node of the execution graph; 0 for what is neither convolution nor matrix product."""
    if layer in CONVOLUTIONS:
        output = node.get_output_shape(0)
        return macs.convolution(node.get_input_shape(1), output, output[1])
    if layer == "Deconvolution":
        return macs.transposed_convolution(node.get_input_shape(1), node.get_input_shape(0))
    if layer in PRODUCTS:
        return macs.matmul(node.get_input_shape(0), node.get_output_shape(0))
    return 0
