"""What TensorRT says in its own words: types, and multiply-accumulates in the JSON of its engine inspector. Pure.

A layer of the report is a kernel. It names the ONNX nodes that it was fused from (`Metadata`), the types of its
tensors (`Datatype`, or `Format/Datatype` with the memory layout in words) and its code (`TacticName`). TF32 shows in
the code alone, since its tensors are float. Convolutions are layers of type CaskConvolution, CaskGemmConvolution,
CaskJitConv, … or, where the compiler has fused a region, `correlation` and `gemm`, which do not report their weights.
Therefore work is counted by node of the compiled graph where that graph is known.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.backends import macs
from harness.core.errors import ConfigError

UNKNOWN = "unknown"
"""The type of work that no layer of the report accounts for."""

CONVOLUTION = re.compile("conv|correlation", re.IGNORECASE)
PRODUCTS = re.compile("conv|correlation|gemm|matrixmultiply|matmul|mha", re.IGNORECASE)
NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
TYPES = (
    (r"\bint8\b", "i8"), (r"\bfp8\b|e4m3|e5m2", "f8"), (r"\bbfloat16\b|\bbf16\b", "bf16"),
    (r"\bhalf\b|\bfp16\b", "f16"), (r"\bfloat\b|\bfp32\b", "f32"),
)  # fmt: skip


def executed(report: str, work: Mapping[str, int]) -> dict[str, int]:
    """Count the multiply-accumulates of one call of an engine.

    Args:
        report: the inspector's JSON.
        work: node name → multiply-accumulates, of every convolution and matrix product of the compiled graph. Empty for
            an engine that quantgate did not build, whose layers then count by the shapes that they report.

    Returns:
        Numeric type → multiply-accumulates, `UNKNOWN` for work that no layer accounts for. Empty where the engine was
        built without detailed profiling verbosity.
    """
    # Not strict: the names inside Metadata are separated by control characters.
    layers = [layer for layer in json.loads(report, strict=False)["Layers"] if isinstance(layer, dict)]
    products = [layer for layer in layers if _is_product(layer)]
    counts: Counter[str] = Counter()
    open_nodes = dict(work)
    for layer in products:
        count = sum(open_nodes.pop(node, 0) for node in _nodes(layer)) if work else _by_shape(layer)
        counts[_type(layer)] += count
    if layers and open_nodes:
        counts[UNKNOWN] += sum(open_nodes.values())
    return {kind: count for kind, count in counts.items() if count}


def _is_product(layer: Mapping[str, Any]) -> bool:
    """Whether a layer computes a convolution or matrix product, by its type and code.

    Its name does not tell: a layer that only carries data to a kernel is named like the kernel.
    """
    return bool(PRODUCTS.search(f"{layer.get('LayerType', '')} {layer.get('TacticName', '')}"))


def _nodes(layer: Mapping[str, Any]) -> list[str]:
    """The ONNX nodes that a layer computes. Its name joins nodes in sequence by ` + `, and parallel nodes by ` || `."""
    named = NODE.findall(layer.get("Metadata", ""))
    return list(dict.fromkeys([*named, *re.split(r" \+ | \|\| ", layer.get("Name", ""))]))


def _type(layer: Mapping[str, Any]) -> str:
    """The numeric type that a layer computes in: the type of its first input, or TF32 where its code says so."""
    first: Mapping[str, str] = next(iter(layer.get("Inputs", [])), {})
    said = (first.get("Datatype") or first.get("Format/Datatype") or "").lower()
    kind = next((kind for pattern, kind in TYPES if re.search(pattern, said)), UNKNOWN)
    return "tf32" if kind == "f32" and "tf32" in layer.get("TacticName", "").lower() else kind


def _by_shape(layer: Mapping[str, Any]) -> int:
    """Multiply-accumulates from the shapes that a layer itself reports; 0 where they do not suffice."""
    inputs = [tensor["Dimensions"] for tensor in layer.get("Inputs", [])]
    outputs = [tensor["Dimensions"] for tensor in layer.get("Outputs", [])]
    if not outputs or len(outputs[0]) < 2:
        return 0
    output = outputs[0]
    if weights := layer.get("Weights", {}).get("Count", 0):
        channels = output[1] if CONVOLUTION.search(layer["LayerType"]) else output[-1]
        return macs.convolution([weights], output, channels)
    return macs.matmul(inputs[0], output) if len(inputs) > 1 else 0


def numpy_type(trt: Any, kind: Any, where: str) -> np.dtype[Any]:
    """The NumPy type of a `tensorrt.DataType`. Raises ConfigError where NumPy has none; `where` names the tensor."""
    try:
        found: np.dtype[Any] = np.dtype(trt.nptype(kind))
    except TypeError:
        raise ConfigError(f"{where} is {kind}, a type that NumPy does not have") from None
    return found
