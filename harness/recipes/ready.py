"""A file from elsewhere as the model of a cell, run as it is. Its precision is read from its content, not its name.

A float `.onnx` can also stand where a checkpoint does: `float_graph` takes the place of the exported graph, and the
recipes that start from the exported graph quantize it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backends import feed
from harness.backends.base import described
from harness.core.errors import ConfigError, first_line
from harness.recipes import beside, graph_input, qdq
from harness.recipes.base import BuildInputs, Recipe, Table
from harness.recipes.graph_precision import EXECUTES, GraphPrecision, precision_of_ir, precision_of_onnx

SUFFIXES = (".onnx", ".xml", ".tflite", ".engine")
"""Suffixes of the files that can be run as they are, in small letters; files may have them in capitals too."""

AS_READ = "as read"
"""What a recipe stores and executes where only the file that it takes tells."""

_AS_READ = Recipe("ready:ir", "model.xml", AS_READ, AS_READ, "checkpoint", version=2, tools=("openvino",))

RECIPES: Table = {
    ("onnxruntime", "ready"): Recipe(
        "ready:onnx", "model.onnx", AS_READ, AS_READ, "checkpoint", version=2, tools=("onnx",)
    ),
    ("openvino", "ready"): _AS_READ,
    ("openvino", "ready:unsigned"): replace(_AS_READ, params={"unsigned": True}),
}

REASONS = {("torch", "ready"): "PyTorch runs checkpoints only; 'ready' is for .onnx, .xml, .tflite and .engine files"}

SOURCES = {
    "onnx file": Recipe("ready:float_graph", "model.onnx", "f32", "f32", "checkpoint", version=2, tools=("onnx",))
}


def float_graph(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take a float `.onnx` in place of the exported graph. Its input becomes that of an exported graph, too.

    Raises:
        ConfigError: the graph is not in float32, or `onnx` cannot take it.
    """
    import onnx

    model, image, precision = _taken(inputs)
    if precision.name != "fp32":
        raise ConfigError(
            f"{inputs.weights} is {precision.name} already and cannot be quantized again; "
            f"declare it with precisions='ready', and the model it was made from as Model(…, float='….pt')"
        )
    graph_input.standardize(model, image)
    onnx.save(model, folder / "model.onnx")
    return described({prop.key: prop.value for prop in model.metadata_props})


def ir(inputs: BuildInputs, folder: Path, unsigned: bool = False) -> dict[str, Any]:
    """Take an OpenVINO IR of any precision, an .xml with its .bin, or an ONNX graph, which is converted.

    Free dimensions of the input become the cell's. `unsigned` stores the signed activations of a Q/DQ graph in uint8,
    with equal values.

    Raises:
        ConfigError: the file has another suffix, cannot be read, or takes another input than the cell gives.
    """
    import openvino

    if inputs.weights.suffix.lower() == ".onnx":
        return _ir_of_onnx(inputs, folder, unsigned)
    _expect(inputs, ".xml")
    bin_file = beside.weights_of_ir(inputs.weights)
    if not bin_file.is_file():
        raise ConfigError(f"{bin_file} is missing: an OpenVINO IR is an .xml and its .bin")
    target = folder / "model.xml"
    shutil.copyfile(inputs.weights, target)
    shutil.copyfile(bin_file, folder / "model.bin")
    try:
        model = openvino.Core().read_model(target)
    except RuntimeError as error:
        why = beside.stand_in(inputs.weights) or f": {first_line(error)}"
        raise ConfigError(f"{inputs.weights} cannot be read as an OpenVINO IR{why}") from None
    image = graph_input.of_ir(model, str(inputs.weights))
    expect_input(inputs, image.shape)
    port = next(port for port in model.inputs if not image.name or image.name in port.get_names())
    if port.get_partial_shape().is_dynamic:
        model.reshape({port: list(image.fixed(inputs.shape))})
        openvino.save_model(model, folder / "fixed.xml", compress_to_fp16=False)
        del model, port  # they map the file that is replaced
        for suffix in (".xml", ".bin"):
            (folder / f"fixed{suffix}").replace(folder / f"model{suffix}")
        model = openvino.Core().read_model(target)
    return _read(precision_of_ir(model), _said_beside(inputs.weights), image.feed)


def adopt(
    inputs: BuildInputs,
    folder: Path,
    suffix: str,
    precision: str,
    said: Mapping[str, Any],
    fed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Take a file that the module of another toolchain has read.

    `precision` is what was read, `said` is the file's own metadata as `described` returns it, and `fed` is what its
    image input wants beyond its type and shape.

    Raises:
        ConfigError: the file has another suffix than `suffix`.
    """
    _expect(inputs, suffix)
    shutil.copyfile(inputs.weights, folder / f"model{suffix}")
    return _read(GraphPrecision(precision), said, fed or {})


def onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take an ONNX graph of any precision, and write it as one file with the weights that lie beside it.

    Free dimensions of the input become the cell's.

    Raises:
        ConfigError: the file has another suffix, cannot be read, lacks its weights, or takes another input than the
            cell gives.
    """
    import onnx

    model, image, precision = _taken(inputs)
    onnx.save(model, folder / "model.onnx")
    return _read(precision, described({prop.key: prop.value for prop in model.metadata_props}), image.feed)


def _taken(inputs: BuildInputs) -> tuple[Any, graph_input.ImageInput, GraphPrecision]:
    """The ONNX model of a cell with a fixed input, its image input, and its precision. Raises as `onnx` does."""
    _expect(inputs, ".onnx")
    try:
        model = beside.load_onnx(inputs.weights)
        if not model.graph.node:
            raise ValueError("there is no graph in it")
    except ConfigError:
        raise
    except Exception as error:  # from protobuf, onnx or the file system; all mean that the file is damaged
        why = beside.stand_in(inputs.weights) or f": {first_line(error)}"
        raise ConfigError(f"{inputs.weights} cannot be read as an ONNX graph{why}") from None
    qdq.fold_constants(model.graph)
    image = graph_input.of_onnx(model, str(inputs.weights))
    expect_input(inputs, image.shape)
    return _with_input(model, image.name, image.fixed(inputs.shape)), image, precision_of_onnx(model)


def _ir_of_onnx(inputs: BuildInputs, folder: Path, unsigned: bool) -> dict[str, Any]:
    """Convert an ONNX graph to an IR, with activations as they are or `unsigned`."""
    meta = onnx(inputs, folder)
    signed = qdq.to_ir(folder / "model.onnx", folder / "model.xml", unsigned)
    (folder / "model.onnx").unlink()
    if not signed:
        return meta
    note = (
        f"{signed} signed activations of {inputs.weights.name} are stored in uint8, with equal values"
        if unsigned
        else f"{signed} activations are signed int8, which OpenVINO has computed wrong on some machines; "
        f"precisions='ready:unsigned' runs them in uint8 with equal values"
    )
    return {**meta, "notes": [*meta.get("notes", []), note]}


def _with_input(model: Any, name: str, shape: tuple[int, ...]) -> Any:
    """Fix the input `name` of the model to one shape, and infer the shapes of all other tensors again.

    A model whose input has this shape is returned as it is.
    """
    import onnx

    graph = model.graph
    tensor = next(value for value in graph.input if value.name == name).type.tensor_type
    if [side.dim_value for side in tensor.shape.dim] == list(shape):
        return model
    del tensor.shape.dim[:]
    for side in shape:
        tensor.shape.dim.add().dim_value = side
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _read(precision: GraphPrecision, said: Mapping[str, Any], fed: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of an artifact that is run as it is."""
    notes = [*precision.notes]
    if fed.get("white") == 255:
        notes.append("the network divides by 255 itself: it is fed 0 to 255")
    read = {**said, "precision": precision.name, "executes": EXECUTES[precision.name]}
    return {**read, **({"feed": dict(fed)} if fed else {}), **({"notes": notes} if notes else {})}


def _said_beside(weights: Path) -> dict[str, Any]:
    """The metadata in the metadata.yaml that Ultralytics writes beside an IR, as `described` returns it."""
    import yaml

    try:
        said = yaml.safe_load((weights.parent / beside.NAMES).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        said = {}
    return described(said if isinstance(said, dict) else {})


def _expect(inputs: BuildInputs, suffix: str) -> None:
    """Raise ConfigError where the weights have another suffix."""
    if inputs.weights.suffix.lower() != suffix:
        raise ConfigError(f"{inputs.weights} is no {suffix} file, which this backend runs 'ready'")


def expect_input(inputs: BuildInputs, shape: Sequence[int | None]) -> None:
    """Compare the image input of a file with the input of the cell.

    `shape` is [N, 3, H, W] or [N, H, W, 3], None for a free side.

    Raises:
        ConfigError: they differ; the message says what to write in the suite.
    """
    feed.expect_shape(shape, inputs.shape, str(inputs.weights))
