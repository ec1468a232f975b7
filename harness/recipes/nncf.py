"""ONNX graph → OpenVINO IR, in float or quantized by NNCF.

The int8 recipe quantizes the convolutions of the detection head too, and leaves only the decoding in float. What that
costs in mAP is in RECIPES.md.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from harness.recipes.base import EXPORT, BuildInputs, Recipe, Table
from harness.recipes.feeding import takes_bgr_bytes
from harness.recipes.parts import in_branch, module_of
from harness.recipes.splits import to_openvino
from harness.tasks.decode import prepare
from harness.tasks.preprocess import normalize

TOOLS = (*EXPORT, "openvino")
NNCF = (*TOOLS, "nncf")

RECIPES: Table = {
    ("openvino", "fp32"): Recipe("nncf:convert", "model.xml", "f32", "f32", params={"half": False}, tools=TOOLS),
    ("openvino", "bf16"): Recipe("nncf:convert", "model.xml", "f32", "bf16", params={"half": False}, tools=TOOLS),
    ("openvino", "fp16"): Recipe("nncf:convert", "model.xml", "f16", "f32", params={"half": True}, tools=TOOLS),
    ("openvino", "int8"): Recipe("nncf:static_int8", "model.xml", "i8", "i8", calibrated=True, tools=NNCF),
}

DYNAMIC = "OpenVINO quantizes activations dynamically in matrix products only, not in convolutions"

REASONS = {("openvino", "int8-dynamic"): DYNAMIC}


def convert(inputs: BuildInputs, folder: Path, half: bool) -> dict[str, Any]:
    """Convert to an IR with float32 weights, or float16 ones where `half`.

    The backend's precision hint decides what executes, not the file.
    """
    import openvino

    model = to_openvino(inputs.source)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=half)
    return {}


def static_int8(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Quantize all but the decoding, with NNCF's min-max ranges and bias correction."""
    import nncf
    import openvino

    assert inputs.calibration is not None
    model = to_openvino(inputs.source)
    pixels = np.load(inputs.calibration, mmap_mode="r")
    starts = range(0, len(pixels) - inputs.batch + 1, inputs.batch)
    compiled = functools.cache(lambda: openvino.Core().compile_model(model, "CPU"))

    def infer(batch: Any) -> Any:
        return list(compiled()(batch).values())

    bgr_bytes = takes_bgr_bytes(inputs, [tuple(output.shape) for output in model.outputs], infer)

    def batch(start: int) -> Any:
        inputs.advance(start, len(pixels))  # NNCF reads all images twice: for ranges, and to correct biases
        return prepare(normalize(pixels[start : start + inputs.batch]), bgr_bytes)

    quantized = nncf.quantize(
        model,
        nncf.Dataset(list(starts), batch),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(starts),
        ignored_scope=nncf.IgnoredScope(names=_decoding(model)),
    )
    openvino.save_model(quantized, folder / "model.xml", compress_to_fp16=False)
    return {}


def _decoding(model: Any) -> list[str]:
    """Names of the nodes that decode boxes and scores: in the head, but not in its branches of convolutions.

    In a graph without Ultralytics' names, they are the nodes that no convolution follows. They stay in float, because
    one scale over box pixels (0–640) and class scores (0–1) would round every score to zero.
    """
    ops = [op for op in model.get_ordered_ops() if op.get_type_name() not in ("Constant", "Parameter", "Result")]
    names = [op.get_friendly_name() for op in ops]
    numbers = [number for number in map(module_of, names) if number is not None]
    if numbers:
        head = [name for name in names if module_of(name) == max(numbers)]
        return [name for name in head if not in_branch(name)]
    found: list[str] = []
    leads_to_convolution: set[str] = set()
    for op in reversed(ops):
        behind = {to.get_node().get_friendly_name() for output in op.outputs() for to in output.get_target_inputs()}
        if op.get_type_name() in ("Convolution", "GroupConvolution") or behind & leads_to_convolution:
            leads_to_convolution.add(op.get_friendly_name())
        else:
            found.append(op.get_friendly_name())
    return found
