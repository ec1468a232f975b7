"""Ultralytics checkpoint → ONNX graph, or → fused PyTorch module. The only module that calls Ultralytics' loader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from harness.backends.base import described
from harness.core.errors import ConfigError, first_line
from harness.recipes.base import EXPORT, BuildInputs, Recipe, Table
from harness.tasks.registry import TASKS

SOURCES = {"onnx": Recipe("export:to_onnx", "model.onnx", "f32", "f32", "checkpoint", tools=EXPORT)}
"""The exported graph, which the artifacts of ONNX Runtime, OpenVINO and TensorRT are made from."""

MODULE = ("ultralytics", "torch")
"""Distributions whose version shapes the fused PyTorch module."""

RECIPES: Table = {
    ("torch", "fp32"): Recipe(
        "export:to_module", "model.pt", "f32", "f32", "checkpoint", {"dtype": "float32"}, tools=MODULE
    ),
    ("torch", "bf16"): Recipe(
        "export:to_module", "model.pt", "bf16", "bf16", "checkpoint", {"dtype": "bfloat16"}, tools=MODULE
    ),
    ("torch", "fp16"): Recipe(
        "export:to_module", "model.pt", "f16", "f16", "checkpoint", {"dtype": "float16"}, tools=MODULE
    ),
}

FP16 = "PyTorch has no fast float16 convolution on CPUs (measured 10 × slower than float32); use bf16, or device 'cuda'"

REASONS = {("torch", "fp16", "cpu"): FP16}


def to_onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Export with Ultralytics' own exporter: static shape, simplified, without NMS in the graph."""
    model, meta = load_checkpoint(inputs)
    write_onnx(model, inputs, folder)
    return meta


def write_onnx(model: Any, inputs: BuildInputs, folder: Path) -> None:
    """Export an Ultralytics model, with its fake quantization where it has any, to `model.onnx` in `folder`."""
    # The exporter writes beside the checkpoint that the model was loaded from. That folder belongs to the user.
    model.ckpt_path = str(folder / "model.pt")
    model.model.pt_path = model.ckpt_path
    written = Path(
        model.export(
            format="onnx", imgsz=list(inputs.imgsz), batch=inputs.batch, simplify=True, device="cpu",
            nms=False if inputs.end_to_end else None, verbose=False,
        )
    )  # fmt: skip
    if written != folder / "model.onnx":
        shutil.move(written, folder / "model.onnx")


def to_module(inputs: BuildInputs, folder: Path, dtype: str) -> dict[str, Any]:
    """Save the fused module with its weights as `dtype`, the name of a torch type. PyTorch runs it eagerly."""
    import torch

    module, meta = fused(inputs)
    torch.save(module.to(getattr(torch, dtype)), folder / "model.pt")
    return meta


def fused(inputs: BuildInputs) -> tuple[Any, dict[str, Any]]:
    """Load the module in float32, for inference: BatchNorm folded into the convolutions, the head chosen as on export.

    Returns:
        The module, and the metadata that `load_checkpoint` gives.
    """
    model, meta = load_checkpoint(inputs)
    module = model.model.float().eval()
    if hasattr(module, "end2end"):
        module.end2end = inputs.end_to_end
    module = module.fuse(verbose=False)
    module.model[-1].export = True  # plain tensor output, as in the exported graph
    module.model[-1].format = "torchscript"
    module.pt_path, module.args = "", {}  # the place of the weights must change neither the artifact nor its size
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module, meta


def load_checkpoint(inputs: BuildInputs) -> tuple[Any, dict[str, Any]]:
    """Load `inputs.weights` with Ultralytics.

    Returns:
        The Ultralytics model, and the metadata of every artifact that is made from it: class names, task, key points.

    Raises:
        ConfigError: the file is no checkpoint, quantgate does not score its task, or it lacks the end-to-end head.
    """
    from ultralytics import YOLO

    weights = inputs.weights
    try:
        model = YOLO(str(weights), verbose=False)
    except Exception as error:  # a damaged pickle can raise anything, and it always means that the file is damaged
        said = f"{type(error).__name__}: {first_line(error)}"
        raise ConfigError(f"weights {weights} cannot be loaded as an Ultralytics checkpoint: {said}") from None
    if model.task not in TASKS:
        raise ConfigError(f"weights {weights} are for the task {model.task!r}; quantgate scores {', '.join(TASKS)}")
    head = model.model.model[-1]
    if inputs.end_to_end and getattr(head, "one2one_cv2", None) is None:
        raise ConfigError(f"weights {weights} have no end-to-end head; drop ':e2e' from the model's name")
    names = [str(model.names[index]) for index in sorted(model.names)]
    return model, described({"names": names, "task": model.task, "kpt_shape": getattr(head, "kpt_shape", None)})
