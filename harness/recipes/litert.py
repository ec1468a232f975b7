"""PyTorch module → LiteRT: converted in float by litert-torch, quantized by ai-edge-quantizer.

The int8 recipe was chosen on training images that were not used for calibration (RECIPES.md):

- The decoding stays in float, because one scale over box pixels (0–640) and class scores (0–1) would round every score
  to zero. The last convolution of every branch stays in float too, so that class logits and box distances are not
  rounded either. Together they are 2–3 % of the arithmetic.
- The matrix products of attention stay in float. XNNPACK does not take them in int8, and LiteRT's own kernel for them
  took a quarter of yolo11n's time and two fifths of yolo26n's. So does their softmax, because int8 has steps of 1/256
  for 400 probabilities of about 1/400.
- The range of a tensor is the mean, over the calls, of the extremes that each call reached. The range of what enters a
  SiLU begins at −8: SiLU(−8) = −0.003, while the input of a SiLU reaches −190. That doubles the resolution of such
  tensors at best, and costs nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from harness.backends import litert as backend
from harness.core.errors import ConfigError
from harness.recipes import export, ready
from harness.recipes.base import BuildInputs, Recipe, Table

CONVERT = ("ultralytics", "torch", "litert-torch")
"""Distributions whose version shapes the converted float model."""

QUANTIZE = (*CONVERT, "ai-edge-quantizer")
"""Distributions whose version shapes a quantized model."""

ENTRY = "model.tflite"

SOURCES = {"tflite": Recipe("litert:convert", ENTRY, "f32", "f32", "checkpoint", tools=CONVERT)}
"""The converted float model, which every other precision of this backend is made from."""

RECIPES: Table = {
    ("litert", "fp32"): Recipe("litert:copy", ENTRY, "f32", "f32", "tflite", tools=CONVERT),
    ("litert", "fp16"): Recipe("litert:float16", ENTRY, "f16", "f32", "tflite", tools=QUANTIZE),
    ("litert", "int8"): Recipe(
        "litert:static", ENTRY, "i8", "i8", "tflite", {"activations": 8}, calibrated=True, tools=QUANTIZE
    ),
    ("litert", "w8a16"): Recipe(
        "litert:static", ENTRY, "i8", "i16", "tflite", {"activations": 16}, calibrated=True, tools=QUANTIZE
    ),
    ("litert", "int8-dynamic"): Recipe("litert:dynamic_int8", ENTRY, "i8", "i8", "tflite", tools=QUANTIZE),
    ("litert", "ready"): Recipe(
        "litert:adopt", ENTRY, ready.AS_READ, ready.AS_READ, "checkpoint", tools=("ai-edge-litert",)
    ),
}

REASONS = {
    ("litert", "bf16"): "LiteRT's CPU kernels have no bfloat16 convolution, and ai-edge-quantizer writes none",
    ("litert", "int8-qat"): (
        "litert-torch converts no fake quantization of ModelOpt's, and ai-edge-quantizer reads no learned ranges"
    ),
}

DECODING = r"^serving_default_output|\.head\.\w+(;|/ultralytics\.nn\.modules\.block\.DFL)"
LAST = r"\.head\.\w+/(torch\.nn\.modules\.container\.Sequential_\d+/)?torch\.nn\.modules\.conv\.Conv2d_"
ATTENTION = r"_attn;"
"""Regular expressions for scopes, the names of operators: decoding, last convolutions of the branches, attention.

An operator is named after the modules that it comes from. A `;` follows a module whose own code makes the operator, a
`/` follows a module that contains the next one. The operator that makes an output of the model has the output's name;
in a raw YOLO it joins boxes and scores.
"""

SILU_FLOOR = np.float32(-8)
"""Lower end of the range of every tensor that enters a SiLU."""


def convert(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Trace and lower the fused module, with static shape and with inputs and outputs as in PyTorch."""
    import litert_torch
    import torch

    module, meta = export.fused(inputs)
    image = torch.zeros(inputs.shape)
    module(image)  # the head computes its anchors for this size and keeps them, so that they become constants
    litert_torch.convert(module, (image,)).export(str(folder / ENTRY))
    return meta


def copy(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Copy the converted model: it is what fp32 runs."""
    shutil.copyfile(inputs.source, folder / ENTRY)
    return {}


def float16(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Store weights in float16. A CPU converts them to float32 when it loads the model."""
    from ai_edge_quantizer import qtyping, quantizer

    making = quantizer.Quantizer(str(inputs.source))
    making.add_weight_only_config(
        ".*", qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16, algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING
    )
    making.quantize().export_model(str(folder / ENTRY))
    return {}


def dynamic_int8(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Store weights in int8 per channel; the runtime computes activation ranges at every call (dynamic range)."""
    from ai_edge_quantizer import quantizer, recipe

    making = quantizer.Quantizer(str(inputs.source), recipe.dynamic_wi8_afp32())
    making.quantize().export_model(str(folder / ENTRY))
    return {}


def static(inputs: BuildInputs, folder: Path, activations: int) -> dict[str, Any]:
    """Quantize weights to int8 per channel and activations to 8 or 16 bits; input and output stay float32.

    16 bits have enough resolution for the widest range that was seen, and for every operator but the decoding.
    """
    from ai_edge_quantizer import qtyping, quantizer

    ops = qtyping.TFLOperationName
    everything = ops.ALL_SUPPORTED
    wide = activations == 16
    making = quantizer.Quantizer(str(inputs.source))
    making.add_static_config(".*", everything, activations, 8)
    in_float = [(".*", ops.INPUT), (".*", ops.OUTPUT), (DECODING, everything)]
    if not wide:
        in_float += [(".*", ops.BATCH_MATMUL), (".*", ops.SOFTMAX), (ATTENTION, everything), (LAST, everything)]
    for scope, kind in in_float:
        making.update_quantization_recipe(scope, kind, algorithm_key=quantizer.AlgorithmName.NO_QUANTIZE)
    making.quantize(_ranges(inputs, wide)).export_model(str(folder / ENTRY))
    return {}


def adopt(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Take a `.tflite` file from elsewhere, of any precision that the backend opens.

    Raises:
        ConfigError: the file is no `.tflite`, or its input has another shape than the cell's.
    """
    read = backend.inspect(inputs.weights)
    shape = read["input"]
    ready.expect_input(inputs, (shape[0], shape[3], *shape[1:3]) if backend.channels_last(shape) else shape)
    return ready.adopt(inputs, folder, ".tflite", read["precision"], read["said"])


def _ranges(inputs: BuildInputs, widest: bool) -> dict[str, Any]:
    """Ranges by tensor as ai-edge-quantizer takes them: `min` and `max`, over the calibration images.

    `widest`: the extremes of all calls; otherwise the mean of the extremes of each call, cut by `_through_silu`.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    observer = calibrator.Calibrator(
        str(inputs.source),
        num_threads=1,
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=min_max_update if widest else _sum,
    )
    signature, inputs_of = next(iter(observer._tfl_interpreter.get_signature_list().items()))
    calls = 0
    for batch in inputs.batches():
        observer.calibrate({signature: [{inputs_of["inputs"][0]: batch}]}, recipe_manager.RecipeManager())
        calls += 1
    ranges: dict[str, Any] = observer.get_model_qsvs()
    for name, ends in ranges.items():
        if not all(np.isfinite(end).all() for end in ends.values()):
            raise ConfigError(f"an activation is infinite or not a number ({name}); is the checkpoint sound?")
    if widest:
        return ranges
    means = {name: {end: total[end] / calls for end in ("min", "max")} for name, total in ranges.items()}
    return _through_silu(inputs, means)


def _sum(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Add the extremes of one call of a tensor to the sums of the calls before it."""
    return {end: before[end] + now[end] for end in ("min", "max")}


def _through_silu(inputs: BuildInputs, ranges: dict[str, Any]) -> dict[str, Any]:
    """Raise the lower end of what enters a sigmoid to `SILU_FLOOR`, in place: below it, SiLU and scores are flat."""
    from ai_edge_litert.interpreter import Interpreter

    for name, (entering, *_), _ in backend.operators(Interpreter(str(inputs.source))):
        if name == "LOGISTIC":
            ends = ranges[entering["name"]]
            ends["min"] = np.maximum(ends["min"], SILU_FLOOR)
    return ranges
