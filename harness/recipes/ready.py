"""A file from elsewhere as the model of a cell, run as it is; its precision is read from it, not from its name.

A float `.onnx` can also stand where a checkpoint does: `float_graph` takes the place of the exported graph, and the
recipes of ONNX Runtime and OpenVINO quantize it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.backends.base import described
from harness.core.errors import ConfigError, first_line
from harness.recipes import qdq
from harness.recipes.base import BESIDE, BuildInputs, Recipe, Table

SUFFIXES = (".onnx", ".xml", ".tflite", ".engine")
EXECUTES = {"fp32": "f32", "fp16": "f32", "int8": "i8", "int8-dynamic": "i8", "w8": "f32", "w8a16": "i16"}
"""Precision read from a file → type its convolutions should run in on a CPU. `w8`: int8 weights, float arithmetic."""

AS_READ = "as read"

RECIPES: Table = {
    ("onnxruntime", "ready"): Recipe("ready:onnx", "model.onnx", AS_READ, AS_READ, "checkpoint", tools=("onnx",)),
    ("openvino", "ready"): Recipe("ready:ir", "model.xml", AS_READ, AS_READ, "checkpoint", tools=("openvino",)),
}

REASONS = {("torch", "ready"): "PyTorch runs checkpoints only; 'ready' is for .onnx, .xml, .tflite and .engine files"}

SOURCES = {"onnx file": Recipe("ready:float_graph", "model.onnx", "f32", "f32", "checkpoint", tools=("onnx",))}


def float_graph(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """An ONNX graph that recipes quantize, and that must not be quantized already."""
    meta = onnx(inputs, folder)
    if meta["precision"] != "fp32":
        raise ConfigError(
            f"{inputs.weights} is {meta['precision']} already and cannot be quantized again; "
            f"declare it with precisions='ready'"
        )
    return {name: value for name, value in meta.items() if name not in ("precision", "executes")}


def ir(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """An OpenVINO IR of any precision (.xml with its .bin, or the folder that holds them), or an ONNX graph."""
    import openvino

    if inputs.weights.suffix == ".onnx":
        meta = onnx(inputs, folder)
        qdq.to_ir(folder / "model.onnx", folder / "model.xml")
        (folder / "model.onnx").unlink()
        return meta
    _expect(inputs, ".xml")
    if not inputs.weights.with_suffix(".bin").is_file():
        raise ConfigError(f"{inputs.weights.with_suffix('.bin')} is missing: an OpenVINO IR is an .xml and its .bin")
    try:
        model = openvino.Core().read_model(inputs.weights)
    except RuntimeError as error:
        raise ConfigError(f"{inputs.weights} cannot be read as an OpenVINO IR: {first_line(error)}") from None
    shape = [_dimension(d) for d in model.input(0).get_partial_shape()]
    expect_input(inputs, shape)
    if None in shape:
        model.reshape([inputs.batch, 3, inputs.imgsz, inputs.imgsz])
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    else:
        for suffix in (".xml", ".bin"):
            shutil.copyfile(inputs.weights.with_suffix(suffix), folder / f"model{suffix}")
    return _read(_precision_of_ir(model), _said_beside(inputs.weights))


def adopt(inputs: BuildInputs, folder: Path, suffix: str, precision: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a file that another toolchain's module has read, with what it says of itself, as of `described`."""
    _expect(inputs, suffix)
    shutil.copyfile(inputs.weights, folder / f"model{suffix}")
    return _read(precision, said)


def onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """An ONNX graph of any precision as one file: external data folded in, free dimensions as the cell feeds them."""
    import onnx

    _expect(inputs, ".onnx")
    try:
        model = onnx.load(str(inputs.weights), load_external_data=False)
        _expect_weights_beside(inputs.weights, model.graph)
        onnx.load_external_data_for_model(model, str(inputs.weights.parent))
        taken = model.graph.input[0].type.tensor_type.shape.dim  # an IndexError where nothing was parsed
    except ConfigError:
        raise
    except Exception as error:  # protobuf's, onnx's and the file system's; all mean the same
        raise ConfigError(f"{inputs.weights} cannot be read as an ONNX graph: {first_line(error)}") from None
    shape = [dim.dim_value or None for dim in taken]
    expect_input(inputs, shape)
    qdq.fold_constants(model.graph)
    if None in shape:
        model = _with_input(model, (inputs.batch, 3, inputs.imgsz, inputs.imgsz))
    onnx.save(model, folder / "model.onnx")
    return _read(_precision_of_onnx(model), described({prop.key: prop.value for prop in model.metadata_props}))


def _expect_weights_beside(path: Path, graph: Any) -> None:
    """Weights in other files count only where the artifact's key sees them change."""
    known = [f"{path.stem}{suffix}" for suffix in BESIDE[".onnx"]]
    for tensor in graph.initializer:
        places = [entry.value for entry in tensor.external_data if entry.key == "location"]
        if places and places[0] not in known:
            raise ConfigError(f"{path} keeps weights in {places[0]!r}; save it as one file, or name that {known[0]!r}")


def _with_input(model: Any, shape: tuple[int, ...]) -> Any:
    """The graph for batches of one shape; what it gives is worked out anew."""
    import onnx

    graph = model.graph
    for dim, side in zip(graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = side
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _read(precision: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {**said, "precision": precision, "executes": EXECUTES[precision]}


def _precision_of_onnx(model: Any) -> str:
    """From the operators and the types of the weights.

    Weights are the constants of more than one dimension that a convolution or matrix product reaches, directly or
    through DequantizeLinear; scales and biases say nothing about the precision.
    """
    graph = model.graph
    operators = {node.op_type for node in graph.node}
    types = {constant.name: constant.data_type for constant in graph.initializer}
    if operators & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}:
        return "int8-dynamic"
    zero_points = [types.get(n.input[2]) for n in graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2]
    if operators & {"QuantizeLinear", "QLinearConv"}:
        wide = sum(kind in (4, 5) for kind in zero_points)  # onnx.TensorProto.UINT16, INT16
        return "w8a16" if wide > len(zero_points) / 2 else "int8"
    weights = [constant for constant in graph.initializer if len(constant.dims) > 1]
    if "DequantizeLinear" in operators and any(constant.data_type in (2, 3) for constant in weights):  # UINT8, INT8
        return "w8"
    halves = sum(constant.data_type == 10 for constant in weights)  # FLOAT16
    return "fp16" if halves > len(weights) / 2 else "fp32"


def _precision_of_ir(model: Any) -> str:
    """From the operators and the types of the constants."""
    operations = model.get_ops()
    kinds = [
        op.get_element_type().get_type_name()
        for op in operations
        if op.get_type_name() == "Constant" and len(op.get_output_shape(0)) > 2
    ]
    if any(op.get_type_name() == "FakeQuantize" for op in operations):
        return "int8"
    for kind, precision in (("i8", "w8"), ("u8", "w8"), ("f16", "fp16")):
        if kinds.count(kind) > len(kinds) / 2:
            return precision
    return "fp32"


def _said_beside(weights: Path) -> dict[str, Any]:
    """From the metadata.yaml that Ultralytics writes into an export's folder."""
    import yaml

    try:
        said = yaml.safe_load((weights.parent / "metadata.yaml").read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        said = {}
    return described(said if isinstance(said, dict) else {})


def _expect(inputs: BuildInputs, suffix: str) -> None:
    if inputs.weights.suffix != suffix:
        raise ConfigError(f"{inputs.weights} is no {suffix} file, which this backend runs 'ready'")


def expect_input(inputs: BuildInputs, shape: Sequence[int | None]) -> None:
    """The file's input against the cell's; None is a free dimension."""
    wanted = (inputs.batch, 3, inputs.imgsz, inputs.imgsz)
    if len(shape) != 4 or any(have not in (None, want) for have, want in zip(shape, wanted, strict=False)):
        said = "×".join("?" if side is None else str(side) for side in shape)
        fed = "×".join(map(str, wanted))
        raise ConfigError(f"{inputs.weights} takes an input of {said}, the suite feeds {fed}; set imgsz and batch")


def _dimension(dimension: Any) -> int | None:
    return None if dimension.is_dynamic else int(dimension.get_length())
