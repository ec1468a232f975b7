"""Ultralytics checkpoint → ONNX graph, or → fused PyTorch module. The only user of ultralytics' loader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.precision import Inputs


def to_onnx(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """Export with Ultralytics' own exporter, static shape, simplified, without NMS in the graph."""
    model, meta = _load(inputs)
    # The exporter writes beside the checkpoint it was loaded from, and that place is not ours to write to.
    model.ckpt_path = str(folder / "model.pt")
    model.model.pt_path = model.ckpt_path
    written = Path(
        model.export(
            format="onnx", imgsz=inputs.imgsz, batch=inputs.batch, simplify=True, device="cpu",
            nms=False if inputs.end_to_end else None, verbose=False,
        )
    )  # fmt: skip
    if written != folder / "model.onnx":
        shutil.move(written, folder / "model.onnx")
    return meta


def to_module(inputs: Inputs, folder: Path, dtype: str) -> dict[str, Any]:
    """Fuse BatchNorm, choose the head as the exporter does, store the weights as `dtype`."""
    import torch

    model, meta = _load(inputs)
    module = model.model.float().eval()
    if hasattr(module, "end2end"):
        module.end2end = inputs.end_to_end
    module = module.fuse(verbose=False)
    module.model[-1].export = True  # plain tensor output, as in the exported graph
    module.model[-1].format = "torchscript"
    module.pt_path, module.args = "", {}  # where the weights lay is no part of the artifact, nor of its size
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    torch.save(module.to(getattr(torch, dtype)), folder / "model.pt")
    return meta


def _load(inputs: Inputs) -> tuple[Any, dict[str, Any]]:
    """The checkpoint, and what every artifact made from it says about itself."""
    from ultralytics import YOLO

    weights = inputs.weights
    try:
        model = YOLO(str(weights), verbose=False)
    except Exception as error:  # a damaged file fails in as many ways as there are pickles; all mean the same
        raise ConfigError(f"weights {weights} cannot be loaded as an Ultralytics checkpoint: {_line(error)}") from None
    if model.task != "detect":
        raise ConfigError(f"weights {weights} are for the task {model.task!r}; quantgate scores 'detect' models")
    if inputs.end_to_end and not hasattr(model.model.model[-1], "one2one_cv2"):
        raise ConfigError(f"weights {weights} have no end-to-end head; drop ':e2e' from the model's name")
    names = [str(model.names[index]) for index in sorted(model.names)]
    return model, {"names": names}


def _line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160] if text else 'no message'}"
