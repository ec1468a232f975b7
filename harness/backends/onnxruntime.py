"""ONNX Runtime on its CPU provider, with the runtime's default graph optimizations."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import feed, macs
from harness.backends.base import Tensor, require, require_cpu
from harness.core.cell import Cell
from harness.core.errors import Unavailable
from harness.core.measurement import Artifact

PROVIDERS = {"cpu": "CPUExecutionProvider"}  # device of a cell → the one provider that it runs on
CONVOLUTIONS = ("Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger")
PRODUCTS = (
    "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "QLinearMatMul", "QGemm", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
)  # fmt: skip
NUMPY = {"tensor(float)": "float32", "tensor(double)": "float64"}  # the types that NumPy calls otherwise
TYPES = {"float": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "i8", "uint8": "i8", "int16": "i16"}
REFERENCE = "network.onnx"  # in assets/reference


def probe(cell: Cell) -> str:
    """Return the version of the installed ONNX Runtime. Raises Unavailable for a device other than the CPU."""
    require_cpu(cell)
    return require("onnxruntime")


def load() -> None:
    """Import ONNX Runtime."""
    import onnxruntime  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> OrtSession:
    """Open an ONNX graph for the cell's batch and image size. Raises as `OrtSession` does."""
    return OrtSession(artifact.path, PROVIDERS[cell.device], threads, cell.shape, artifact.meta.get("feed", {}))


class OrtSession:
    """An `onnxruntime.InferenceSession` on exactly one provider.

    Raises:
        Unavailable: this build of ONNX Runtime does not have the provider, and would take another one.
        ConfigError: the graph takes something else than images, or images of a type that quantgate does not feed.
    """

    def __init__(
        self, path: str, provider: str, threads: int, shape: tuple[int, int, int, int], said: Mapping[str, Any]
    ) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self._path, self._provider, self._shape = path, provider, shape
        self._session = self._create(threads)
        if self._session.get_providers()[0] != provider:
            raise Unavailable(f"onnxruntime has no {provider}; it offers {onnxruntime.get_available_providers()}")
        inputs = [
            feed.NetworkInput(one.name, dtype_name(one.type), tuple(feed.side(length) for length in one.shape) or None)
            for one in self._session.get_inputs()
        ]
        self._feed = feed.feed_of(inputs[feed.image_input(inputs, path)], path, said)

    def _create(self, threads: int, profile: str = "") -> Any:
        """An InferenceSession on `threads` threads; with `profile` it writes a profile to files of that prefix."""
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors alone: a user can do nothing about the graph optimizer's warnings
        if profile:
            options.enable_profiling = True
            options.profile_file_prefix = profile
            options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights have no shape
        return self._ort.InferenceSession(self._path, options, providers=[self._provider])

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the graph on `batch`, converted first where the graph takes it otherwise."""
        return tuple(self._session.run(None, {self._feed.name: self._feed(batch)}))

    def executed(self) -> dict[str, int]:
        """Count in the profile of one call, which lists every kernel that ran with the types and shapes of its inputs.

        The profile comes from a second session on one thread, because profiling cannot be switched on later. Blocked
        memory layouts round channels up, so a float32 graph may count a percent more than its int8 sibling.
        """
        with tempfile.TemporaryDirectory() as folder:
            session = self._create(1, profile=str(Path(folder, "profile")))
            session.run(None, {self._feed.name: self._feed(np.zeros(self._shape, np.float32))})
            events = json.loads(Path(session.end_profiling()).read_text())
        counts: Counter[str] = Counter()
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                counts.update(_macs(event["args"]))
        return dict(counts)

    def close(self) -> None:
        """Drop the InferenceSession, which frees its memory and its threads."""
        del self._session


def dtype_name(kind: str) -> str:
    """Return NumPy's name for a type of ONNX Runtime: `tensor(uint8)` → `uint8`."""
    return NUMPY.get(kind, kind.removeprefix("tensor(").removesuffix(")"))


def _macs(kernel: dict[str, Any]) -> dict[str, int]:
    """Multiply-accumulates of one profiled kernel by numeric type; empty for other operators.

    The kernel computes in the type of its first input. `DynamicQuantizeMatMul` is the exception: it quantizes a float
    input itself, and multiplies in int8.
    """
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
    """The shape of the first output; the profile lists each output as {type: shape}."""
    return next(iter(outputs[0].values()))
