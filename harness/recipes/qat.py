"""Quantization-aware training: fp32 checkpoint → fine-tuned with fake quantization → one Q/DQ graph for every runtime.

The fine-tuned weights lie beside the graph as `model-qat.pt`, in Ultralytics' format for such checkpoints: `YOLO(path)`
loads the file with its quantizers. A checkpoint that `yolo train quantize=8` wrote is accepted as well. The graph is
always exported from the file, so a run and the checkpoint that it wrote give equal graphs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import ConfigError
from harness.recipes import export, modelopt, qdq
from harness.recipes.base import BuildInputs, Recipe, Table
from harness.recipes.finetune import finetune
from harness.recipes.onnx import static_int8

CHECKPOINT = "model-qat.pt"

SOURCES = {
    "qat": Recipe(
        "qat:train", "model.onnx", "i8", "i8", "checkpoint", calibrated=True, trained=True, tools=modelopt.TOOLS
    ),
}

RECIPES: Table = {
    ("onnxruntime", "int8-qat"): Recipe(
        "qat:graph",
        "model.onnx",
        "i8",
        "i8",
        "qat",
        calibrated=True,
        version=2,
        tools=(*modelopt.TOOLS, "onnxruntime"),
    ),
    ("openvino", "int8-qat"): Recipe("qat:ir", "model.xml", "i8", "i8", "qat", tools=(*modelopt.TOOLS, "openvino")),
}


def train(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Fine-tune as `inputs.qat` says, or take the ready checkpoint that it names, and export the result.

    Raises:
        ConfigError: the training fails as `make_checkpoint` says, or the ready checkpoint is not one, or has no head of
            the kind that the cell asks for.
    """
    assert inputs.qat is not None
    checkpoint = Path(inputs.qat.checkpoint or folder / CHECKPOINT)
    if inputs.qat.checkpoint:
        shutil.copyfile(checkpoint, folder / CHECKPOINT)
    else:
        make_checkpoint(inputs, checkpoint)
    model, meta = export.load_checkpoint(replace(inputs, weights=checkpoint))
    _expect_trained(model, checkpoint, inputs.end_to_end)
    modelopt.write_graph(model, inputs, folder)
    return meta


def make_checkpoint(inputs: BuildInputs, path: Path, quantized: bool = True) -> None:
    """Fine-tune `inputs.weights` on `inputs.training` as `inputs.qat` says, and write the checkpoint to `path`.

    Without `quantized`, the training is in float: a control that tells what fine-tuning alone changes.

    Raises:
        ConfigError: the model is no detector, the training diverges, or its data has a class unknown to the model.
    """
    assert inputs.qat is not None and inputs.training is not None
    model, _ = export.load_checkpoint(inputs)
    if model.task != "detect":
        raise ConfigError(
            f"{inputs.weights}: quantgate fine-tunes detectors only, not {model.task!r} models; give Qat(checkpoint=…)"
        )
    model.model = modelopt.fused_module(model.model, inputs.end_to_end)
    if quantized:
        model.model = modelopt.fake_quantized(model.model, inputs)
    what = f"{'QAT' if quantized else 'fine-tuning'} of {inputs.weights.name}"
    finetune(model, inputs.training, inputs.qat, inputs.imgsz, what, inputs.advance)
    save_checkpoint(model.model, path)


def save_checkpoint(module: Any, path: Path) -> None:
    """Write an Ultralytics checkpoint in half precision that loses nothing of the int8 weights.

    A quantized weight is stored as the value that it is deployed with, a multiple of its int8 step. Half precision
    keeps such a value within 0.03 steps. The trained float weight would sometimes round to a neighbouring multiple.
    """
    import torch
    from ultralytics import __version__
    from ultralytics.utils.torch_utils import qat_state, strip_qat

    for layer in module.modules():
        quantizer = getattr(layer, "weight_quantizer", None)
        if quantizer is not None and quantizer.is_enabled:
            layer.weight.data = quantizer(layer.weight.data)
    state = qat_state(module)  # before half(): the ranges stay in single precision
    strip_qat(module)
    settings = {name: value for name, value in module.args.items() if name not in LOCAL}
    module.pt_path, module.args = "", settings
    content = {"epoch": -1, "model": module.half(), "modelopt": state, "train_args": settings, "version": __version__}
    torch.save(content | {"license": "AGPL-3.0 (https://ultralytics.com/license)"}, path)


LOCAL = ("data", "project", "save_dir", "name", "model", "device", "resume")
"""Settings of an Ultralytics training that name files, folders or devices of the machine it ran on."""


def _expect_trained(model: Any, checkpoint: Path, end_to_end: bool) -> None:
    """Raise ConfigError unless `model`, loaded from `checkpoint`, has quantizers and the head that is asked for."""
    from ultralytics.utils.torch_utils import is_qat

    if not is_qat(model.model):
        raise ConfigError(
            f"{checkpoint} is no QAT checkpoint: no quantizers in it; drop checkpoint= and Qat trains one"
        )
    if not end_to_end and model.model.model[-1].cv2 is None:
        raise ConfigError(f"{checkpoint} has the end-to-end head only; add ':e2e' to the model's name")


def graph(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Apply ONNX Runtime's own int8 recipe to the trained weights, which keep the quantization steps of the training.

    ONNX Runtime's int8 kernels want a pair of quantize and dequantize behind every operator, while the training
    quantized only what convolutions read. So all activations get ranges by the recipe. These are unsigned and
    asymmetric, and round less than the symmetric ranges of the training (RECIPES.md).
    """
    import onnx

    model = onnx.load(str(inputs.source))
    overrides = _overrides(qdq.dequantized(model.graph))
    onnx.save(model, folder / "float.onnx")
    static_int8(replace(inputs, source=folder / "float.onnx"), folder, overrides)
    (folder / "float.onnx").unlink()
    return {}


def _overrides(weights: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The trained steps of each weight, one per output channel, as ONNX Runtime's `TensorQuantOverrides`."""
    from onnxruntime.quantization import QuantType

    signed = {"quant_type": QuantType.QInt8, "zero_point": np.array(0, np.int8), "axis": 0}
    return {name: [{**signed, "scale": step} for step in scale] for name, scale in weights.items()}


def ir(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Convert the graph to an OpenVINO IR of int8 weights, whose Q/DQ pairs OpenVINO turns into int8 kernels."""
    qdq.to_ir(inputs.source, folder / "model.xml")
    return {}
