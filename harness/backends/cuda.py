"""The few parts of the CUDA runtime that a TensorRT session needs: a device, checked calls, and pairs of buffers.

They go through NVIDIA's own binding (`cuda-bindings`, 20 MB) and not through `torch.cuda`. The process that measures a
cell imports the cell's runtime alone, so that torch's memory is not counted as TensorRT's. Besides, torch's wheels for
CPUs come without CUDA.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ConfigError, Unavailable

BINDING = "cuda-bindings"  # name of the distribution


def ordinal(device: str) -> int:
    """Return the number of a GPU, counted from 0: 0 for `cuda`, N for `cuda:N`.

    Raises:
        ConfigError: `device` has another form.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal() or device.endswith(":"):
        raise ConfigError(f"device {device!r}: TensorRT runs on 'cuda' or 'cuda:N'")
    return int(number or 0)


def why_absent(device: str) -> str:
    """Say what the machine lacks to use `device`; empty where nothing is missing. Creates no context on the GPU.

    The line tells a missing driver from an old one; CUDA reports both as an old one.
    """
    try:
        from cuda.bindings import runtime
    except ModuleNotFoundError:
        return f"{BINDING} is not installed: pip install 'quantgate[tensorrt]'"
    wanted = ordinal(device)
    _, driver = runtime.cudaDriverGetVersion()  # 13000 is CUDA 13.0; 0 where no driver is loaded
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
    """CUDA's version number as people write it: 12040 is 12.4."""
    return f"{version // 1000}.{version % 1000 // 10}"


def checked(function: str, *arguments: Any) -> Any:
    """Call a function of the CUDA runtime by its name and return its value, or None where it has no value.

    Raises:
        RuntimeError: the call failed; the message is the function and CUDA's name of the error.
    """
    from cuda.bindings import runtime

    status, *values = getattr(runtime, function)(*arguments)
    if status != runtime.cudaError_t.cudaSuccess:
        raise RuntimeError(f"{function}: {status.name}")
    return values[0] if values else None


def select(device: str) -> None:
    """Make `device` the GPU on which this thread builds and runs engines.

    Raises:
        Unavailable: the machine does not have this GPU; the message says what is missing.
    """
    if missing := why_absent(device):
        raise Unavailable(missing)
    checked("cudaSetDevice", ordinal(device))


def describe(device: str) -> str:
    """Return the name and architecture of a GPU, such as `NVIDIA H200 sm_90`."""
    found = checked("cudaGetDeviceProperties", ordinal(device))
    name = found.name.decode() if isinstance(found.name, bytes) else found.name
    return f"{name} sm_{found.major}{found.minor}"


class Buffer:
    """A tensor in two places: on the device, and in page-locked memory of the host, which copies asynchronously.

    Attributes:
        host: the array on the host. Its content after `download` is valid once the stream has been waited for.
        device: address of the copy on the device.
        nbytes: size of the tensor, in bytes.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.nbytes = int(np.prod(shape)) * dtype.itemsize
        self._pinned = int(checked("cudaMallocHost", self.nbytes))
        self.device = int(checked("cudaMalloc", self.nbytes))
        memory: Any = (ctypes.c_byte * self.nbytes).from_address(self._pinned)
        self.host: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    def upload(self, stream: Any) -> None:
        """Queue a copy from the host to the device on `stream`."""
        self._copy(self.device, self._pinned, "cudaMemcpyHostToDevice", stream)

    def download(self, stream: Any) -> None:
        """Queue a copy from the device to the host on `stream`."""
        self._copy(self._pinned, self.device, "cudaMemcpyDeviceToHost", stream)

    def _copy(self, target: int, source: int, kind: str, stream: Any) -> None:
        from cuda.bindings import runtime

        checked("cudaMemcpyAsync", target, source, self.nbytes, getattr(runtime.cudaMemcpyKind, kind), stream)

    def free(self) -> None:
        """Free both places. Arrays that share memory with `host` are invalid afterwards."""
        del self.host
        checked("cudaFree", self.device)
        checked("cudaFreeHost", self._pinned)
