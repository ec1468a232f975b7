"""Make the frozen reference network of `harness/measure/latency/references.py` for every runtime.

    python bench/reference.py

It has been run once, and its files are committed; a run overwrites them. The network is a detector's backbone in small:
eight convolutions with SiLU, 27 million multiply-accumulates at 96 × 96 pixels. A call takes about a twentieth of the
time of a nano detector, so that a number of calls is as long as a call of any target. Weights are drawn once, at He's
scale, so that no activation overflows or becomes denormal; what the network computes means nothing.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from harness.measure.latency.references import FOLDER, SIDE

LAYERS = ((3, 16, 2), (16, 32, 2), (32, 32, 1), (32, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1))
"""Input channels, output channels, stride; all 3 × 3."""


def weights() -> list[tuple[np.ndarray[Any, Any], int]]:
    """Kernels [C_out, C_in, 3, 3] with their strides."""
    draw = np.random.default_rng(4)
    return [
        (draw.normal(0, np.sqrt(2 / (9 * given)), (made, given, 3, 3)).astype(np.float32), stride)
        for given, made, stride in LAYERS
    ]


def to_onnx(path: Path) -> None:
    nodes, constants, current = [], [], "images"
    for number, (kernel, stride) in enumerate(weights()):
        constants.append(numpy_helper.from_array(kernel, f"w{number}"))
        names = [f"{part}{number}" for part in ("conv", "gate", "silu")]
        nodes += [
            helper.make_node(
                "Conv", [current, f"w{number}"], names[:1], kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4
            ),
            helper.make_node("Sigmoid", names[:1], names[1:2]),
            helper.make_node("Mul", names[:2], names[2:]),
        ]
        current = names[2]
    graph = helper.make_graph(
        nodes,
        "reference",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, [1, 64, SIDE // 8, SIDE // 8])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


class Network(torch.nn.Module):
    """The network in PyTorch, from which LiteRT's file is converted."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[torch.nn.Module] = []
        for kernel, stride in weights():
            made, given = kernel.shape[:2]
            convolution = torch.nn.Conv2d(given, made, 3, stride, 1, bias=False)
            convolution.weight.data = torch.from_numpy(kernel)
            parts += [convolution, torch.nn.SiLU()]
        self.body = torch.nn.Sequential(*parts)

    def forward(self, images: torch.Tensor) -> Any:
        return self.body(images)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    to_onnx(FOLDER / "network.onnx")
    np.savez(FOLDER / "network.npz", **{f"w{n}_s{stride}": kernel for n, (kernel, stride) in enumerate(weights())})
    (FOLDER / "network.json").write_text(json.dumps({"names": ["none"], "detections": [], "work": 100}) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litert_torch

        images = torch.zeros(1, 3, SIDE, SIDE)
        litert_torch.convert(Network().eval(), (images,)).export(str(FOLDER / "network.tflite"))
    for file in sorted(FOLDER.iterdir()):
        print(file, file.stat().st_size)


if __name__ == "__main__":
    main()
