"""`int8:ultralytics`: exactly what the installed `YOLO.export(quantize=8)` makes, on our calibration images.

Ultralytics' own code does the work; only its loader of calibration images, which reads the validation split, is
replaced by the images that the suite declares.
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
    """S8S8 per tensor, min-max; convolutions and matrix products only. Its source is the graph they export."""
    from ultralytics.utils.export.onnx import onnx_int8_quantize

    onnx_int8_quantize(str(inputs.source), str(folder / "model.onnx"), _Batches(inputs), normalize)
    return {}


def openvino(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """NNCF on a TorchScript trace; the head's decoding and every Sigmoid in float."""
    written, meta = _exported(inputs, folder, "openvino")
    for suffix in (".xml", ".bin"):
        (written / f"model{suffix}").rename(folder / f"model{suffix}")
    shutil.rmtree(written)
    return meta


def litert(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Everything in int8, decoding included, with boxes in units of the image."""
    if inputs.end_to_end:
        raise Unavailable("Ultralytics exports no end-to-end int8 for LiteRT; drop ':e2e', or take precision int8")
    written, meta = _exported(inputs, folder, "litert")
    if meta.get("task"):
        raise Unavailable(f"Ultralytics scales the outputs of {meta['task']!r} models for LiteRT; take precision int8")
    written.rename(folder / "model.tflite")
    return meta


def _exported(inputs: BuildInputs, folder: Path, format: str) -> tuple[Path, dict[str, Any]]:
    """What the exporter wrote into `folder`, calibrated on our images."""
    import torch
    from ultralytics.engine.exporter import Exporter

    class OnOurImages(Exporter):  # type: ignore[misc]
        def get_int8_calibration_dataloader(self, prefix: str = "") -> list[dict[str, Any]]:
            return [{"img": torch.from_numpy(pixels)} for pixels in _Batches(inputs)]

    model, meta = export.load_checkpoint(inputs)
    model.model.pt_path = str(folder / "model.pt")  # the exporter writes beside it
    options = {
        "format": format, "quantize": 8, "imgsz": inputs.imgsz, "batch": inputs.batch, "device": "cpu",
        "nms": False if inputs.end_to_end else None, "data": "ours", "mode": "export", "verbose": False,
    }  # fmt: skip
    return Path(OnOurImages(overrides=options)(model=model.model)), meta


class _Batches:
    """Calibration images as bytes [N, 3, S, S], in whole batches."""

    def __init__(self, inputs: BuildInputs) -> None:
        assert inputs.calibration is not None
        self._pixels = np.load(inputs.calibration, mmap_mode="r")
        self._size = inputs.batch

    def __len__(self) -> int:
        return len(self._pixels) // self._size

    def __iter__(self) -> Iterator[Any]:
        return (np.array(self._pixels[k * self._size : (k + 1) * self._size]) for k in range(len(self)))
