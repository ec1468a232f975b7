"""TensorRT sessions: what is missing here for real, and on a stand-in GPU what a call copies, runs and waits for."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from standins import install
from standins.gpu import Gpu

from harness import Cell, ConfigError, Unavailable
from harness.backends import tensorrt
from harness.commands.doctor.tables import abilities
from harness.core.measurement import Artifact
from harness.recipes.base import BuildInputs
from harness.recipes.tensorrt import engine

SIZE = 8
CELL = Cell("m", "fp32", "tensorrt", "cuda", SIZE)
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1)
IMAGES = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
EXPECTED = np.einsum("oi,nihw->nohw", WEIGHT[:, :, 0, 0], IMAGES)
HERE = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None or ctypes.util.find_library("cuda") is not None,
    reason="this machine has TensorRT or an NVIDIA driver",
)


@pytest.fixture
def gpu(monkeypatch, tmp_path) -> Gpu:
    return install(monkeypatch, tmp_path / "site")


def convolution(path: Path, element: int = TensorProto.FLOAT, batch: int | str = 1, inputs: int = 1) -> Path:
    """A graph of one 1 × 1 convolution, and an output of another shape that is twice the input."""
    dtype = helper.tensor_dtype_to_np_dtype(element)
    names = ["images", "more"][:inputs]
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["boxes"], name="/conv/Conv"),
        helper.make_node("Add", ["images", names[-1]], ["twice"], name="/add/Add"),
    ]
    given = [helper.make_tensor_value_info(name, element, [batch, 3, SIZE, SIZE]) for name in names]
    made = [helper.make_tensor_value_info(n, element, [batch, c, SIZE, SIZE]) for n, c in (("boxes", 4), ("twice", 3))]
    graph = helper.make_graph(nodes, "g", given, made, [numpy_helper.from_array(WEIGHT.astype(dtype), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


@pytest.fixture
def session(gpu, tmp_path):
    """Build an engine of a convolution and open it."""

    def opened(cell: Cell = CELL, **graph):
        source = convolution(tmp_path / "source.onnx", **graph)
        meta = engine(BuildInputs(source, source, (SIZE, SIZE), 1, False, None, device="cuda"), tmp_path, tf32=False)
        return tensorrt.open(Artifact(str(tmp_path / "model.engine"), "key", 1, meta), cell, 1)

    return opened


# What is missing


@HERE
def test_here_the_reason_names_the_package_and_the_driver():
    with pytest.raises(Unavailable) as refused:
        tensorrt.probe(CELL)
    assert "tensorrt is not installed: pip install 'quantgate[tensorrt]'" in str(refused.value)
    if importlib.util.find_spec("cuda") and importlib.util.find_spec("cuda.bindings"):
        assert "no NVIDIA driver is loaded" in str(refused.value)
    else:
        assert "cuda-bindings is not installed: pip install 'quantgate[tensorrt]'" in str(refused.value)


@HERE
def test_the_doctor_says_it_in_one_line_for_every_precision_there_is_a_recipe_for():
    reasons = {row.precision: row.reason for row in abilities() if row.backend == "tensorrt"}
    assert reasons["fp32"] == reasons["fp16"]
    assert reasons["fp32"].startswith("tensorrt is not installed")
    assert "dynamic quantization" in reasons["int8-dynamic"]


@pytest.mark.parametrize(
    ("lacking", "device", "reason"),
    [
        ({"driver": 0}, "cuda", "no NVIDIA driver is loaded (libcuda.so.1)"),
        (
            {"driver": 12040},
            "cuda",
            "driver knows CUDA 12.4, cuda-bindings is made for 13.0: update the driver, or pip",
        ),
        ({"devices": 0}, "cuda", "finds no CUDA device (cudaErrorNoDevice)"),
        ({"devices": 2}, "cuda:2", "there is no CUDA device 2: the machine has 2"),
    ],
)
def test_a_missing_driver_and_a_missing_device_are_told_apart(monkeypatch, tmp_path, lacking, device, reason):
    install(monkeypatch, tmp_path / "site", gpu=Gpu(**lacking))
    with pytest.raises(Unavailable) as refused:
        tensorrt.probe(Cell("m", "fp32", "tensorrt", device))
    assert reason in str(refused.value)
    assert "not installed" not in str(refused.value)


def test_where_all_is_there_the_probe_says_the_version_and_touches_nothing(gpu):
    assert tensorrt.probe(CELL) == "10.13.3.9"
    assert set(gpu.calls) == {"cudaDriverGetVersion", "cudaGetDeviceCount"}, "no context is created by asking"


@pytest.mark.parametrize("device", ["cpu", "cuda:", "cuda:x", "cuda:-1", "gpu"])
def test_a_device_that_is_none_is_an_error_of_the_suite(device):
    with pytest.raises(ConfigError, match="'cuda' or 'cuda:N'"):
        tensorrt.probe(Cell("m", "fp32", "tensorrt", device))


# A call


def test_a_call_computes_what_the_engine_computes(session):
    opened = session()
    boxes, twice = opened.infer(IMAGES)
    np.testing.assert_allclose(boxes, EXPECTED, rtol=1e-5)
    np.testing.assert_array_equal(twice, IMAGES * 2)
    np.testing.assert_allclose(opened.infer(IMAGES * 3)[0], EXPECTED * 3, rtol=1e-5)


def test_a_call_uploads_executes_between_the_events_downloads_and_waits(session, gpu):
    opened = session()
    gpu.calls.clear()
    opened.infer(IMAGES)
    assert gpu.calls == [
        "cudaMemcpyAsync", "cudaEventRecord", "execute_async_v3", "cudaEventRecord",
        "cudaMemcpyAsync", "cudaMemcpyAsync", "cudaStreamSynchronize",
    ]  # fmt: skip
    assert not gpu.queue, "the work is complete on return"


def test_the_device_has_a_clock_and_a_memory(session, tmp_path):
    opened = session()
    opened.infer(IMAGES)
    assert opened.device_ms() == 1.5
    tensors = 4 * SIZE * SIZE * (3 + 4 + 3)
    assert opened.device_memory_bytes() == (tmp_path / "model.engine").stat().st_size + 1000 + tensors


def test_a_closed_session_gives_everything_back(session, gpu):
    opened = session()
    assert len(gpu.host) == len(gpu.device) == 3
    opened.infer(IMAGES)
    opened.close()
    assert not gpu.host
    assert not gpu.device
    assert gpu.calls.count("cudaEventDestroy") == 2


def test_the_gpu_of_the_cell_is_the_one_that_is_used(monkeypatch, tmp_path):
    gpu = install(monkeypatch, tmp_path / "site", gpu=Gpu(devices=2))
    source = convolution(tmp_path / "source.onnx")
    engine(BuildInputs(source, source, (SIZE, SIZE), 1, False, None, device="cuda:1"), tmp_path, tf32=False)
    assert gpu.selected == 1
    gpu.selected = 0
    tensorrt.open(Artifact(str(tmp_path / "model.engine"), "key", 1), Cell("m", "fp32", "tensorrt", "cuda:1", SIZE), 1)
    assert gpu.selected == 1


def test_an_engine_with_float16_ends_is_fed_float16(session):
    boxes, _ = session(element=TensorProto.FLOAT16).infer(IMAGES)
    assert boxes.dtype == np.float16
    np.testing.assert_allclose(boxes, EXPECTED, rtol=3e-3)


def test_an_engine_of_any_batch_is_set_to_the_cells(session):
    opened = session(Cell("m", "fp32", "tensorrt", "cuda", SIZE, batch=2), batch="n")
    boxes, _ = opened.infer(np.concatenate([IMAGES, IMAGES * 2]))
    np.testing.assert_allclose(boxes[1], EXPECTED[0] * 2, rtol=1e-5)


def test_one_image_is_not_repeated_over_the_batch(session):
    opened = session(Cell("m", "fp32", "tensorrt", "cuda", SIZE, batch=2), batch="n")
    with pytest.raises(ValueError, match=r"\(2, 3, 8, 8\), not \(1, 3, 8, 8\)"):
        opened.infer(IMAGES)


# Engines that do not fit


@pytest.mark.parametrize(
    ("cell", "graph", "said"),
    [
        (Cell("m", "fp32", "tensorrt", "cuda", 16), {}, r"takes images \[1, 3, 8, 8\] .* gives \[1, 3, 16, 16\]"),
        (Cell("m", "fp32", "tensorrt", "cuda", SIZE, batch=9), {"batch": "n"}, r"the cell gives \[9, 3, 8, 8\]"),
        (CELL, {"inputs": 2}, "2 inputs"),
    ],
)  # fmt: skip
def test_an_engine_that_does_not_fit_the_cell_is_one_line(session, cell, graph, said):
    with pytest.raises(ConfigError, match=said):
        session(cell, **graph)


def test_a_type_without_a_numpy_type_is_named(gpu, tmp_path):
    node = helper.make_node("Cast", ["images"], ["boxes"], to=TensorProto.BFLOAT16)
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    made = helper.make_tensor_value_info("boxes", TensorProto.BFLOAT16, [1, 3, SIZE, SIZE])
    graph = helper.make_graph([node], "g", [given], [made])
    source = tmp_path / "source.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), source)
    engine(BuildInputs(source, source, (SIZE, SIZE), 1, False, None, device="cuda"), tmp_path, tf32=False)
    with pytest.raises(ConfigError, match=r"boxes is DataType\.BF16, a type that NumPy does not have"):
        tensorrt.open(Artifact(str(tmp_path / "model.engine"), "key", 1), CELL, 1)


def test_an_engine_of_another_version_is_refused_in_tensorrts_words(session, monkeypatch, tmp_path):
    session()
    install(monkeypatch, tmp_path / "newer", version="11.0.0.2")
    with pytest.raises(ConfigError) as refused:
        tensorrt.open(Artifact(str(tmp_path / "model.engine"), "key", 1), CELL, 1)
    assert "TensorRT 11.0.0.2 cannot load" in str(refused.value)
    assert "expecting library version 10.13.3.9 got 11.0.0.2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_metadata_before_an_engine_is_told_from_the_engine(tmp_path):
    plan, metadata = b"ftrt" + bytes(60), {"names": {"0": "cat"}, "imgsz": [640, 640]}
    header = json.dumps(metadata).encode()
    raw, exported = tmp_path / "raw.engine", tmp_path / "exported.engine"
    raw.write_bytes(plan)
    exported.write_bytes(len(header).to_bytes(4, "little") + header + plan)
    assert tensorrt.read_engine(raw) == ({}, plan)
    assert tensorrt.read_engine(exported) == (metadata, plan)
    for kept in (4 + len(header), len(header), 20):
        exported.write_bytes((len(header).to_bytes(4, "little") + header + plan)[:kept])
        with pytest.raises(ConfigError, match=r"exported\.engine is cut short"):
            tensorrt.read_engine(exported)


@pytest.mark.parametrize("content", [b"", b"ftr", b"PK\x03\x04 a zip file", b"\x08\x07\x12\x07pytorch an ONNX graph"])
def test_what_is_no_engine_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "model.engine"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no TensorRT engine"):
        tensorrt.read_engine(path)


def test_an_absent_engine_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        tensorrt.read_engine(tmp_path / "model.engine")


# The frozen network


def test_the_frozen_reference_is_compiled_for_the_gpu_when_it_is_opened(gpu, tmp_path):
    graph = convolution(tmp_path / "network.onnx")
    opened = tensorrt.open(Artifact(str(graph), "key", 1), CELL, 1)
    np.testing.assert_allclose(opened.infer(IMAGES)[0], EXPECTED, rtol=1e-6)
    assert opened.device_ms() >= 0
    opened.close()
