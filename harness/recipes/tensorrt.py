"""ONNX graph → TensorRT engine, on TensorRT 10 and 11 alike: strongly typed, so that every type is as in the graph.

TensorRT 11 knows no other way: it has no builder flags for fp16 and int8, and no calibrator. TensorRT 10 has to be
asked. So the graph sets the precision: float32, float16 inside, or ModelOpt's Q/DQ graph with float16 around what is
quantized, as ModelOpt itself prepares graphs for TensorRT. Graphs are built without a GPU, and the int8 ones are scored
without one as `int8:tensorrt` of ONNX Runtime. Only `fp32:tf32` uses TF32, TensorRT's default for float32, which rounds
the inputs of convolutions to 10 bits.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backends.base import described
from harness.core.errors import ConfigError
from harness.core.files import write_bytes
from harness.recipes import modelopt
from harness.recipes.base import Advance, BuildInputs, Recipe, Table
from harness.recipes.onnx import TOOLS
from harness.recipes.parts import in_branch, module_of
from harness.recipes.ready import AS_READ
from harness.recipes.ready import onnx as adopt_onnx

HALF, HALF_PTQ, HALF_QAT = "half onnx", "half modelopt", "half qat"
ENGINE = "model.engine"
PRECISIONS = {"i8": "int8", "f16": "fp16", "bf16": "bf16", "f32": "fp32", "tf32": "fp32"}
"""Numeric type that most of a ready engine's work executes in → name of its precision."""


def _engine(stored: str, executes: str, source: str = "onnx", tools: tuple[str, ...] = ()) -> Recipe:
    """The recipe of an engine that is compiled from the graph `source`."""
    params = {"tf32": executes == "tf32"}
    return Recipe("tensorrt:engine", ENGINE, stored, executes, source, params, tools=tools, compiled=True)


RECIPES: Table = {
    ("tensorrt", "fp32"): _engine("f32", "f32"),
    ("tensorrt", "fp32:tf32"): _engine("f32", "tf32"),
    ("tensorrt", "fp16"): _engine("f16", "f16", HALF),
    ("tensorrt", "int8"): _engine("i8", "i8", HALF_PTQ, tools=modelopt.TOOLS),
    ("tensorrt", "int8-qat"): _engine("i8", "i8", HALF_QAT, tools=modelopt.TOOLS),
    ("tensorrt", "ready"): Recipe("tensorrt:ready", ENGINE, AS_READ, AS_READ, "checkpoint", version=2, compiled=True),
    # For scoring, not for speed: ONNX Runtime is fast only where the outputs of convolutions are quantized as well.
    ("onnxruntime", "int8:tensorrt"): Recipe("onnx:copy", "model.onnx", "i8", "f32", HALF_PTQ, tools=modelopt.TOOLS),
    ("onnxruntime", "int8-qat:tensorrt"): Recipe(
        "onnx:copy", "model.onnx", "i8", "f32", HALF_QAT, tools=modelopt.TOOLS
    ),
}

REASONS = {
    ("tensorrt", "bf16"): "this version of quantgate has no bf16 recipe for TensorRT; fp16 is as fast and more precise",
    ("tensorrt", "int8-dynamic"): "TensorRT has no dynamic quantization of convolutions",
    ("tensorrt", "w8a16"): "TensorRT has no convolutions of 16-bit integers",
}

SOURCES = {
    HALF: Recipe("tensorrt:half", "model.onnx", "f16", "f16", tools=TOOLS),
    HALF_PTQ: Recipe("tensorrt:half", "model.onnx", "i8", "i8", "modelopt", tools=TOOLS),
    HALF_QAT: Recipe("tensorrt:half", "model.onnx", "i8", "i8", "qat", tools=TOOLS),
}


def half(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Convert float32 to float16, except at both ends and in the decoding. Q/DQ pairs stay, with scales in float16."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = onnx.load(str(inputs.source))
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node) and model.opset_import[0].version < 19:
        model = onnx.version_converter.convert_version(model, 19)  # the first version with scales in float16
    model = convert_float_to_float16(model, keep_io_types=True, node_block_list=_decoding(model))
    _keep_float(model.graph)
    OnnxModel(model).topological_sort()  # the converter appends its casts at the end
    onnx.save(model, folder / "model.onnx")
    return {}


def _keep_float(graph: Any) -> None:
    """Undo the casts to float16 and back that the converter puts between two nodes that both stay in float."""
    from onnx import TensorProto

    def casts(to: int) -> list[Any]:
        return [node for node in graph.node if node.op_type == "Cast" and node.attribute[0].i == to]

    rounded = {node.output[0]: node.input[0] for node in casts(TensorProto.FLOAT16)}
    back = {node.output[0]: rounded[node.input[0]] for node in casts(TensorProto.FLOAT) if node.input[0] in rounded}
    ends = {value.name for value in graph.output}
    renamed = {name: origin for name, origin in back.items() if name not in ends}
    renamed |= {origin: name for name, origin in back.items() if name in ends}  # outputs keep their names
    for node in [node for node in graph.node if node.output[0] in back]:
        graph.node.remove(node)
    for node in graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                name = renamed.get(name, name)
                names[number] = renamed.get(name, name)
    used = ends | {name for node in graph.node for name in node.input}
    for node in [node for node in graph.node if node.op_type == "Cast" and node.output[0] not in used]:
        graph.node.remove(node)


def _decoding(model: Any) -> list[str]:
    """Names of the head's nodes outside its branches of convolutions. At 640 pixels float16 has steps of 0.5."""
    modules = {node.name: module_of(node.name) for node in model.graph.node}
    head = max((number for number in modules.values() if number is not None), default=-1)
    return [name for name, number in modules.items() if number == head and not in_branch(name)]


def engine(inputs: BuildInputs, folder: Path, tf32: bool) -> dict[str, Any]:
    """Compile `inputs.source` for the GPU that the cell runs on; the metadata gets the `work` of each node.

    Raises:
        ConfigError: TensorRT has no operator for a node of the graph.
        RuntimeError: TensorRT builds no engine.
    """
    import tensorrt as trt

    from harness.backends import cuda, tensorrt

    cuda.select(inputs.device)
    log = tensorrt.logger()
    builder = trt.Builder(log)
    network = builder.create_network(tensorrt.strongly_typed(trt))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(inputs.source)):
        raise ConfigError(f"TensorRT {trt.__version__} cannot compile {inputs.weights.name}: {_first_error(parser)}")
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # lets the engine tell what it executes
    if not tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    config.progress_monitor = _monitor(inputs.advance)  # a build takes minutes on a small device
    _use_timings(config, inputs.timings)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError(f"TensorRT {trt.__version__} built no engine of {inputs.weights.name}: {log.why}")
    (folder / ENGINE).write_bytes(plan)
    _keep_timings(config, inputs.timings)
    return {"work": dict(_work(inputs.source))}


def _monitor(advance: Advance) -> Any:
    """A tensorrt.IProgressMonitor that reports steps to `advance`. Several threads of the builder call it."""
    import tensorrt as trt

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.done = self.total = 0
            self.lock = threading.Lock()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self.lock:
                self.total += num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self.lock:
                self.done += 1
                advance(self.done, max(self.done, self.total))
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            """Do nothing: the steps of the phase were counted."""

    return Monitor()


def _first_error(parser: Any) -> str:
    """The first error of a tensorrt.OnnxParser in one line, with its node."""
    if not parser.num_errors:
        return "its parser gave no reason"
    error = parser.get_error(0)
    (said, *_) = error.desc().strip().splitlines() or ["no message"]
    return f"{said} (node {error.node_name()!r}, operator {error.node_operator()})"


def _use_timings(config: Any, path: Path | None) -> None:
    """Start from the timings in `path`, or from none where they are damaged or of another TensorRT or GPU."""
    for timings in (_intact(path), b""):
        cache = config.create_timing_cache(timings)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def _intact(path: Path | None) -> bytes:
    """The timings of a file, b"" where they do not fit the digest before them: damaged ones may crash TensorRT."""
    if path is None or not path.exists():
        return b""
    content = path.read_bytes()
    return content[32:] if hashlib.sha256(content[32:]).digest() == content[:32] else b""


def _keep_timings(config: Any, path: Path | None) -> None:
    """Write the timings of earlier builds and of this one, after their SHA-256 digest."""
    if path is not None:
        timings = bytes(config.get_timing_cache().serialize())
        write_bytes(path, hashlib.sha256(timings).digest() + timings, "--qg-cache-dir")


def _work(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the node name and the multiply-accumulates of each convolution and matrix product of a graph."""
    import onnx

    from harness.backends import macs

    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path)), data_prop=True).graph
    shapes = {constant.name: list(constant.dims) for constant in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
            first, second, output = (shapes[name] for name in (*node.input[:2], node.output[0]))
            if node.op_type == "Conv":
                yield node.name, macs.convolution(second, output, second[0])
            elif node.op_type == "ConvTranspose":
                yield node.name, macs.transposed_convolution(second, first)
            else:
                yield node.name, macs.matmul(first, output)


def ready(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take an engine from elsewhere, or compile an ONNX graph from elsewhere in the types that it has.

    The metadata that Ultralytics writes before an engine is cut off. The engine's precision is named after the type
    that most of its work executes in. Raises as `engine` and `ready.onnx` do.
    """
    from harness.backends import tensorrt
    from harness.core.cell import Cell
    from harness.core.measurement import Artifact

    if inputs.weights.suffix.lower() == ".onnx":
        graph = folder / "model.onnx"
        read = adopt_onnx(inputs, folder)
        made = engine(replace(inputs, source=graph), folder, tf32=False)
        graph.unlink()
        kinds = {name: kind for kind, name in PRECISIONS.items() if kind != "tf32"}
        return {**made, **read, "executes": kinds.get(read["precision"], "unknown")}
    metadata, plan = tensorrt.read_engine(inputs.weights)
    (folder / ENGINE).write_bytes(plan)
    cell = Cell(inputs.weights.stem, "ready", "tensorrt", inputs.device, inputs.imgsz, inputs.batch)
    session = tensorrt.open(Artifact(str(folder / ENGINE), "", 0), cell, 1)
    work = session.executed()
    session.close()
    most = max(work, key=lambda kind: work[kind], default="unknown")
    return {**described(metadata), "precision": PRECISIONS.get(most, "unknown"), "executes": most}
