"""PyTorch: what executed is seen while it executes, on a device that is there."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from harness import Cell, Unavailable
from harness.backends import torch as backend
from harness.core.measurement import Artifact
from harness.inputs.sources import BUNDLED_WEIGHTS
from harness.recipes.base import BuildInputs
from harness.recipes.export import to_module
from harness.recipes.registry import REASONS, recipe

SIZE = 64
CELL = Cell("digits", "fp32", "torch", imgsz=SIZE)
BATCH = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """The bundled detector, its weights stored in a type."""
    folder = tmp_path_factory.mktemp("torch")

    def build(dtype: str, end_to_end: bool = False) -> Artifact:
        place = folder / f"{dtype}-{end_to_end}"
        if not place.exists():
            place.mkdir()
            weights = BUNDLED_WEIGHTS["yolo26n-digits"]
            to_module(BuildInputs(weights, weights, (SIZE, SIZE), 1, end_to_end, None), place, dtype)
        return Artifact(str(place / "model.pt"), "key", 1)

    return build


def test_every_multiply_accumulate_of_a_call_is_counted_in_the_type_it_ran_in(artifact):
    executed = backend.open(artifact("float32"), CELL, 1).executed()
    assert set(executed) == {"f32"}
    stem = 3 * 16 * 9 * (SIZE // 2) ** 2
    assert executed["f32"] > 10 * stem
    larger = Cell("digits", "fp32", "torch", imgsz=2 * SIZE)
    ratio = backend.open(artifact("float32"), larger, 1).executed()["f32"] / executed["f32"]
    assert 4 <= ratio < 4.2, "convolutions grow with the area, attention faster"


def test_bf16_runs_in_bf16_and_its_boxes_stay_near_those_of_float32(artifact):
    exact, rounded = (backend.open(artifact(dtype), CELL, 1) for dtype in ("float32", "bfloat16"))
    assert rounded.executed().keys() == {"bf16"}
    assert sum(rounded.executed().values()) == sum(exact.executed().values())
    assert rounded.infer(BATCH)[0].dtype == np.float32
    assert np.abs(rounded.infer(BATCH)[0] - exact.infer(BATCH)[0])[:, :4].mean() < 0.5, "pixels"


def test_the_end_to_end_head_gives_one_box_per_object(artifact):
    (output,) = backend.open(artifact("float32", end_to_end=True), CELL, 1).infer(BATCH)
    assert output.shape[2] == 6


@pytest.mark.parametrize("threads", [1, 2])
def test_a_session_uses_as_many_threads_as_it_is_told(artifact, threads):
    before = torch.get_num_threads()
    try:
        backend.open(artifact("float32"), CELL, threads)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_without_an_nvidia_driver_a_cuda_cell_says_so_before_anything_is_built(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    with pytest.raises(Unavailable, match="torch sees no CUDA device: no NVIDIA driver"):
        backend.probe(Cell("digits", "fp32", "torch", "cuda"))
    assert backend.probe(CELL) == torch.__version__.partition("+")[0] or backend.probe(CELL) == torch.__version__


def test_with_a_driver_and_no_device_the_session_says_so(artifact, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match="sees no CUDA device"):
        backend.open(artifact("float32"), Cell("digits", "fp32", "torch", "cuda", SIZE), 1)


def test_float16_is_for_gpus_and_compiled_int8_for_cpus():
    assert recipe(Cell("digits", "fp16", "torch", "cuda")).executes == "f16"
    with pytest.raises(Unavailable, match="no fast float16 convolution on CPUs"):
        recipe(Cell("digits", "fp16", "torch"))
    assert recipe(Cell("digits", "int8", "torch")).compiled
    with pytest.raises(Unavailable, match="x86 kernels"):
        recipe(Cell("digits", "int8", "torch", "cuda:1"))
    assert "no convolution kernels" in REASONS["torch", "int8-dynamic"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_on_a_gpu_float32_is_float32(artifact):
    session = backend.open(artifact("float32"), Cell("digits", "fp32", "torch", "cuda", SIZE), 1)
    assert session.executed().keys() == {"f32"}
    expected = backend.open(artifact("float32"), CELL, 1).infer(BATCH)[0]
    assert np.allclose(session.infer(BATCH)[0], expected, atol=1e-2)


def test_a_gpu_is_timed_by_events_around_the_module_alone(monkeypatch):
    log = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            log.append("event")

        def synchronize(self):
            log.append("wait")

        def elapsed_time(self, end):
            return 1.25

    class Module(torch.nn.Conv2d):
        def forward(self, images):
            log.append("module")
            return super().forward(images)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    session = backend.CudaSession(Module(3, 4, 1), Cell("m", "fp32", "torch", imgsz=8))
    (output,) = session.infer(np.zeros((1, 3, 8, 8), np.float32))
    assert output.shape == (1, 4, 8, 8)
    assert session.device_ms() == 1.25
    assert log == ["event", "module", "event", "wait"]
