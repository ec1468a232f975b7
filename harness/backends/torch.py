"""PyTorch: the fused Ultralytics module, eager on the CPU or an NVIDIA GPU, or compiled ahead of time for the CPU.

`harness.recipes.export` saves the module, and `harness.recipes.pt2e` compiles it.
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

COMPILED = ".pt2"  # the suffix of AOTInductor packages
REFERENCE = "network.npz"  # in assets/reference


def probe(cell: Cell) -> str:
    """Return the version of the installed PyTorch, without importing it.

    Raises:
        Unavailable: PyTorch or Ultralytics is not installed, the device is of another kind than `cpu` and `cuda`, or no
            NVIDIA driver is loaded for `cuda`.
        Unsupported: the cell is int8 on a CPU that is not x86.
    """
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
    """Raise Unavailable where no NVIDIA driver is loaded, the usual reason for no CUDA. Does not import torch."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise Unavailable("torch sees no CUDA device: no NVIDIA driver is loaded (libcuda.so.1)") from None


def hardware(cell: Cell) -> str:
    """Name the CPUs that compiled code runs on: device, instruction set, and a checksum of all CPU flags."""
    return f"{cell.device} {isa()} {zlib.crc32(' '.join(sorted(cpu_flags())).encode()):08x}"


def load() -> None:
    """Import PyTorch, the loader of compiled packages, and Ultralytics, whose classes a saved module consists of."""
    import torch._inductor.package  # noqa: F401
    import ultralytics  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> TorchSession | CompiledSession:
    """Load a saved module, a compiled package or the frozen network, whichever `artifact` is. Sets PyTorch's threads.

    Raises:
        Unavailable: PyTorch sees no CUDA device for a cell on `cuda`.
    """
    import torch

    torch.set_num_threads(threads)
    if artifact.path.endswith(REFERENCE):
        return _session(_reference(artifact.path).to(cell.device), cell)
    if Path(artifact.path).suffix == COMPILED:
        return CompiledSession(artifact.path, artifact.meta["work"], cell.shape)
    if cell.device != "cpu" and not torch.cuda.is_available():
        raise Unavailable(f"torch {torch.__version__} sees no CUDA device, though there is an NVIDIA driver")
    # float32 has to be float32: on a GPU, TF32 would round the inputs of a convolution to 10 bits of mantissa.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    # Unpickling can run any code. This file is our own, made from weights that the user chose to run.
    module = torch.load(artifact.path, map_location=cell.device, weights_only=False)
    decode_in_float(module.model[-1])
    return _session(module, cell)


def _session(module: Any, cell: Cell) -> TorchSession:
    """A session of a module that is on the cell's device."""
    return TorchSession(module, cell) if cell.device == "cpu" else CudaSession(module, cell)


def decode_in_float(head: Any) -> None:
    """Make a detection head decode its boxes in float32, whatever type its convolutions compute in.

    Coordinates are pixels up to the image size, and bfloat16 would round them to steps of 4. No other recipe rounds
    boxes.
    """
    head.dfl.float()  # YOLO11's expectation over box distances is part of the decoding; YOLO26 has none
    decode = head._inference

    def in_float(value: Any) -> Any:
        return [part.float() for part in value] if isinstance(value, list) else value.float()

    head._inference = lambda predictions: decode({name: in_float(value) for name, value in predictions.items()})


def _reference(path: str) -> Any:
    """Build the frozen network: 3 × 3 convolutions with the file's kernels and strides, each followed by SiLU.

    The last character of a kernel's name is its stride.
    """
    import torch

    parts: list[Any] = []
    for name, kernel in np.load(path).items():
        convolution = torch.nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, int(name[-1]), 1, bias=False)
        convolution.weight.data = torch.from_numpy(kernel)
        parts += [convolution, torch.nn.SiLU()]
    return torch.nn.Sequential(*parts)


class TorchSession:
    """A module in inference mode on the cell's device."""

    def __init__(self, module: Any, cell: Cell) -> None:
        import torch

        self._torch = torch
        self._module, self._device = module.eval(), cell.device
        self._images = np.zeros(cell.shape, np.float32)
        self._dtype = next(module.parameters()).dtype

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Call the module on `batch` in the type of its parameters; the outputs come back as float32."""
        with self._torch.inference_mode():
            return _arrays(self._call(batch))

    def _call(self, batch: NDArray[np.float32]) -> Any:
        return self._module(self._torch.from_numpy(batch).to(self._device, self._dtype))

    def executed(self) -> dict[str, int]:
        """Count while PyTorch's dispatcher passes every operator of one call on a black image to its kernel."""
        with self._torch.no_grad():  # in inference mode the dispatcher would not show single convolutions
            return torch_work.of_call(lambda: self._call(self._images))

    def close(self) -> None:
        """Drop the module and its weights."""
        del self._module


class CudaSession(TorchSession):
    """A module on an NVIDIA GPU. Events around it give the device's own time, without the copies."""

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
        """Milliseconds between the two events of the last call. Waits until the device has recorded them."""
        self._end.synchronize()
        return float(self._start.elapsed_time(self._end))


class CompiledSession:
    """An AOTInductor package: machine code for one input shape.

    Args:
        path: the `.pt2` file.
        work: multiply-accumulates by numeric type, counted in the graph when it was compiled.
        shape: the input shape [N, 3, H, W] that the package is compiled for.
    """

    def __init__(self, path: str, work: Mapping[str, int], shape: tuple[int, ...]) -> None:
        import torch
        from torch._inductor.package import load_package

        self._from_numpy, self._shape, self._work = torch.from_numpy, shape, work
        self._package = load_package(path)

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the compiled code on `batch`.

        Raises:
            ValueError: the batch is of another shape; the compiled code itself would not check.
        """
        if batch.shape != self._shape:
            raise ValueError(f"the package is compiled for {self._shape}, not for {batch.shape}")
        return _arrays(self._package(self._from_numpy(batch)))

    def executed(self) -> dict[str, int]:
        """Return what was counted at compilation: compiled code cannot execute anything else."""
        return dict(self._work)

    def close(self) -> None:
        """Drop the loaded package."""
        del self._package


def _arrays(output: Any) -> tuple[Tensor, ...]:
    """The tensors of a module's output as float32 arrays on the host. A copy from a GPU waits for its kernels."""
    outputs = output if isinstance(output, tuple | list) else (output,)
    return tuple(tensor.float().cpu().numpy() for tensor in outputs if hasattr(tensor, "numpy"))
