"""Raises the opset of an ONNX graph where an operator needs a newer one, and compares what both graphs compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.onnxruntime import dtype_name
from harness.core.errors import ConfigError, first_line

PER_CHANNEL = 13
"""The first opset in which QuantizeLinear and DequantizeLinear have one scale per channel."""

TOLERANCE = 1e-4  # largest difference of an output, as a share of its largest value


def raised(source: Path, folder: Path, name: str, least: int = PER_CHANNEL) -> Path:
    """The graph in `source` at opset `least` or above: the file itself, or `raised.onnx` in `folder`.

    Args:
        source: an .onnx file.
        folder: for the new file.
        name: of the user's file, for messages.
        least: the opset that is needed.

    Raises:
        ConfigError: onnx cannot convert the graph, or the converted graph computes other values.
    """
    import onnx

    model = onnx.load(str(source))
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), least)
    if opset >= least:
        return source
    target = folder / "raised.onnx"
    cure = f"export it again with opset {least} or later"
    try:
        converted = onnx.version_converter.convert_version(model, least)
        onnx.checker.check_model(converted, full_check=True)
        onnx.save(converted, target)
        differs = _difference(source, target)
    except Exception as error:  # from onnx or ONNX Runtime, of many kinds
        why = first_line(error)
        raise ConfigError(
            f"{name} is of opset {opset}, int8 needs {least}, and onnx cannot convert it: {why}; {cure}"
        ) from None
    if not differs <= TOLERANCE:
        raise ConfigError(
            f"{name} is of opset {opset}, int8 needs {least}, and converted it computes other values "
            f"(by {differs:.1g} of the largest); {cure}"
        )
    return target


def _difference(one: Path, other: Path) -> float:
    """The largest difference between the outputs of two graphs for one random input; a share of the largest value."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # equal kernels for both
    sessions = [
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]) for path in (one, other)
    ]
    fed = {given.name: _random(given) for given in sessions[0].get_inputs()}
    pairs = zip(*(session.run(None, fed) for session in sessions), strict=True)
    return max((_apart(before, after) for before, after in pairs), default=0.0)


def _apart(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The largest difference as a share of the largest value; infinite where the shapes differ."""
    if before.shape != after.shape:
        return float("inf")
    exact = before.astype(np.float64)
    largest = float(np.abs(exact).max(initial=0.0)) or 1.0
    return float(np.abs(exact - after.astype(np.float64)).max(initial=0.0)) / largest


def _random(given: Any) -> NDArray[Any]:
    """A random tensor for an input of an `InferenceSession`; free dimensions are 1."""
    dtype = np.dtype(dtype_name(given.type))
    shape = [side if isinstance(side, int) and side > 0 else 1 for side in given.shape]
    values = np.random.default_rng(0).random(shape)
    return (values if dtype.kind == "f" else values * 255).astype(dtype)
