"""The little of the CUDA runtime that a session needs: a device, a stream, buffers in pairs, and the device's clock.

Through NVIDIA's own binding (`cuda-bindings`, 20 MB) and not `torch.cuda`: the process that measures a cell imports its
runtime alone, so that torch's memory is not counted as TensorRT's, and torch's wheels for CPUs have no CUDA at all.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ConfigError, Unavailable

BINDING = "cuda-bindings"  # the distribution


def ordinal(device: str) -> int:
    """`cuda` is the first GPU, `cuda:N` counts from 0."""
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal() or device.endswith(":"):
        raise ConfigError(f"device {device!r}: TensorRT runs on 'cuda' or 'cuda:N'")
    return int(number or 0)


def why_absent(device: str) -> str:
    """What the machine lacks to use `device`, or nothing. Creates no context on the GPU.

    In the words that tell a missing driver from a missing GPU; CUDA itself reports the first as an old one.
    """
    try:
        from cuda.bindings import runtime
    except ModuleNotFoundError:
        return f"{BINDING} is not installed: pip install 'quantgate[tensorrt]'"
    wanted = ordinal(device)
    _, driver = runtime.cudaDriverGetVersion()  # 0 without one; 13000 is 13.0
    if not driver:
        return "no NVIDIA driver is loaded (libcuda.so.1): install it, or pass the GPU into the container"
    status, count = runtime.cudaGetDeviceCount()
    if status == runtime.cudaError_t.cudaErrorInsufficientDriver:
        _, ours = runtime.cudaRuntimeGetVersion()
        return (
            f"the NVIDIA driver knows CUDA {_dotted(driver)}, {BINDING} is made for {_dotted(ours)}: "
            f"update the driver, or pip install '{BINDING}<{ours // 1000}'"
        )
    if status != runtime.cudaError_t.cudaSuccess or not count:
        return f"the NVIDIA driver is loaded and finds no CUDA device ({status.name})"
    if wanted >= count:
        return f"there is no CUDA device {wanted}: the machine has {count}, counted from 0"
    return ""


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def checked(function: str, *arguments: Any) -> Any:
    """Call a function of the runtime; its value, where it has one.

    Raises:
        RuntimeError: with CUDA's name of what went wrong.
    """
    from cuda.bindings import runtime

    status, *values = getattr(runtime, function)(*arguments)
    if status != runtime.cudaError_t.cudaSuccess:
        raise RuntimeError(f"{function}: {status.name}")
    return values[0] if values else None


def select(device: str) -> None:
    """Make `device` the one that this thread builds and runs on.

    Raises:
        Unavailable: the machine does not have it.
    """
    if missing := why_absent(device):
        raise Unavailable(missing)
    checked("cudaSetDevice", ordinal(device))


def describe(device: str) -> str:
    """Name and architecture of a GPU: `NVIDIA H200 sm_90`."""
    found = checked("cudaGetDeviceProperties", ordinal(device))
    name = found.name.decode() if isinstance(found.name, bytes) else found.name
    return f"{name} sm_{found.major}{found.minor}"


class Buffer:
    """A tensor twice: page-locked on the host, so that copies can be asynchronous, and on the device."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.nbytes = int(np.prod(shape)) * dtype.itemsize
        self._pinned = int(checked("cudaMallocHost", self.nbytes))
        self.device = int(checked("cudaMalloc", self.nbytes))  # address
        memory: Any = (ctypes.c_byte * self.nbytes).from_address(self._pinned)
        self.host: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    def upload(self, stream: Any) -> None:
        self._copy(self.device, self._pinned, "cudaMemcpyHostToDevice", stream)

    def download(self, stream: Any) -> None:
        self._copy(self._pinned, self.device, "cudaMemcpyDeviceToHost", stream)

    def _copy(self, target: int, source: int, kind: str, stream: Any) -> None:
        from cuda.bindings import runtime

        checked("cudaMemcpyAsync", target, source, self.nbytes, getattr(runtime.cudaMemcpyKind, kind), stream)

    def free(self) -> None:
        del self.host
        checked("cudaFree", self.device)
        checked("cudaFreeHost", self._pinned)
