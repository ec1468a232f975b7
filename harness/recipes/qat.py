"""Quantization-aware training: fp32 checkpoint → fine-tuned with fake quantization → one Q/DQ graph for every runtime.

The fine-tuned weights lie beside the graph as `model-qat.pt`, in Ultralytics' format for such checkpoints: `YOLO(path)`
loads it with its quantizers, and one that `yolo train quantize=8` wrote is accepted as well. The graph is always
exported from that file, so a ready checkpoint and the run that wrote it give the same one.
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
    """Fine-tune, or take the checkpoint that was fine-tuned before, and export it."""
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
    """Fine-tune `inputs.weights` as `inputs.qat` says; in float where `quantized` is False, as a control."""
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
    """Write an Ultralytics checkpoint in half precision, with weights that are exact in int8.

    A quantized weight is stored as the value it is deployed as: in half precision that is within 0.03 steps of its
    int8 step, so nothing is lost, while the float behind it would sometimes round to the step beside it.
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
"""Settings of a training that name places on the machine it ran on."""


def _expect_trained(model: Any, checkpoint: Path, end_to_end: bool) -> None:
    """A ready checkpoint is what it is said to be."""
    from ultralytics.utils.torch_utils import is_qat

    if not is_qat(model.model):
        raise ConfigError(
            f"{checkpoint} is no QAT checkpoint: no quantizers in it; drop checkpoint= and Qat trains one"
        )
    if not end_to_end and model.model.model[-1].cv2 is None:
        raise ConfigError(f"{checkpoint} has the end-to-end head only; add ':e2e' to the model's name")


def graph(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """What ONNX Runtime runs fast: its own recipe on the trained weights, which keep the steps they were trained on.

    Its int8 kernels want a pair of Q/DQ behind every operator, while training quantized what convolutions read. So all
    activations get the recipe's ranges: unsigned and asymmetric, they round less than the symmetric ones of training
    (RECIPES.md).
    """
    import onnx

    model = onnx.load(str(inputs.source))
    overrides = _overrides(qdq.dequantized(model.graph))
    onnx.save(model, folder / "float.onnx")
    static_int8(replace(inputs, source=folder / "float.onnx"), folder, overrides)
    (folder / "float.onnx").unlink()
    return {}


def _overrides(weights: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Trained steps of the weights as ONNX Runtime's `TensorQuantOverrides`."""
    from onnxruntime.quantization import QuantType

    signed = {"quant_type": QuantType.QInt8, "zero_point": np.array(0, np.int8), "axis": 0}
    return {name: [{**signed, "scale": step} for step in scale] for name, scale in weights.items()}


def ir(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """OpenVINO IR of the graph: int8 weights, and pairs that its passes turn into int8 kernels."""
    qdq.to_ir(inputs.source, folder / "model.xml")
    return {}
