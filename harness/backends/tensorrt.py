"""TensorRT 10 (from 10.1) and 11 on an NVIDIA GPU. Both build strongly typed networks, so one code serves both.

A call copies its batch into page-locked memory, uploads it, executes, downloads the outputs, all on one stream, and
waits. The harness clocks the whole call. CUDA events around the execution give the device's own time besides.
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

EXTRA = "tensorrt"  # the extra of quantgate that brings the runtime
MAGIC = b"ftrt"  # the first bytes of a serialized engine
GPU_ONLY = True  # the matrix turns device `cpu`, its default, into the first GPU, `cuda`
REFERENCE = "network.onnx"  # in assets/reference; compiled when it is opened


def probe(cell: Cell) -> str:
    """Return the version of the installed TensorRT.

    Raises:
        ConfigError: the device is none of `cuda` and `cuda:N`.
        Unavailable: something is missing. The line names everything that is, packages and GPU, so that nobody installs
            2 GB to learn that there is no GPU.
    """
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
    """Name what an engine is bound to, kind of GPU and version of TensorRT: `NVIDIA H200 sm_90 TensorRT 11.0.0`."""
    return f"{cuda.describe(cell.device)} TensorRT {require('tensorrt', EXTRA)}"


def load() -> None:
    """Import TensorRT."""
    import tensorrt  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> TensorRtSession:
    """Select the cell's GPU and load the engine, or compile the frozen network. `threads` does not matter on a GPU.

    Raises:
        Unavailable: the machine does not have the GPU.
        ConfigError: the engine cannot be read or loaded, or does not fit the cell.
    """
    cuda.select(cell.device)
    return TensorRtSession(artifact, cell)


def read_engine(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read an engine file: the metadata that Ultralytics writes before an engine, {} without, and the engine's bytes.

    The metadata is its length in 4 bytes, little endian, and then JSON.

    Raises:
        ConfigError: the file cannot be read, is cut short, or is no engine.
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
    """Return a `tensorrt.ILogger` that prints warnings and errors. Its `why` is the first line of the first error."""
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
    """Return the flags that make a network strongly typed. TensorRT 11 always is, and has deprecated the flag."""
    if int(trt.__version__.partition(".")[0]) >= 11:
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def compiled(path: Path) -> bytes:
    """Compile an ONNX graph for this GPU, in float32 without TF32.

    It is for the frozen network, whose engine is not cached: compiling it takes a second.

    Raises:
        ConfigError: TensorRT's parser does not take the graph.
        RuntimeError: TensorRT built no engine.
    """
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
    """An engine with one execution context, one stream, and a pair of buffers for every input and output.

    Raises as `open` does, and RuntimeError where TensorRT or CUDA fail.
    """

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
        # Nearly all of an engine's file is its weights. The context adds activations and scratch space.
        context = self._engine.device_memory_size_v2
        self._memory = len(plan) + context + sum(buffer.nbytes for buffer in self._buffers.values())
        self._stream = cuda.checked("cudaStreamCreate")
        self._start, self._end = cuda.checked("cudaEventCreate"), cuda.checked("cudaEventCreate")

    def _bind(self, cell: Cell) -> dict[str, cuda.Buffer]:
        """Allocate a buffer for every input and output, in the engine's order, and tell the context its address."""
        trt, engine, context = self._trt, self._engine, self._context
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if len(inputs) != 1:
            raise ConfigError(f"{cell}: the engine has {len(inputs)} inputs {inputs}; a detector has one, its images")
        (self._input,) = inputs
        wanted, taken = cell.shape, tuple(engine.get_tensor_shape(self._input))
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
                kind = engine.get_tensor_dtype(name)
                raise ConfigError(f"{cell}: {name} is {kind}, a type that NumPy does not have") from None
            buffers[name] = cuda.Buffer(tuple(context.get_tensor_shape(name)), dtype)
            context.set_tensor_address(name, buffers[name].device)
        return buffers

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Copy `batch` to the GPU, execute, copy the outputs back and wait. They lie in the session's buffers.

        Raises:
            ValueError: the batch is of another shape than the engine takes.
            RuntimeError: TensorRT or CUDA fail.
        """
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
        """Milliseconds between the events around the last call's execution, without copies and the host's work."""
        return float(cuda.checked("cudaEventElapsedTime", self._start, self._end))

    def device_memory_bytes(self) -> int:
        """Bytes of weights, activations, scratch space and buffers. CUDA's own context is not counted."""
        return int(self._memory)

    def executed(self) -> dict[str, int]:
        """Count in the report of the engine inspector, by the work of the graph's nodes that the build has noted."""
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context  # it knows the dynamic shapes
        report = inspector.get_engine_information(self._trt.LayerInformationFormat.JSON)
        return trt_layers.executed(report, self._work)

    def close(self) -> None:
        """Free the events, the stream and the buffers, then the context, the engine and the runtime."""
        for event in (self._start, self._end):
            cuda.checked("cudaEventDestroy", event)
        cuda.checked("cudaStreamDestroy", self._stream)
        for buffer in self._buffers.values():
            buffer.free()
        del self._context, self._engine, self._runtime  # each needs the next one
