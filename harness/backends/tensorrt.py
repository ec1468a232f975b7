"""TensorRT 10.1 and later, and 11, on an NVIDIA GPU. Both build strongly typed networks, so one code serves both.

A call copies its batch into page-locked memory, uploads, executes and downloads on one stream, and waits: what the
harness clocks is the whole of it. CUDA events around the execution give the device's own time beside that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import cuda, trt_layers
from harness.backends.base import Tensor, require
from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable
from harness.core.measurement import Artifact

EXTRA = "tensorrt"
MAGIC = b"ftrt"  # how a serialized engine begins
GPU_ONLY = True  # cells of device `cpu`, the default of a matrix, are cells of the first GPU, `cuda`
REFERENCE = "network.onnx"  # of `references.py`


def probe(cell: Cell) -> str:
    """Everything that is missing in one line, so that nobody installs 2 GB to learn that there is no GPU."""
    cuda.ordinal(cell.device)
    found: dict[str, str] = {}
    missing = []
    for distribution in ("tensorrt", cuda.BINDING):
        try:
            found[distribution] = require(distribution, EXTRA)
        except Unavailable as error:
            missing.append(str(error))
    if cuda.BINDING in found and (reason := cuda.why_absent(cell.device)):
        missing.append(reason)
    if missing:
        raise Unavailable("; ".join(missing))
    return found["tensorrt"]


def hardware(cell: Cell) -> str:
    """What an engine is good for, a kind of GPU and the version that built it: `NVIDIA H200 sm_90 TensorRT 11.0.0`."""
    return f"{cuda.describe(cell.device)} TensorRT {require('tensorrt', EXTRA)}"


def load() -> None:
    import tensorrt  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> TensorRtSession:
    cuda.select(cell.device)
    return TensorRtSession(artifact, cell)


def read_engine(path: Path) -> tuple[dict[str, Any], bytes]:
    """The metadata that Ultralytics writes before an engine (length in 4 bytes, JSON; {} without), and the engine.

    Raises:
        ConfigError: the file is cut short, or it is no engine.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"engine {path} cannot be read: {error.strerror}") from None
    if content.startswith(MAGIC):
        return {}, content
    length = int.from_bytes(content[:4], "little")
    header, engine = content[4 : 4 + length], content[4 + length :]
    if not header.startswith(b"{"):
        raise ConfigError(f"{path} is no TensorRT engine: it begins with neither {MAGIC.decode()!r} nor metadata")
    if not engine.startswith(MAGIC):
        raise ConfigError(f"engine {path} is cut short: {len(content)} bytes, of which {length} should be metadata")
    try:
        metadata: dict[str, Any] = json.loads(header)
    except ValueError:
        raise ConfigError(f"engine {path}: its metadata is damaged (no JSON)") from None
    return metadata, engine


def logger() -> Any:
    """A tensorrt.ILogger: warnings and errors go to the process's log, the errors are kept for messages."""
    import tensorrt as trt

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if int(severity) <= int(trt.ILogger.Severity.WARNING):
                print(f"TensorRT: {message}", flush=True)
            if int(severity) <= int(trt.ILogger.Severity.ERROR):
                self.errors.append(message.strip().partition("\n")[0])

        @property
        def why(self) -> str:
            return self.errors[0] if self.errors else "TensorRT gave no reason"

    return Log()


def strongly_typed(trt: Any) -> int:
    """Flags of a network. TensorRT 11 is always strongly typed and has deprecated the flag; 10 is asked for it."""
    if int(trt.__version__.partition(".")[0]) >= 11:
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def compiled(path: Path) -> bytes:
    """An engine of the frozen network of `references.py`, for this GPU; a second's work, so nobody keeps it."""
    import tensorrt as trt

    log = logger()
    builder = trt.Builder(log)
    network = builder.create_network(strongly_typed(trt))
    if not trt.OnnxParser(network, log).parse_from_file(str(path)):
        raise ConfigError(f"TensorRT {trt.__version__} cannot compile {path.name}: {log.why}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError(f"TensorRT {trt.__version__} built no engine of {path.name}: {log.why}")
    return bytes(plan)


class TensorRtSession:
    """One execution context with buffers of its own, on one stream."""

    def __init__(self, artifact: Artifact, cell: Cell) -> None:
        import tensorrt as trt

        self._trt, self._log, self._work = trt, logger(), artifact.meta.get("work", {})
        path = Path(artifact.path)
        plan = compiled(path) if path.suffix == ".onnx" else read_engine(path)[1]
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ConfigError(
                f"{cell}: TensorRT {trt.__version__} cannot load {artifact.path} on {cuda.describe(cell.device)}: "
                f"{self._log.why}; an engine runs only on the kind of GPU and by the version that built it"
            )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise RuntimeError(f"TensorRT created no execution context: {self._log.why}")
        self._buffers = self._bind(cell)
        # An engine's file is its weights but for a little; the context adds activations and scratch space.
        context = self._engine.device_memory_size_v2
        self._memory = len(plan) + context + sum(buffer.nbytes for buffer in self._buffers.values())
        self._stream = cuda.checked("cudaStreamCreate")
        self._start, self._end = cuda.checked("cudaEventCreate"), cuda.checked("cudaEventCreate")

    def _bind(self, cell: Cell) -> dict[str, cuda.Buffer]:
        """A buffer for every input and output, in the engine's order, its address known to the context."""
        trt, engine, context = self._trt, self._engine, self._context
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if len(inputs) != 1:
            raise ConfigError(f"{cell}: the engine has {len(inputs)} inputs {inputs}; a detector has one, its images")
        (self._input,) = inputs
        wanted, taken = (cell.batch, 3, cell.imgsz, cell.imgsz), tuple(engine.get_tensor_shape(self._input))
        if not (context.set_input_shape(self._input, wanted) if -1 in taken else taken == wanted):
            raise ConfigError(
                f"{cell}: the engine takes images {list(taken)} and the cell gives {list(wanted)}; "
                "declare imgsz= and batch= as it was built"
            )
        buffers = {}
        for name in names:
            try:
                dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
            except TypeError:
                raise ConfigError(f"{cell}: {name} is {engine.get_tensor_dtype(name)}, which NumPy has not") from None
            buffers[name] = cuda.Buffer(tuple(context.get_tensor_shape(name)), dtype)
            context.set_tensor_address(name, buffers[name].device)
        return buffers

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        images = self._buffers[self._input]
        if batch.shape != images.host.shape:  # NumPy would repeat a single image over the batch
            raise ValueError(f"the engine takes {images.host.shape}, not {batch.shape}")
        np.copyto(images.host, batch, casting="same_kind")
        images.upload(self._stream)
        cuda.checked("cudaEventRecord", self._start, self._stream)
        if not self._context.execute_async_v3(int(self._stream)):
            raise RuntimeError(f"TensorRT did not execute: {self._log.why}")
        cuda.checked("cudaEventRecord", self._end, self._stream)
        outputs = [buffer for name, buffer in self._buffers.items() if name != self._input]
        for buffer in outputs:
            buffer.download(self._stream)
        cuda.checked("cudaStreamSynchronize", self._stream)
        return tuple(buffer.host for buffer in outputs)

    def device_ms(self) -> float:
        """Milliseconds between the events around the last call's execution: no copies, nothing of the host."""
        return float(cuda.checked("cudaEventElapsedTime", self._start, self._end))

    def device_memory_bytes(self) -> int:
        """Weights, the context's activations and scratch space, and the buffers; CUDA's own context is not in it."""
        return int(self._memory)

    def executed(self) -> dict[str, int]:
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context  # dynamic shapes are those of this context
        report = inspector.get_engine_information(self._trt.LayerInformationFormat.JSON)
        return trt_layers.executed(report, self._work)

    def close(self) -> None:
        for event in (self._start, self._end):
            cuda.checked("cudaEventDestroy", event)
        cuda.checked("cudaStreamDestroy", self._stream)
        for buffer in self._buffers.values():
            buffer.free()
        del self._context, self._engine, self._runtime  # in this order
