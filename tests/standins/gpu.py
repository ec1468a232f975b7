"""A GPU made of host memory, and `cuda.bindings.runtime` on it."""

from __future__ import annotations

import ctypes
import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any


class Status(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101


class Direction(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


@dataclass
class Gpu:
    """Allocations by address, one queue of work, and a clock that ticks a millisecond per executed engine."""

    name: str = "NVIDIA Standin"
    capability: tuple[int, int] = (9, 0)
    devices: int = 1
    driver: int = 13000  # 0: not loaded
    host: dict[int, Any] = field(default_factory=dict)
    device: dict[int, Any] = field(default_factory=dict)
    queue: list[Callable[[], None]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    selected: int = 0
    now_ms: float = 0.0

    def allocate(self, kind: str, size: int) -> int:
        block = (ctypes.c_byte * size)(*[0x7F] * min(size, 4))  # not zero: what was not copied shows
        address = ctypes.addressof(block)
        getattr(self, kind)[address] = block
        return address

    def owns(self, kind: str, address: int, size: int) -> bool:
        block = getattr(self, kind).get(address)
        return block is not None and size <= ctypes.sizeof(block)

    def read(self, address: int, size: int) -> bytes:
        assert self.owns("device", address, size), f"the engine reads {size} bytes that are not the device's"
        return ctypes.string_at(address, size)

    def write(self, address: int, content: bytes) -> None:
        assert self.owns("device", address, len(content)), f"the engine writes {len(content)} bytes beyond its buffer"
        ctypes.memmove(address, content, len(content))

    def synchronize(self) -> None:
        while self.queue:
            self.queue.pop(0)()


def runtime(gpu: Gpu) -> ModuleType:
    """The module `cuda.bindings.runtime`: every function returns a tuple that begins with a status."""
    module: Any = ModuleType("cuda.bindings.runtime")
    module.cudaError_t, module.cudaMemcpyKind = Status, Direction

    def offered(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> tuple[Any, ...]:
            gpu.calls.append(function.__name__)
            answer = function(*arguments)
            if isinstance(answer, Status):
                return (answer, None) if answer else (answer,)
            return (Status.cudaSuccess, answer)

        setattr(module, function.__name__, call)
        return call

    @offered
    def cudaDriverGetVersion():
        return gpu.driver

    @offered
    def cudaRuntimeGetVersion():
        return 13000

    @offered
    def cudaGetDeviceCount():
        if gpu.driver < 13000:
            return Status.cudaErrorInsufficientDriver
        return gpu.devices or Status.cudaErrorNoDevice

    @offered
    def cudaGetDeviceProperties(device):
        major, minor = gpu.capability
        return SimpleNamespace(name=gpu.name.encode(), major=major, minor=minor)

    @offered
    def cudaSetDevice(device):
        gpu.selected = device
        return Status.cudaSuccess if device < gpu.devices else Status.cudaErrorInvalidDevice

    @offered
    def cudaMallocHost(size):
        return gpu.allocate("host", size)

    @offered
    def cudaMalloc(size):
        return gpu.allocate("device", size)

    @offered
    def cudaFreeHost(ptr):
        return Status.cudaSuccess if gpu.host.pop(ptr, None) is not None else Status.cudaErrorInvalidValue

    @offered
    def cudaFree(devPtr):
        return Status.cudaSuccess if gpu.device.pop(devPtr, None) is not None else Status.cudaErrorInvalidValue

    @offered
    def cudaMemcpyAsync(dst, src, count, kind, stream):
        source, target = ("host", "device") if kind == Direction.cudaMemcpyHostToDevice else ("device", "host")
        if not (gpu.owns(source, src, count) and gpu.owns(target, dst, count)):
            return Status.cudaErrorInvalidValue
        gpu.queue.append(lambda: void(ctypes.memmove(dst, src, count)))
        return Status.cudaSuccess

    @offered
    def cudaStreamCreate():
        return 7

    @offered
    def cudaStreamSynchronize(stream):
        gpu.synchronize()
        return Status.cudaSuccess

    @offered
    def cudaStreamDestroy(stream):
        return Status.cudaSuccess

    @offered
    def cudaEventCreate():
        return SimpleNamespace(at=None)

    @offered
    def cudaEventRecord(event, stream):
        gpu.queue.append(lambda: setattr(event, "at", gpu.now_ms))
        return Status.cudaSuccess

    @offered
    def cudaEventElapsedTime(start, end):
        return end.at - start.at if None not in (start.at, end.at) else Status.cudaErrorInvalidValue

    @offered
    def cudaEventDestroy(event):
        return Status.cudaSuccess

    return module


def void(value: object) -> None:
    """For lambdas that are called for what they do."""
