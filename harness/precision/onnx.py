"""ONNX graph → what ONNX Runtime runs: float16 storage, static int8, dynamic int8.

The default static recipe, whose measurements are in the README ("The int8 recipes"): unsigned activations
and signed per-channel weights (U8S8, for CPUs with VNNI or at least without saturation trouble), QDQ format, and not
only convolutions but the element-wise operators between them, so that tensors stay in int8 from one convolution to the
next. The detection head stays in float: one scale over box pixels (0–640) and class scores (0–1) rounds every score
away.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.families import normalize
from harness.precision import Inputs

QUANTIZED = ["Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize", "Split"]


def copy(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """fp32 is the exported graph itself; the runtime optimizes it on load."""
    shutil.copyfile(inputs.source, folder / "model.onnx")
    return {}


def float16(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """Weights and activations in float16, inputs and outputs in float32; a CPU executes it by casting."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(str(inputs.source)), keep_io_types=True)
    onnx.save(model, folder / "model.onnx")
    return {}


def dynamic_int8(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """Weights in int8, activation ranges computed at every inference (dynamic range)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # ConvInteger has CPU kernels for unsigned weights only.
    quantize_dynamic(
        str(inputs.source),
        folder / "model.onnx",
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        weight_type=QuantType.QUInt8,
    )
    return {}


def static_int8(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """The default: U8S8, per channel, whole trunk in int8, head in float."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = folder / "prepared.onnx"
    quant_pre_process(str(inputs.source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(folder / "model.onnx"),
        _Reader(inputs),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=QUANTIZED,
        nodes_to_exclude=_head(prepared),
    )
    prepared.unlink()
    return {}


def ultralytics_int8(inputs: Inputs, folder: Path) -> dict[str, Any]:
    """What `YOLO.export(format="onnx", quantize=8)` makes: S8S8 per tensor, convolutions and matrix products only."""
    import onnx
    from onnxruntime.quantization import quantize_static

    nodes = onnx.load(str(inputs.source)).graph.node
    exclude = [node.name for node in nodes if node.op_type not in {"Conv", "Gemm", "MatMul"}]
    quantize_static(str(inputs.source), str(folder / "model.onnx"), _Reader(inputs), nodes_to_exclude=exclude)
    return {}


def _head(path: Path) -> list[str]:
    """Names of the nodes of the last module; Ultralytics numbers modules as /model.N/…"""
    import onnx

    names = [node.name for node in onnx.load(str(path)).graph.node]
    numbers = [int(name.split(".")[1].split("/")[0]) for name in names if name.startswith("/model.")]
    last = f"/model.{max(numbers, default=0)}/"
    return [name for name in names if name.startswith(last)]


class _Reader:
    """Feeds calibration images one batch at a time; onnxruntime's CalibrationDataReader by duck typing."""

    def __init__(self, inputs: Inputs) -> None:
        import onnx

        assert inputs.calibration is not None
        self._name = onnx.load(str(inputs.source)).graph.input[0].name
        self._batches = self._iterate(np.load(inputs.calibration, mmap_mode="r"), inputs.batch)

    def _iterate(self, pixels: Any, batch: int) -> Iterator[dict[str, Any]]:
        for start in range(0, len(pixels) - batch + 1, batch):
            yield {self._name: normalize(pixels[start : start + batch])}

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._batches

    def set_range(self, start_index: int, end_index: int) -> None:
        """Part of the protocol; used only when calibration is strided, which it is not."""
