"""ONNX Runtime on its CPU provider, with the runtime's default graph optimizations."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import macs
from harness.backends.base import Tensor, require, require_cpu
from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable
from harness.core.measurement import Artifact

PROVIDERS = {"cpu": "CPUExecutionProvider"}
CONVOLUTIONS = ("Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger")
PRODUCTS = (
    "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "QLinearMatMul", "QGemm", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
)  # fmt: skip
INPUTS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
TYPES = {"float": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "i8", "uint8": "i8", "int16": "i16"}
REFERENCE = "network.onnx"  # of `references.py`


def probe(cell: Cell) -> str:
    require_cpu(cell)
    return require("onnxruntime")


def load() -> None:
    import onnxruntime  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> OrtSession:
    return OrtSession(artifact.path, PROVIDERS[cell.device], threads, (cell.batch, 3, cell.imgsz, cell.imgsz))


class OrtSession:
    """An InferenceSession on exactly one provider; an absent provider is an error, not another provider."""

    def __init__(self, path: str, provider: str, threads: int, shape: tuple[int, ...]) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self._path, self._provider, self._shape = path, provider, shape
        self._session = self._create(threads)
        if self._session.get_providers()[0] != provider:
            raise Unavailable(f"onnxruntime has no {provider}; it offers {onnxruntime.get_available_providers()}")
        (first, *_) = self._session.get_inputs()
        if first.type not in INPUTS:
            raise ConfigError(f"{path} takes {first.type}; quantgate feeds one of {', '.join(INPUTS)}")
        self._input, self._dtype = first.name, INPUTS[first.type]

    def _create(self, threads: int, profile: str = "") -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors: the warnings of the graph optimizer are not the user's business
        if profile:
            options.enable_profiling, options.profile_file_prefix = True, profile
            options.add_session_config_entry("session.disable_prepacking", "1")  # a packed weight has no shape
        return self._ort.InferenceSession(self._path, options, providers=[self._provider])

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        return tuple(self._session.run(None, {self._input: batch.astype(self._dtype, copy=False)}))

    def executed(self) -> dict[str, int]:
        """Counted in the profile of one call: every kernel that ran, with the types and shapes it was given.

        Blocked layouts round channels up: a float32 graph may count a percent more than its int8 sibling.
        """
        with tempfile.TemporaryDirectory() as folder:
            session = self._create(1, profile=str(Path(folder, "profile")))
            session.run(None, {self._input: np.zeros(self._shape, self._dtype)})
            events = json.loads(Path(session.end_profiling()).read_text())
        counts: Counter[str] = Counter()
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                counts.update(_macs(event["args"]))
        return dict(counts)

    def close(self) -> None:
        del self._session


def _macs(kernel: dict[str, Any]) -> dict[str, int]:
    """Multiply-accumulates of a profiled kernel by its type; empty where it is no convolution or matrix product."""
    name = kernel["op_name"]
    given = [(kind, shape) for argument in kernel["input_type_shape"] for kind, shape in argument.items()]
    if name in CONVOLUTIONS:
        weight = next((shape for _, shape in given[1:] if len(shape) > 2), None)
        if weight is None:
            return {}
        count = macs.convolution(weight, _shape(kernel["output_type_shape"]), weight[0])
    elif name == "ConvTranspose":
        count = macs.transposed_convolution(given[1][1], given[0][1])
    elif name in PRODUCTS:
        count = macs.matmul(given[0][1], _shape(kernel["output_type_shape"]))
    else:
        return {}
    kind = given[0][0]
    return {"i8" if name == "DynamicQuantizeMatMul" else TYPES.get(kind, kind): count}


def _shape(outputs: list[dict[str, list[int]]]) -> list[int]:
    return next(iter(outputs[0].values()))
