"""ONNX graph → OpenVINO IR, in float or quantized by NNCF.

The default int8 recipe quantizes the convolutions of the detection head too and leaves only its decoding in float: on
train calibration that costs less than a float head saves (README, "The int8 recipes").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.families import normalize
from harness.precision import Inputs


def convert(inputs: Inputs, folder: Path, half: bool) -> dict[str, Any]:
    """IR with float32 or float16 weights; what executes is decided by the backend's precision hint."""
    import openvino

    model = openvino.convert_model(str(inputs.source))
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=half)
    return {}


def static_int8(inputs: Inputs, folder: Path, float_head: bool = False) -> dict[str, Any]:
    """Full integer by NNCF's min-max with bias correction; `float_head` keeps the whole head in float."""
    import nncf
    import openvino

    assert inputs.calibration is not None
    model = openvino.convert_model(str(inputs.source))
    pixels = np.load(inputs.calibration, mmap_mode="r")
    starts = range(0, len(pixels) - inputs.batch + 1, inputs.batch)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(list(starts), lambda start: normalize(pixels[start : start + inputs.batch])),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(starts),
        ignored_scope=nncf.IgnoredScope(names=_float_nodes(model, float_head)),
    )
    openvino.save_model(quantized, folder / "model.xml", compress_to_fp16=False)
    return {}


def _float_nodes(model: Any, whole_head: bool) -> list[str]:
    """The head's nodes; without `whole_head` those that are not convolutions or directly between them."""
    names = [(op.get_friendly_name(), op.get_type_name()) for op in model.get_ordered_ops()]
    numbers = [int(name.split(".")[1].split("/")[0]) for name, _ in names if name.startswith("/model.")]
    prefix = f"/model.{max(numbers, default=0)}/"
    head = [(name, kind) for name, kind in names if name.startswith(prefix) and kind != "Constant"]
    if whole_head:
        return [name for name, _ in head]
    return [name for name, _ in head if "cv2" not in name and "cv3" not in name]
