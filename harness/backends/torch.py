"""PyTorch, eager, on the CPU: the fused Ultralytics module as `precision/export.py` saves it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor, require, require_cpu
from harness.types import Artifact, Cell

SHORT = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def probe(cell: Cell) -> str:
    require_cpu(cell)
    require("ultralytics")
    return require("torch")


def load() -> None:
    import torch  # noqa: F401
    import ultralytics  # noqa: F401  (the classes of the pickled module)


def open(artifact: Artifact, cell: Cell, threads: int) -> TorchSession:
    import torch

    torch.set_num_threads(threads)
    # The checkpoint is our own, built from weights the user chose to run: unpickling it is loading it.
    module = torch.load(artifact.path, map_location="cpu", weights_only=False)
    _decode_in_float(module.model[-1])
    return TorchSession(module)


def _decode_in_float(head: Any) -> None:
    """Boxes are pixels up to the image size, which bfloat16 rounds to steps of 4; no other recipe does that to them."""
    head.dfl.float()  # YOLO11's expectation over box distances is part of the decoding; YOLO26 has none
    decode = head._inference
    head._inference = lambda predictions: decode(
        {name: [part.float() for part in value] if isinstance(value, list) else value.float()
         for name, value in predictions.items()}
    )  # fmt: skip


class TorchSession:
    """A module in inference mode; inputs are cast to its type, outputs to float32."""

    def __init__(self, module: Any) -> None:
        import torch

        self._torch = torch
        self._module = module.eval()
        self._dtype = next(module.parameters()).dtype

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        with self._torch.inference_mode():
            output = self._module(self._torch.from_numpy(batch).to(self._dtype))
        outputs = output if isinstance(output, tuple | list) else (output,)
        return tuple(tensor.float().numpy() for tensor in outputs if isinstance(tensor, self._torch.Tensor))

    def executed(self) -> dict[str, int]:
        """Eager PyTorch executes a layer in the type of its weights."""
        kinds = (self._torch.nn.Conv2d, self._torch.nn.ConvTranspose2d, self._torch.nn.Linear)
        counts: dict[str, int] = {}
        for layer in self._module.modules():
            if isinstance(layer, kinds):
                name = str(layer.weight.dtype).removeprefix("torch.")
                counts[SHORT.get(name, name)] = counts.get(SHORT.get(name, name), 0) + 1
        return counts

    def close(self) -> None:
        del self._module
