"""PyTorch: the fused Ultralytics module, eager on the CPU or a GPU, or compiled ahead of time for the CPU.

`recipes/export.py` saves the module, `recipes/pt2e.py` compiles it.
"""

from __future__ import annotations

import ctypes
import platform
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import torch_work
from harness.backends.base import Tensor, require
from harness.core.cell import Cell
from harness.core.errors import Unavailable, Unsupported
from harness.core.measurement import Artifact
from harness.machine.fingerprint import cpu_flags, isa

COMPILED = ".pt2"  # suffix of AOTInductor packages
REFERENCE = "network.npz"  # of `references.py`


def probe(cell: Cell) -> str:
    kind = cell.device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise Unavailable(f"torch runs on devices 'cpu' and 'cuda' in this version, not on {cell.device!r}")
    if cell.family == "int8" and kind == "cpu" and platform.machine() not in ("x86_64", "AMD64"):
        raise Unsupported(f"PyTorch's int8 convolutions are x86 kernels, and this is {platform.machine()}")
    require("ultralytics")
    version = require("torch")
    if kind == "cuda":
        _require_driver()
    return version


def _require_driver() -> None:
    """The driver is what most machines lack, and asking for it does not import torch."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise Unavailable("torch sees no CUDA device: no NVIDIA driver is loaded (libcuda.so.1)") from None


def hardware(cell: Cell) -> str:
    """What compiled code is good for: its instructions are those of the CPU that it was compiled on."""
    return f"{cell.device} {isa()} {zlib.crc32(' '.join(sorted(cpu_flags())).encode()):08x}"


def load() -> None:
    import torch._inductor.package  # noqa: F401
    import ultralytics  # noqa: F401  (the classes of the pickled module)


def open(artifact: Artifact, cell: Cell, threads: int) -> TorchSession | CompiledSession:
    import torch

    torch.set_num_threads(threads)
    if artifact.path.endswith(REFERENCE):
        return _session(_reference(artifact.path).to(cell.device), cell)
    if Path(artifact.path).suffix == COMPILED:
        return CompiledSession(artifact.path, artifact.meta["work"], (cell.batch, 3, cell.imgsz, cell.imgsz))
    if cell.device != "cpu" and not torch.cuda.is_available():
        raise Unavailable(f"torch {torch.__version__} sees no CUDA device, though there is an NVIDIA driver")
    # float32 is float32: on a GPU, TF32 would round what goes into a convolution to 10 bits.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    # The checkpoint is our own, built from weights the user chose to run: unpickling it is loading it.
    module = torch.load(artifact.path, map_location=cell.device, weights_only=False)
    decode_in_float(module.model[-1])
    return _session(module, cell)


def _session(module: Any, cell: Cell) -> TorchSession:
    return TorchSession(module, cell) if cell.device == "cpu" else CudaSession(module, cell)


def decode_in_float(head: Any) -> None:
    """Boxes are pixels up to the image size, which bfloat16 rounds to steps of 4; no other recipe does that to them."""
    head.dfl.float()  # YOLO11's expectation over box distances is part of the decoding; YOLO26 has none
    decode = head._inference
    head._inference = lambda predictions: decode(
        {name: [part.float() for part in value] if isinstance(value, list) else value.float()
         for name, value in predictions.items()}
    )  # fmt: skip


def _reference(path: str) -> Any:
    """The frozen network: kernels with their strides, SiLU between them."""
    import torch

    parts: list[Any] = []
    for name, kernel in np.load(path).items():
        convolution = torch.nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, int(name[-1]), 1, bias=False)
        convolution.weight.data = torch.from_numpy(kernel)
        parts += [convolution, torch.nn.SiLU()]
    return torch.nn.Sequential(*parts)


class TorchSession:
    """A module in inference mode; inputs are cast to its type, outputs to float32."""

    def __init__(self, module: Any, cell: Cell) -> None:
        import torch

        self._torch = torch
        self._module, self._device = module.eval(), cell.device
        self._images = np.zeros((cell.batch, 3, cell.imgsz, cell.imgsz), np.float32)
        self._dtype = next(module.parameters()).dtype

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        with self._torch.inference_mode():
            return _arrays(self._call(batch))

    def _call(self, batch: NDArray[np.float32]) -> Any:
        return self._module(self._torch.from_numpy(batch).to(self._device, self._dtype))

    def executed(self) -> dict[str, int]:
        """Seen by PyTorch's dispatcher during one call."""
        with self._torch.no_grad():  # in inference mode the dispatcher does not take convolutions apart
            return torch_work.of_call(lambda: self._call(self._images))

    def close(self) -> None:
        del self._module


class CudaSession(TorchSession):
    """On an NVIDIA GPU; events around the module give the device's own time, copies excluded."""

    def __init__(self, module: Any, cell: Cell) -> None:
        super().__init__(module, cell)
        self._start, self._end = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))

    def _call(self, batch: NDArray[np.float32]) -> Any:
        images = self._torch.from_numpy(batch).to(self._device, self._dtype)
        self._start.record()
        output = self._module(images)
        self._end.record()
        return output

    def device_ms(self) -> float:
        """Milliseconds between the events of the last call."""
        self._end.synchronize()
        return float(self._start.elapsed_time(self._end))


class CompiledSession:
    """An AOTInductor package. What it executes was fixed when it was compiled, and counted in the compiled graph."""

    def __init__(self, path: str, work: Mapping[str, int], shape: tuple[int, ...]) -> None:
        import torch
        from torch._inductor.package import load_package

        self._from_numpy, self._shape, self._work = torch.from_numpy, shape, work
        self._package = load_package(path)

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        if batch.shape != self._shape:  # compiled code does not look
            raise ValueError(f"the package is compiled for {self._shape}, not for {batch.shape}")
        return _arrays(self._package(self._from_numpy(batch)))

    def executed(self) -> dict[str, int]:
        return dict(self._work)

    def close(self) -> None:
        del self._package


def _arrays(output: Any) -> tuple[Tensor, ...]:
    """On the host and complete: a copy from a GPU waits for what it copies."""
    outputs = output if isinstance(output, tuple | list) else (output,)
    return tuple(tensor.float().cpu().numpy() for tensor in outputs if hasattr(tensor, "numpy"))
