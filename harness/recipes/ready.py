"""A file from elsewhere as the model of a cell, run as it is. Its precision is read from its content, not its name.

A float `.onnx` can also stand where a checkpoint does: `float_graph` takes the place of the exported graph, and the
recipes that start from the exported graph quantize it.
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
"""Suffixes of the files that can be run as they are."""

EXECUTES = {"fp32": "f32", "fp16": "f32", "int8": "i8", "int8-dynamic": "i8", "w8": "f32", "w8a16": "i16"}
"""Precision of a file → numeric type that its convolutions should run in on a CPU.

`w8` is int8 weights with float arithmetic.
"""

AS_READ = "as read"
"""What a recipe stores and executes where only the file that it takes tells."""

RECIPES: Table = {
    ("onnxruntime", "ready"): Recipe("ready:onnx", "model.onnx", AS_READ, AS_READ, "checkpoint", tools=("onnx",)),
    ("openvino", "ready"): Recipe("ready:ir", "model.xml", AS_READ, AS_READ, "checkpoint", tools=("openvino",)),
}

REASONS = {("torch", "ready"): "PyTorch runs checkpoints only; 'ready' is for .onnx, .xml, .tflite and .engine files"}

SOURCES = {"onnx file": Recipe("ready:float_graph", "model.onnx", "f32", "f32", "checkpoint", tools=("onnx",))}


def float_graph(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take a float `.onnx` in place of the exported graph.

    Raises:
        ConfigError: the graph is not in float32, or `onnx` cannot take it.
    """
    meta = onnx(inputs, folder)
    if meta["precision"] != "fp32":
        raise ConfigError(
            f"{inputs.weights} is {meta['precision']} already and cannot be quantized again; "
            f"declare it with precisions='ready'"
        )
    return {name: value for name, value in meta.items() if name not in ("precision", "executes")}


def ir(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take an OpenVINO IR of any precision, an .xml with its .bin, or an ONNX graph, which is converted.

    Free dimensions of the input become the cell's.

    Raises:
        ConfigError: the file has another suffix, cannot be read, or takes another input than the cell gives.
    """
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
        model.reshape(list(inputs.shape))
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    else:
        for suffix in (".xml", ".bin"):
            shutil.copyfile(inputs.weights.with_suffix(suffix), folder / f"model{suffix}")
    return _read(_precision_of_ir(model), _said_beside(inputs.weights))


def adopt(inputs: BuildInputs, folder: Path, suffix: str, precision: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Take a file that the module of another toolchain has read.

    `precision` is what was read, and `said` is the file's own metadata as `described` returns it.

    Raises:
        ConfigError: the file has another suffix than `suffix`.
    """
    _expect(inputs, suffix)
    shutil.copyfile(inputs.weights, folder / f"model{suffix}")
    return _read(precision, said)


def onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take an ONNX graph of any precision, and write it as one file with its external data.

    Free dimensions of the input become the cell's.

    Raises:
        ConfigError: the file has another suffix, cannot be read, keeps weights in a file with a name that quantgate
            does not know, or takes another input than the cell gives.
    """
    import onnx

    _expect(inputs, ".onnx")
    try:
        model = onnx.load(str(inputs.weights), load_external_data=False)
        _expect_weights_beside(inputs.weights, model.graph)
        onnx.load_external_data_for_model(model, str(inputs.weights.parent))
        taken = model.graph.input[0].type.tensor_type.shape.dim  # an IndexError where nothing could be parsed
    except ConfigError:
        raise
    except Exception as error:  # from protobuf, onnx or the file system; all mean that the file is damaged
        raise ConfigError(f"{inputs.weights} cannot be read as an ONNX graph: {first_line(error)}") from None
    shape = [dim.dim_value or None for dim in taken]
    expect_input(inputs, shape)
    qdq.fold_constants(model.graph)
    if None in shape:
        model = _with_input(model, inputs.shape)
    onnx.save(model, folder / "model.onnx")
    return _read(_precision_of_onnx(model), described({prop.key: prop.value for prop in model.metadata_props}))


def _expect_weights_beside(path: Path, graph: Any) -> None:
    """Raise ConfigError where weights lie in a file that is not in `BESIDE`: the artifact's key would not cover it."""
    known = [f"{path.stem}{suffix}" for suffix in BESIDE[".onnx"]]
    for tensor in graph.initializer:
        places = [entry.value for entry in tensor.external_data if entry.key == "location"]
        if places and places[0] not in known:
            raise ConfigError(f"{path} keeps weights in {places[0]!r}; save it as one file, or name that {known[0]!r}")


def _with_input(model: Any, shape: tuple[int, ...]) -> Any:
    """Fix the input of the model to one shape, and infer the shapes of all other tensors again."""
    import onnx

    graph = model.graph
    for dim, side in zip(graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = side
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _read(precision: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of an artifact that is run as it is."""
    return {**said, "precision": precision, "executes": EXECUTES[precision]}


def _precision_of_onnx(model: Any) -> str:
    """The precision of an ONNX graph, from its operators and the types of its weights.

    Weights are the constants of more than one dimension. Scales and biases have one at most, and do not tell.
    """
    from onnx import TensorProto

    graph = model.graph
    operators = {node.op_type for node in graph.node}
    types = {constant.name: constant.data_type for constant in graph.initializer}
    if operators & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}:
        return "int8-dynamic"
    zero_points = [types.get(n.input[2]) for n in graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2]
    if operators & {"QuantizeLinear", "QLinearConv"}:
        wide = sum(kind in (TensorProto.UINT16, TensorProto.INT16) for kind in zero_points)
        return "w8a16" if wide > len(zero_points) / 2 else "int8"
    weights = [constant for constant in graph.initializer if len(constant.dims) > 1]
    bytes_stored = any(constant.data_type in (TensorProto.UINT8, TensorProto.INT8) for constant in weights)
    if "DequantizeLinear" in operators and bytes_stored:
        return "w8"
    halves = sum(constant.data_type == TensorProto.FLOAT16 for constant in weights)
    return "fp16" if halves > len(weights) / 2 else "fp32"


def _precision_of_ir(model: Any) -> str:
    """The precision of an OpenVINO IR, from its operators and the types of its constants."""
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
    """The metadata in the metadata.yaml that Ultralytics writes beside an IR, as `described` returns it."""
    import yaml

    try:
        said = yaml.safe_load((weights.parent / "metadata.yaml").read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        said = {}
    return described(said if isinstance(said, dict) else {})


def _expect(inputs: BuildInputs, suffix: str) -> None:
    """Raise ConfigError where the weights have another suffix."""
    if inputs.weights.suffix != suffix:
        raise ConfigError(f"{inputs.weights} is no {suffix} file, which this backend runs 'ready'")


def expect_input(inputs: BuildInputs, shape: Sequence[int | None]) -> None:
    """Compare the input `shape` of a file, in which None is a free dimension, with the input of the cell.

    Raises:
        ConfigError: they differ.
    """
    wanted = inputs.shape
    if len(shape) != 4 or any(have not in (None, want) for have, want in zip(shape, wanted, strict=False)):
        said = "×".join("?" if side is None else str(side) for side in shape)
        fed = "×".join(map(str, wanted))
        raise ConfigError(f"{inputs.weights} takes an input of {said}, the suite feeds {fed}; set imgsz and batch")


def _dimension(dimension: Any) -> int | None:
    """The length of an OpenVINO dimension, None for a free one."""
    return None if dimension.is_dynamic else int(dimension.get_length())
