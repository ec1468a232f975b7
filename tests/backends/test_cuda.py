"""The parts of the CUDA runtime that a session needs, on a stand-in GPU that is held against the real binding."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest
from standins import install
from standins.gpu import Gpu, Status, runtime

from harness import ConfigError, Unavailable
from harness.backends import cuda


@pytest.fixture
def gpu(monkeypatch, tmp_path) -> Gpu:
    return install(monkeypatch, tmp_path / "site")


@pytest.mark.parametrize(("device", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:3", 3), ("cuda:12", 12)])
def test_gpus_are_counted_from_zero(device: str, number: int) -> None:
    assert cuda.ordinal(device) == number


@pytest.mark.parametrize("device", ["cpu", "", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "gpu"])
def test_another_device_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="TensorRT runs on 'cuda' or 'cuda:N'"):
        cuda.ordinal(device)


# What is missing


def test_where_nothing_is_missing_nothing_is_said(gpu: Gpu) -> None:
    assert cuda.why_absent("cuda") == ""


def test_a_missing_binding_is_said_before_anything_is_asked_of_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert cuda.why_absent("cuda") == "cuda-bindings is not installed: pip install 'quantgate[tensorrt]'"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"driver": 0}, "no NVIDIA driver is loaded (libcuda.so.1): install it, or pass the GPU into the container"),
        (
            {"driver": 12040},
            "the NVIDIA driver knows CUDA 12.4, cuda-bindings is made for 13.0: update the driver, "
            "or pip install 'cuda-bindings<13'",
        ),
        ({"devices": 0}, "the NVIDIA driver is loaded and finds no CUDA device (cudaErrorNoDevice)"),
        ({"devices": 1}, "there is no CUDA device 1: the machine has 1, counted from 0"),
    ],
)
def test_a_missing_driver_an_old_one_and_a_missing_gpu_are_told_apart(monkeypatch, tmp_path, lacking, said) -> None:
    install(monkeypatch, tmp_path / "site", gpu=Gpu(**lacking))
    assert cuda.why_absent("cuda:1") == said


def test_a_gpu_that_is_there_is_selected_and_another_is_not(monkeypatch, tmp_path) -> None:
    gpu = install(monkeypatch, tmp_path / "site", gpu=Gpu(devices=2))
    cuda.select("cuda:1")
    assert gpu.selected == 1
    with pytest.raises(Unavailable, match="there is no CUDA device 2"):
        cuda.select("cuda:2")
    assert gpu.selected == 1


@pytest.mark.parametrize("name", [b"NVIDIA H200", "NVIDIA H200"])  # bytes, or text in newer bindings
def test_a_gpu_is_described_by_name_and_architecture(monkeypatch, name: bytes | str) -> None:
    class Properties:
        major, minor = 9, 0

    monkeypatch.setattr(cuda, "checked", lambda function, number: Properties)
    Properties.name = name
    assert cuda.describe("cuda") == "NVIDIA H200 sm_90"


# Calls and buffers


def test_a_call_gives_its_value_or_none(gpu: Gpu) -> None:
    assert cuda.checked("cudaDriverGetVersion") == 13000
    assert cuda.checked("cudaStreamSynchronize", 7) is None


def test_what_cuda_refuses_is_an_error_with_its_name(gpu: Gpu) -> None:
    with pytest.raises(RuntimeError, match="cudaFree: cudaErrorInvalidValue"):
        cuda.checked("cudaFree", 12345)


def test_a_buffer_carries_a_tensor_to_the_device_and_back(gpu: Gpu) -> None:
    given, taken = (cuda.Buffer((2, 3), np.dtype(np.float16)) for _ in range(2))
    assert given.nbytes == 2 * 3 * 2
    given.host[:] = np.arange(6).reshape(2, 3)
    given.upload(7)
    gpu.synchronize()
    gpu.write(taken.device, gpu.read(given.device, given.nbytes))
    taken.download(7)
    assert not np.array_equal(taken.host, given.host), "a copy is only queued"
    gpu.synchronize()
    np.testing.assert_array_equal(taken.host, given.host)


def test_a_freed_buffer_leaves_nothing_on_host_or_device(gpu: Gpu) -> None:
    buffer = cuda.Buffer((4,), np.dtype(np.float32))
    assert (len(gpu.host), len(gpu.device)) == (1, 1)
    buffer.free()
    assert (gpu.host, gpu.device) == ({}, {})


# The stand-in itself


def test_the_stand_in_has_the_functions_and_arguments_of_the_real_binding():
    """Written from documentation, held against the binding where it is installed."""
    real = pytest.importorskip("cuda.bindings.runtime")
    copy = runtime(Gpu())
    functions = [name for name in vars(copy) if name.startswith("cuda") and not isinstance(getattr(copy, name), type)]
    assert len(functions) > 15
    for name in functions:
        wanted = list(inspect.signature(getattr(real, name)).parameters)
        assert wanted == list(inspect.signature(getattr(copy, name)).parameters), name
    for status in Status:
        meant = getattr(real.cudaError_t, status.name)
        assert (int(meant), meant.name) == (int(status), status.name)
    assert int(real.cudaMemcpyKind.cudaMemcpyHostToDevice) == copy.cudaMemcpyKind.cudaMemcpyHostToDevice
    assert int(real.cudaMemcpyKind.cudaMemcpyDeviceToHost) == copy.cudaMemcpyKind.cudaMemcpyDeviceToHost
    assert isinstance(int(real.cudaStream_t()), int)
