"""ONNX graph → what ONNX Runtime runs: float16 storage, static int8, dynamic int8.

Static int8 has unsigned activations and signed weights per channel (U8S8) in QDQ format. U8S8 suits CPUs with VNNI;
with AVX2 alone its sums can saturate. Not only convolutions are quantized but also the element-wise operators between
them, so that tensors stay in int8 from one convolution to the next. Two parts stay in float: the stem, whose three and
sixteen channels are slower and coarser in int8, and the detection head. RECIPES.md, beside this file, has the
measurements.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ConfigError
from harness.recipes import ranges
from harness.recipes.base import EXPORT, BuildInputs, Recipe, Table
from harness.recipes.feeding import onnxruntime_of, takes_bgr_bytes
from harness.recipes.opset import raised
from harness.recipes.parts import QUANTIZED, module_of, name_nodes, trunk
from harness.tasks.decode import prepare
from harness.tasks.preprocess import normalize

TOOLS = (*EXPORT, "onnxruntime")


def _static(method: str) -> Recipe:
    """The recipe of static int8 with activation ranges by `method`."""
    params = {"method": method}
    return Recipe("onnx:static_int8", "model.onnx", "i8", "i8", params=params, calibrated=True, version=2, tools=TOOLS)


RECIPES: Table = {
    ("onnxruntime", "fp32"): Recipe("onnx:copy", "model.onnx", "f32", "f32", tools=EXPORT),
    ("onnxruntime", "fp16"): Recipe("onnx:float16", "model.onnx", "f16", "f32", tools=TOOLS),
    ("onnxruntime", "int8"): _static("mse"),
    ("onnxruntime", "int8:minmax"): _static("minmax"),
    ("onnxruntime", "int8:entropy"): _static("entropy"),
    ("onnxruntime", "int8:percentile"): _static("percentile"),
    ("onnxruntime", "int8-dynamic"): Recipe("onnx:dynamic_int8", "model.onnx", "i8", "i8", tools=TOOLS),
}

REASONS = {("onnxruntime", "bf16"): "ONNX Runtime's CPU provider has no bfloat16 convolution kernels"}


NOT_MEASURED = (
    "the int8 recipe was chosen on Ultralytics' YOLOs and not measured on this family; look at its drop, or take "
    "OpenVINO's int8 (docs/recipes.md)"
)
"""Note on a cell whose graph is not from Ultralytics' exporter."""


def copy(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Copy the source graph as it is; the runtime optimizes it on load."""
    shutil.copyfile(inputs.source, folder / "model.onnx")
    return {}


def float16(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Convert weights and activations to float16; inputs and outputs stay float32. A CPU executes it by casting."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(str(inputs.source)), keep_io_types=True)
    onnx.save(model, folder / "model.onnx")
    return {}


def dynamic_int8(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Store weights in uint8; the runtime computes activation ranges at every call (dynamic range)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # ConvInteger has CPU kernels for unsigned weights only.
    quantize_dynamic(
        str(inputs.source),
        folder / "model.onnx",
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        weight_type=QuantType.QUInt8,
    )
    return {}


def static_int8(
    inputs: BuildInputs, folder: Path, overrides: Mapping[str, Any] | None = None, method: str = "mse"
) -> dict[str, Any]:
    """Quantize the trunk to U8S8 per channel, with activation ranges by `method`, a name in `ranges.METHODS`.

    `overrides` gives quantization parameters that are known before, as ONNX Runtime's `TensorQuantOverrides`.

    Raises:
        ConfigError: the graph has no trunk, or an activation is not finite.
    """
    import onnx

    model = prepared(inputs.source, folder, str(inputs.weights))
    nodes = trunk(model)
    if not nodes:
        raise ConfigError(f"{inputs.weights} has no convolutions between stem and head: nothing to quantize")
    batches, number = _batches(inputs, model)
    histograms = ranges.collect(model, activations(model, nodes), batches, lambda done: inputs.advance(done, number))
    reach = activation_ranges(model, histograms, method)
    onnx.save(quantized(model, nodes, reach, overrides), folder / "model.onnx")
    return {} if any(module_of(name) is not None for name in nodes) else {"notes": [NOT_MEASURED]}


def prepared(source: Path, folder: Path, name: str = "") -> Any:
    """The model with constants folded and the shape of every tensor known, as ONNX Runtime's quantizer wants it.

    Nodes without a name get one, because the quantizer chooses nodes by name.

    Args:
        source: the .onnx file; its opset is raised where it has no scales per channel.
        folder: for temporary files.
        name: of the user's file, for messages.

    Raises:
        ConfigError: the opset cannot be raised.
    """
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path = folder / "prepared.onnx"
    newer = raised(source, folder, name or source.name)
    quant_pre_process(str(newer), str(path), skip_symbolic_shape=True)
    model = load_model_with_shape_infer(path)
    for used in {path, newer} - {source}:
        used.unlink()
    name_nodes(model.graph)
    return model


def activations(model: Any, nodes: Sequence[str]) -> list[str]:
    """Names of the float tensors that `nodes` read or write, without outputs of Sigmoid, whose range is known."""
    import onnx

    graph, wanted = model.graph, set(nodes)
    floats = {
        value.name
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    } - {weight.name for weight in graph.initializer}
    bounded = {node.output[0] for node in graph.node if node.op_type == "Sigmoid"}
    used = {name for node in graph.node if node.name in wanted for name in (*node.input, *node.output)}
    return sorted((used & floats) - bounded)


def activation_ranges(model: Any, histograms: Mapping[str, ranges.Histogram], method: str) -> dict[str, ranges.Range]:
    """The range of every tensor in `histograms` by `method`, and of the outputs of Sigmoid.

    The method `mse` takes the error of a tensor that enters a SiLU behind the SiLU.
    """
    sigmoids = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Sigmoid"}
    enters_silu: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Mul":  # SiLU(x) is exported as Mul(x, Sigmoid(x))
            enters_silu |= {sigmoids[name] for name in node.input if name in sigmoids and sigmoids[name] in node.input}
    found: dict[str, ranges.Range] = dict.fromkeys(sigmoids, (0.0, 1.0))
    for name, histogram in histograms.items():
        curved = method == "mse" and name in enters_silu
        found[name] = ranges.mse(histogram, _silu) if curved else ranges.METHODS[method](histogram)
    return found


def quantized(
    model: Any, nodes: Sequence[str], reach: Mapping[str, ranges.Range], overrides: Mapping[str, Any] | None = None
) -> Any:
    """A copy of `model` with `nodes` between QuantizeLinear and DequantizeLinear, by the ranges `reach` of its tensors.

    `overrides` is as in `static_int8`.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    ends = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in reach.items()
    }
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    quantizer = QDQQuantizer(
        copied,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ends),
        nodes_to_quantize=list(nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=list(QUANTIZED),
        extra_options={"TensorQuantOverrides": dict(overrides or {})},
    )
    quantizer.quantize_model()
    return quantizer.model.model


def _silu(values: ranges.Floats) -> ranges.Floats:
    """x · sigmoid(x)."""
    curved: ranges.Floats = values / (1 + np.exp(-values))
    return curved


def _batches(inputs: BuildInputs, model: Any) -> tuple[Iterator[NDArray[np.float32]], int]:
    """The calibration images in whole batches as the network takes them, and the number of batches."""
    assert inputs.calibration is not None
    pixels = np.load(inputs.calibration, mmap_mode="r")
    shapes = [tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in model.graph.output]
    bgr_bytes = takes_bgr_bytes(inputs, shapes, onnxruntime_of(model))
    starts = range(0, len(pixels) - inputs.batch + 1, inputs.batch)
    return (prepare(normalize(pixels[at : at + inputs.batch]), bgr_bytes) for at in starts), len(starts)
