"""Small ONNX graphs for the runtimes that read ONNX: one convolution's numbers, and a file of a few nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 32
IMAGES = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
KERNEL = np.random.default_rng(1).random((16, 3, 3, 3), np.float32)  # 16: blocked layouts round channels up
CONVOLUTION = 16 * 3 * 9 * (SIZE - 2) ** 2  # multiply-accumulates of KERNEL on IMAGES


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    element: int = TensorProto.FLOAT,
    batch: int | str = "n",
    **weights: NDArray[Any],
) -> Path:
    """Write a graph from `images` to `output`, whose input has this type of element; returns the path."""
    given = helper.make_tensor_value_info("images", element, [batch, 3, SIZE, SIZE])
    made = helper.make_tensor_value_info("output", element, None)
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", [given], [made], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def convolved() -> NDArray[Any]:
    """What a convolution of IMAGES with KERNEL is, without a runtime."""
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 3), axis=(2, 3))
    return np.einsum("ochw,ncijhw->noij", KERNEL, windows)
