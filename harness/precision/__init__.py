"""Which recipe makes a precision for a backend, what it stores and what it executes, and what cannot exist and why."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.backends import PLANNED
from harness.backends.base import require
from harness.errors import Unavailable
from harness.types import Cell

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int8-dynamic", "w8a16", "int8-qat")


@dataclass(frozen=True)
class Inputs:
    """What a build function reads. It writes `model.*` into a folder and nothing else."""

    weights: Path  # the checkpoint as the user gave it
    source: Path  # the artifact this one is made from: the exported ONNX graph, or the checkpoint itself
    imgsz: int
    batch: int
    end_to_end: bool  # YOLO26's one-to-one head instead of raw output
    calibration: Path | None  # .npy of letterboxed bytes [N, 3, S, S], for static int8


@dataclass(frozen=True)
class Recipe:
    """How one precision is made for one backend."""

    build: str  # "module:function" below harness.precision
    entry: str  # the file the runtime opens
    stored: str  # numeric type of the weights in the file
    executes: str  # numeric type that convolutions are expected to run in
    source: Literal["checkpoint", "onnx"] = "onnx"
    params: Mapping[str, Any] = field(default_factory=dict)  # passed to the function; part of the key
    calibrated: bool = False
    version: int = 1  # raise it when the function changes what it makes
    tools: tuple[str, ...] = ()  # distributions whose version shapes the result

    def run(self, inputs: Inputs, folder: Path) -> dict[str, Any]:
        """Build into `folder`; returns what the function adds to the artifact's metadata."""
        module, _, function = self.build.partition(":")
        build: Callable[..., dict[str, Any]] = getattr(importlib.import_module(f"harness.precision.{module}"), function)
        return build(inputs, folder, **self.params)


EXPORT = ("ultralytics", "torch", "onnx", "onnxslim")
ORT = (*EXPORT, "onnxruntime")
NNCF = (*EXPORT, "openvino", "nncf")

ONNX_GRAPH = Recipe("export:to_onnx", "model.onnx", "f32", "f32", "checkpoint", tools=EXPORT)
"""The exported graph that ONNX Runtime and OpenVINO artifacts are made from."""

RECIPES: dict[tuple[str, str], Recipe] = {
    ("torch", "fp32"): Recipe(
        "export:to_module", "model.pt", "f32", "f32", "checkpoint", {"dtype": "float32"}, tools=EXPORT[:2]
    ),
    ("torch", "bf16"): Recipe(
        "export:to_module", "model.pt", "bf16", "bf16", "checkpoint", {"dtype": "bfloat16"}, tools=EXPORT[:2]
    ),
    ("onnxruntime", "fp32"): Recipe("onnx:copy", "model.onnx", "f32", "f32", tools=EXPORT),
    ("onnxruntime", "fp16"): Recipe("onnx:float16", "model.onnx", "f16", "f32", tools=ORT),
    ("onnxruntime", "int8"): Recipe("onnx:static_int8", "model.onnx", "i8", "i8", calibrated=True, tools=ORT),
    ("onnxruntime", "int8:ultralytics"): Recipe(
        "onnx:ultralytics_int8", "model.onnx", "i8", "i8", calibrated=True, tools=ORT
    ),
    ("onnxruntime", "int8-dynamic"): Recipe("onnx:dynamic_int8", "model.onnx", "i8", "i8", tools=ORT),
    ("openvino", "fp32"): Recipe("nncf:convert", "model.xml", "f32", "f32", params={"half": False}, tools=NNCF[:-1]),
    ("openvino", "bf16"): Recipe("nncf:convert", "model.xml", "f32", "bf16", params={"half": False}, tools=NNCF[:-1]),
    ("openvino", "fp16"): Recipe("nncf:convert", "model.xml", "f16", "f32", params={"half": True}, tools=NNCF[:-1]),
    ("openvino", "int8"): Recipe("nncf:static_int8", "model.xml", "i8", "i8", calibrated=True, tools=NNCF),
    ("openvino", "int8:ultralytics"): Recipe(
        "nncf:static_int8", "model.xml", "i8", "i8", params={"float_head": True}, calibrated=True, tools=NNCF
    ),
    ("null", "fp32"): Recipe("null:copy", "model.json", "f32", "f32", "checkpoint"),
    ("null", "int8"): Recipe("null:copy", "model.json", "i8", "i8", "checkpoint"),
}

REASONS: dict[tuple[str, str], str] = {
    ("torch", "fp16"): "PyTorch has no fast float16 convolution on CPUs (measured 10 × slower than float32); use bf16",
    ("torch", "int8"): "this version of quantgate has no int8 recipe for PyTorch",
    ("torch", "int8-dynamic"): "PyTorch's dynamic quantization has no convolution kernels",
    ("onnxruntime", "bf16"): "ONNX Runtime's CPU provider has no bfloat16 convolution kernels",
    (
        "openvino",
        "int8-dynamic",
    ): "OpenVINO quantizes activations dynamically in matrix products only, not in convolutions",
}


def recipe(cell: Cell) -> Recipe:
    """The recipe of a cell.

    Raises:
        Unavailable: the backend cannot do it, this version cannot, or a tool that builds it is not installed.
    """
    if cell.backend in PLANNED:
        raise Unavailable(PLANNED[cell.backend])
    found = RECIPES.get((cell.backend, cell.precision))
    if found is None:
        reason = REASONS.get((cell.backend, cell.precision))
        raise Unavailable(reason or f"this version of quantgate has no {cell.precision} recipe for {cell.backend}")
    for tool in found.tools:
        require(tool, extra="openvino" if tool in ("openvino", "nncf") else "")
    return found


def recipe_names() -> set[str]:
    """Every precision that names its recipe, such as `int8:ultralytics`."""
    return {precision for _, precision in RECIPES if ":" in precision}
