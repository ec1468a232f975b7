"""PyTorch module → LiteRT: float by litert-torch, quantized by ai-edge-quantizer.

What the int8 recipe keeps in float, and the ranges it takes, were chosen on training images that were not used for
calibration (RECIPES.md):

- the decoding, because one scale over box pixels (0–640) and class scores (0–1) rounds every score away, and the last
  convolution of every branch, so that logits and box distances are not rounded either: 2–3 % of the arithmetic;
- the products of attention, which XNNPACK does not take in int8 (LiteRT's own kernel for them took a quarter of
  yolo11n's time and two fifths of yolo26n's), and their softmax, whose int8 has steps of 1/256 for 400 probabilities
  of about 1/400;
- ranges are the mean over calls of what each call reached, and what enters a SiLU begins at −8 (SiLU(−8) = −0.003,
  where activations before it reach −190): up to twice the resolution for nothing.
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
QUANTIZE = (*CONVERT, "ai-edge-quantizer")
ENTRY = "model.tflite"

SOURCES = {"tflite": Recipe("litert:convert", ENTRY, "f32", "f32", "checkpoint", tools=CONVERT)}
"""The float model that every precision is made from."""

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
"""Scopes: operators are named after the modules that they come from, those of a module itself end in `;`.
The operator that makes an output has the output's name: of raw YOLO the one that joins boxes and scores."""

SILU_FLOOR = np.float32(-8)


def convert(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Trace and lower the fused module; static shape, input and output as in PyTorch."""
    import litert_torch
    import torch

    module, meta = export.fused(inputs)
    image = torch.zeros(inputs.batch, 3, inputs.imgsz, inputs.imgsz)
    module(image)  # the head keeps the anchors of the size it has seen, and they become constants
    litert_torch.convert(module, (image,)).export(str(folder / ENTRY))
    return meta


def copy(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """fp32 is the converted model itself."""
    shutil.copyfile(inputs.source, folder / ENTRY)
    return {}


def float16(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Weights in float16; a CPU widens them when it loads the model."""
    from ai_edge_quantizer import qtyping, quantizer

    making = quantizer.Quantizer(str(inputs.source))
    making.add_weight_only_config(
        ".*", qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16, algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING
    )
    making.quantize().export_model(str(folder / ENTRY))
    return {}


def dynamic_int8(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Weights in int8 per channel, activation ranges computed at every inference (dynamic range)."""
    from ai_edge_quantizer import quantizer, recipe

    making = quantizer.Quantizer(str(inputs.source), recipe.dynamic_wi8_afp32())
    making.quantize().export_model(str(folder / ENTRY))
    return {}


def static(inputs: BuildInputs, folder: Path, activations: int) -> dict[str, Any]:
    """Weights in int8 per channel, activations in 8 or 16 bits; input and output stay float32.

    16 bits have resolution for the widest range that was seen and for everything but the decoding.
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
    """A `.tflite` from elsewhere, of any precision that the backend opens."""
    read = backend.inspect(inputs.weights)
    shape = read["input"]
    ready.expect_input(inputs, (shape[0], shape[3], *shape[1:3]) if backend.channels_last(shape) else shape)
    return ready.adopt(inputs, folder, ".tflite", read["precision"], read["said"])


def _ranges(inputs: BuildInputs, widest: bool) -> dict[str, Any]:
    """Tensor → `min` and `max`: the widest of all calls, or the mean of what every call reached."""
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
    ranges = observer.get_model_qsvs()
    for name, ends in ranges.items():
        if not all(np.isfinite(end).all() for end in ends.values()):
            raise ConfigError(f"an activation is infinite or not a number ({name}); is the checkpoint sound?")
    return ranges if widest else _through_silu(inputs, {k: _divided(v, calls) for k, v in ranges.items()})


def _sum(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {end: before[end] + now[end] for end in ("min", "max")}


def _divided(total: dict[str, Any], calls: int) -> dict[str, Any]:
    return {end: total[end] / calls for end in ("min", "max")}


def _through_silu(inputs: BuildInputs, ranges: dict[str, Any]) -> dict[str, Any]:
    """Ranges of what enters a sigmoid begin at `SILU_FLOOR`: neither SiLU nor a score tells what is below."""
    from ai_edge_litert.interpreter import Interpreter

    for name, (entering, *_), _ in backend.operators(Interpreter(str(inputs.source))):
        if name == "LOGISTIC":
            ends = ranges[entering["name"]]
            ends["min"] = np.maximum(ends["min"], SILU_FLOOR)
    return ranges
