"""ONNX Runtime on its CPU provider, with the runtime's default graph optimizations."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor, require, require_cpu
from harness.errors import Unavailable
from harness.types import Artifact, Cell

PROVIDERS = {"cpu": "CPUExecutionProvider"}
FLOAT = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "ConvTranspose")
INTEGER = ("QLinearConv", "ConvInteger", "MatMulInteger", "QLinearMatMul", "QGemm", "DynamicQuantizeMatMul")
ELEMENT = {1: "f32", 10: "f16", 16: "bf16"}  # onnx.TensorProto.DataType


def probe(cell: Cell) -> str:
    require_cpu(cell)
    return require("onnxruntime")


def load() -> None:
    import onnxruntime  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> OrtSession:
    return OrtSession(artifact.path, PROVIDERS[cell.device], threads)


class OrtSession:
    """An InferenceSession on exactly one provider; an absent provider is an error, not another provider."""

    def __init__(self, path: str, provider: str, threads: int) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self._path, self._provider = path, provider
        self._session = self._create(threads)
        if self._session.get_providers()[0] != provider:
            raise Unavailable(f"onnxruntime has no {provider}; it offers {onnxruntime.get_available_providers()}")
        self._input = self._session.get_inputs()[0].name

    def _create(self, threads: int, save_to: str = "") -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors: the warnings of the graph optimizer are not the user's business
        if save_to:
            options.optimized_model_filepath = save_to
        return self._ort.InferenceSession(self._path, options, providers=[self._provider])

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        return tuple(self._session.run(None, {self._input: batch}))

    def executed(self) -> dict[str, int]:
        """Counted in the optimized graph, which is what the provider's kernels execute."""
        import onnx

        with tempfile.TemporaryDirectory() as folder:
            optimized = str(Path(folder, "optimized.onnx"))
            self._create(1, save_to=optimized)
            model = onnx.load(optimized, load_external_data=False)
        types = {i.name: i.data_type for i in model.graph.initializer}
        counts: dict[str, int] = {}
        for node in model.graph.node:
            kind = None
            if node.op_type in INTEGER:
                kind = "i8"
            elif node.op_type in FLOAT:
                weight = next((types[name] for name in node.input if name in types), 1)
                kind = ELEMENT.get(weight, "f32")
            if kind:
                counts[kind] = counts.get(kind, 0) + 1
        return counts

    def close(self) -> None:
        del self._session
