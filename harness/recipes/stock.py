"""`int8:ultralytics`: what the installed `YOLO.export(quantize=8)` makes, but calibrated on the suite's images.

Ultralytics' own code does the work. Only its loader of calibration images is replaced, because it reads the validation
split.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import Unavailable
from harness.recipes import export
from harness.recipes.base import EXPORT, BuildInputs, Recipe, Table
from harness.tasks.preprocess import normalize

LITERT = ("ultralytics", "torch", "litert-torch", "ai-edge-quantizer")

RECIPES: Table = {
    ("onnxruntime", "int8:ultralytics"): Recipe(
        "stock:onnx", "model.onnx", "i8", "i8", calibrated=True, tools=(*EXPORT, "onnxruntime")
    ),
    ("openvino", "int8:ultralytics"): Recipe(
        "stock:openvino", "model.xml", "i8", "i8", "checkpoint", calibrated=True, tools=(*EXPORT, "openvino", "nncf")
    ),
    ("litert", "int8:ultralytics"): Recipe(
        "stock:litert", "model.tflite", "i8", "i8", "checkpoint", calibrated=True, tools=LITERT
    ),
}


def onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Quantize the exported graph with Ultralytics: S8S8 per tensor, min-max, convolutions and matrix products only."""
    from ultralytics.utils.export.onnx import onnx_int8_quantize

    onnx_int8_quantize(str(inputs.source), str(folder / "model.onnx"), _Batches(inputs), normalize)
    return {}


def openvino(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Export to OpenVINO: NNCF on a TorchScript trace, with the decoding of the head and every Sigmoid in float."""
    written, meta = _exported(inputs, folder, "openvino")
    for suffix in (".xml", ".bin"):
        (written / f"model{suffix}").rename(folder / f"model{suffix}")
    shutil.rmtree(written)
    return meta


def litert(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Export to LiteRT: every operator in int8, decoding included, with boxes as fractions of the image.

    Raises:
        Unavailable: the cell has the end-to-end head, or the model is no detector.
    """
    if inputs.end_to_end:
        raise Unavailable("Ultralytics exports no end-to-end int8 for LiteRT; drop ':e2e', or take precision int8")
    written, meta = _exported(inputs, folder, "litert")
    if meta.get("task"):
        raise Unavailable(f"Ultralytics scales the outputs of {meta['task']!r} models for LiteRT; take precision int8")
    written.rename(folder / "model.tflite")
    return meta


def _exported(inputs: BuildInputs, folder: Path, format: str) -> tuple[Path, dict[str, Any]]:
    """Run Ultralytics' exporter on the suite's calibration images; the file or folder it wrote, and the metadata."""
    import torch
    from ultralytics.engine.exporter import Exporter

    class OnOurImages(Exporter):  # type: ignore[misc]
        def get_int8_calibration_dataloader(self, prefix: str = "") -> list[dict[str, Any]]:
            return [{"img": torch.from_numpy(pixels)} for pixels in _Batches(inputs)]

    model, meta = export.load_checkpoint(inputs)
    model.model.pt_path = str(folder / "model.pt")  # the exporter writes beside it
    options = {
        "format": format, "quantize": 8, "imgsz": list(inputs.imgsz), "batch": inputs.batch, "device": "cpu",
        "nms": False if inputs.end_to_end else None, "data": "ours", "mode": "export", "verbose": False,
    }  # fmt: skip
    return Path(OnOurImages(overrides=options)(model=model.model)), meta


class _Batches:
    """The calibration images as uint8 [batch, 3, H, W], in whole batches; what is left over is dropped."""

    def __init__(self, inputs: BuildInputs) -> None:
        assert inputs.calibration is not None
        self._pixels = np.load(inputs.calibration, mmap_mode="r")
        self._size = inputs.batch

    def __len__(self) -> int:
        return len(self._pixels) // self._size

    def __iter__(self) -> Iterator[Any]:
        return (np.array(self._pixels[k * self._size : (k + 1) * self._size]) for k in range(len(self)))
