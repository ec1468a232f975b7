"""What TensorRT's engine inspector says ran: its JSON → multiply-accumulates by numeric type. Pure.

A layer is a kernel. It names the ONNX nodes it was fused from (`Metadata`), the types of its tensors (`Datatype`, or
`Format/Datatype` with the memory layout in words) and the kernel (`TacticName`), which is where TF32 shows: its tensors
are float. Convolutions come as CaskConvolution, CaskGemmConvolution, CaskJitConv, … or, where the compiler has fused a
region, as `correlation` and `gemm`, without their weights; therefore work is counted by node of the graph that was
compiled, where that is known.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness.backends import macs

UNKNOWN = "unknown"
"""The type of work that no layer of the report answers for."""

CONVOLUTION = re.compile("conv|correlation", re.IGNORECASE)
PRODUCTS = re.compile("conv|correlation|gemm|matrixmultiply|matmul|mha", re.IGNORECASE)
NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
TYPES = (
    (r"\bint8\b", "i8"), (r"\bfp8\b|e4m3|e5m2", "f8"), (r"\bbfloat16\b|\bbf16\b", "bf16"),
    (r"\bhalf\b|\bfp16\b", "f16"), (r"\bfloat\b|\bfp32\b", "f32"),
)  # fmt: skip


def executed(report: str, work: Mapping[str, int]) -> dict[str, int]:
    """Multiply-accumulates by type; empty where the engine was built without detailed profiling verbosity.

    `work` is what each convolution and matrix product of the compiled graph takes, by node name; it is empty for an
    engine from elsewhere, whose layers then count by their own shapes.
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
    """By kind and kernel; not by name, which a layer that carries data to a kernel shares with it."""
    return bool(PRODUCTS.search(f"{layer.get('LayerType', '')} {layer.get('TacticName', '')}"))


def _nodes(layer: Mapping[str, Any]) -> list[str]:
    """The ONNX nodes that a layer computes: `A + B` are fused in sequence, `A || B` side by side."""
    named = NODE.findall(layer.get("Metadata", ""))
    return list(dict.fromkeys([*named, *re.split(r" \+ | \|\| ", layer.get("Name", ""))]))


def _type(layer: Mapping[str, Any]) -> str:
    first: Mapping[str, str] = next(iter(layer.get("Inputs", [])), {})
    said = (first.get("Datatype") or first.get("Format/Datatype") or "").lower()
    kind = next((kind for pattern, kind in TYPES if re.search(pattern, said)), UNKNOWN)
    return "tf32" if kind == "f32" and "tf32" in layer.get("TacticName", "").lower() else kind


def _by_shape(layer: Mapping[str, Any]) -> int:
    """From the sizes that the layer itself reports; 0 where it reports none."""
    shapes = [tensor["Dimensions"] for tensor in layer.get("Inputs", [])]
    (output, *_) = [tensor["Dimensions"] for tensor in layer.get("Outputs", [])] or [[]]
    if len(output) < 2:
        return 0
    if weights := layer.get("Weights", {}).get("Count", 0):
        channels = output[1] if CONVOLUTION.search(layer["LayerType"]) else output[-1]
        return macs.convolution([weights], output, channels)
    return macs.matmul(shapes[0], output) if len(shapes) > 1 else 0
