"""How engines are built: strongly typed on 10 and 11, in the types of the graph, with timings kept, keyed by GPU."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders import needs_vnni
from jobs import Silent
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from standins import install
from standins.gpu import Gpu

from harness import Cell, ConfigError, matrix
from harness.backends import tensorrt as backend
from harness.core.measurement import Artifact
from harness.inputs.artifact_cache import Cache
from harness.recipes.base import BuildInputs
from harness.recipes.registry import RECIPES, steps
from harness.recipes.tensorrt import engine, half, ready

SIZE = 32
CELL = Cell("m", "fp32", "tensorrt", "cuda", SIZE)
IMAGES = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)


def node(kind: str, name: str, given: list[str], made: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, given, [made], name=name, **attributes)


@pytest.fixture
def graph(tmp_path) -> Path:
    """A backbone and a head, named as Ultralytics names them: two convolutions, and a decoding that scales by 640."""
    draw = np.random.default_rng(1)  # a shared one would make the weights depend on the tests that ran before
    nodes = [
        node("Conv", "/model.0/conv/Conv", ["images", "w0"], "a", pads=[1, 1, 1, 1]),
        node("Sigmoid", "/model.0/act/Sigmoid", ["a"], "b"),
        node("Conv", "/model.1/cv2.0/Conv", ["b", "w1"], "c"),
        node("Sigmoid", "/model.1/Sigmoid", ["c"], "d"),
        node("Mul", "/model.1/Mul", ["d", "pixels"], "e"),
        node("MatMul", "/model.1/MatMul", ["e", "mix"], "output"),
    ]
    constants = {
        "w0": draw.normal(size=(8, 3, 3, 3)),
        "w1": draw.normal(size=(4, 8, 1, 1)),
        "pixels": np.array(640),
        "mix": np.eye(SIZE),
    }
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, SIZE, SIZE])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], [made], weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    onnx.save(model, tmp_path / "graph.onnx")
    return tmp_path / "graph.onnx"


def given(source: Path, timings: Path | None = None) -> BuildInputs:
    return BuildInputs(source, source, (SIZE, SIZE), 1, False, None, device="cuda", timings=timings)


@pytest.fixture
def build(tmp_path) -> Callable[..., tuple[dict, dict]]:
    """Build an engine; what its builder was told, and what the artifact knows of it."""

    def built(source: Path, tf32: bool = False, timings: Path | None = None) -> tuple[dict, dict]:
        meta = engine(given(source, timings), tmp_path, tf32=tf32)
        plan = (tmp_path / "model.engine").read_bytes()
        return json.loads(plan[4:].partition(b"\0")[0]), meta

    return built


def run(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": IMAGES})[0]


# What the builder is told


@pytest.mark.parametrize(("version", "flags"), [("10.13.3.9", 2), ("11.0.0.2", 0)])
def test_both_versions_build_strongly_typed_and_with_details(monkeypatch, tmp_path, graph, build, version, flags):
    gpu = install(monkeypatch, tmp_path / "site", version)
    told, _ = build(graph)
    assert f"create_network {flags}" in gpu.calls, "11 has deprecated the flag, 10 needs it"
    assert told["strongly_typed"]
    assert told["verbosity"] == "DETAILED"


@pytest.mark.parametrize("version", ["10.13.3.9", "11.0.0.2"])
def test_fp32_means_fp32_unless_tf32_is_asked_for(monkeypatch, tmp_path, graph, build, version):
    install(monkeypatch, tmp_path / "site", version)
    assert build(graph)[0]["flags"] == []
    assert build(graph, tf32=True)[0]["flags"] == ["TF32"]
    asked = [name for runtime, name in RECIPES if runtime == "tensorrt" and RECIPES[runtime, name].params.get("tf32")]
    assert asked == ["fp32:tf32"]


def test_an_operator_that_tensorrt_has_not_is_named_with_its_node(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    model = onnx.load(graph)
    model.graph.node[1].op_type = "Unsupported"
    onnx.save(model, graph)
    with pytest.raises(ConfigError) as refused:
        build(graph)
    assert str(refused.value) == (
        "TensorRT 10.13.3.9 cannot compile graph.onnx: No importer registered for op: Unsupported. "
        "(node '/model.0/act/Sigmoid', operator Unsupported)"
    )


def test_a_builder_that_gives_up_is_quoted(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    monkeypatch.setattr("standins.trt.Network.load", lambda network, path: None)
    with pytest.raises(RuntimeError, match=r"built no engine of graph\.onnx: Network must have at least one output"):
        build(graph)


def test_a_long_build_shows_that_it_is_alive(monkeypatch, tmp_path, graph):
    install(monkeypatch, tmp_path / "site")
    seen: list[tuple[int, int]] = []
    watched = dataclasses.replace(given(graph), advance=lambda done, total: seen.append((done, total)))
    engine(watched, tmp_path, tf32=False)
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


# Timings


def test_what_was_timed_once_is_not_timed_again(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    kept = tmp_path / "cache" / "timings" / "gpu"
    assert build(graph, timings=kept)[0]["timed"] == ["Conv", "MatMul", "Mul", "Sigmoid"]
    assert build(graph, timings=kept)[0]["timed"] == []


@pytest.mark.parametrize("damage", [b"", b"not timings", None])
def test_damaged_timings_are_left_out_and_replaced(monkeypatch, tmp_path, graph, build, damage):
    install(monkeypatch, tmp_path / "site")
    kept = tmp_path / "gpu"
    build(graph, timings=kept)
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    assert len(build(graph, timings=kept)[0]["timed"]) == 4
    assert build(graph, timings=kept)[0]["timed"] == []


def test_timings_of_another_gpu_are_left_out(monkeypatch, tmp_path, graph, build):
    kept = tmp_path / "gpu"
    install(monkeypatch, tmp_path / "site", gpu=Gpu("NVIDIA Orin", (8, 7)))
    build(graph, timings=kept)
    install(monkeypatch, tmp_path / "other", gpu=Gpu("NVIDIA H200", (9, 0)))
    assert len(build(graph, timings=kept)[0]["timed"]) == 4


# Keys


@pytest.fixture
def cached(monkeypatch, tmp_path, graph):
    """The artifact that one cache has for a GPU and a version, and the labels of the jobs that were run for it."""
    ran: list[str] = []

    def run(job, label):
        ran.append(f"{job.recipe.build} for {label}")
        return job.run(Silent())

    cache = Cache(tmp_path / "cache", run)

    def artifact(version: str, gpu: Gpu, site: str) -> tuple[Artifact, list[str]]:
        install(monkeypatch, tmp_path / site, version, gpu)
        ran.clear()
        return cache.artifact(CELL, graph, None), list(ran)

    return artifact


def test_an_engine_is_good_for_one_gpu_and_one_version_but_its_graph_for_all(cached):
    first, ran = cached("10.13.3.9", Gpu("NVIDIA H200", (9, 0)), "a")
    assert ran == ["ready:float_graph for build m-fp32-tensorrt-cuda", "tensorrt:engine for build m-fp32-tensorrt-cuda"]
    assert first.meta["shaped_by"]["hardware"] == "NVIDIA H200 sm_90 TensorRT 10.13.3.9"
    same, ran = cached("10.13.3.9", Gpu("NVIDIA H200", (9, 0)), "b")
    assert (same.key, ran) == (first.key, [])
    other = [cached("11.0.0.2", Gpu("NVIDIA H200", (9, 0)), "c"), cached("10.13.3.9", Gpu("NVIDIA Orin", (8, 7)), "d")]
    assert len({first.key, *(artifact.key for artifact, _ in other)}) == 3
    assert [ran for _, ran in other] == [["tensorrt:engine for build m-fp32-tensorrt-cuda"]] * 2


def test_timings_lie_in_the_cache_one_file_for_each_gpu_and_version(cached, tmp_path):
    cached("10.13.3.9", Gpu("NVIDIA H200", (9, 0)), "a")
    cached("11.0.0.2", Gpu("NVIDIA H200", (9, 0)), "b")
    kept = sorted(file.name for file in (tmp_path / "cache" / "timings").iterdir())
    assert kept == ["NVIDIA-H200-sm-90-TensorRT-10.13.3.9", "NVIDIA-H200-sm-90-TensorRT-11.0.0.2"]


def test_a_matrix_means_the_gpu_where_it_says_nothing():
    cells = matrix("m", "fp32", ["onnxruntime", "tensorrt"])
    assert [cell.id for cell in cells] == ["m-fp32-onnxruntime-cpu", "m-fp32-tensorrt-cuda"]
    several = matrix("m", "fp32", "tensorrt", device=["cpu", "cuda", "cuda:1"])
    assert [cell.device for cell in several] == ["cuda", "cuda:1"]


# What executes


class Images(CalibrationDataReader):
    """One image to calibrate on."""

    left = 1

    def get_next(self):
        self.left -= 1
        return {"images": IMAGES} if self.left == 0 else None


WORK = {"/model.0/conv/Conv": 8 * 27 * SIZE**2, "/model.1/cv2.0/Conv": 4 * 8 * SIZE**2}
MATMUL = 4 * SIZE**3


@pytest.fixture
def executed(build, tmp_path):
    """Multiply-accumulates by type of the engine of a graph."""

    def opened(source: Path, tf32: bool = False) -> dict[str, int]:
        meta = build(source, tf32)[1]
        return backend.open(Artifact(str(tmp_path / "model.engine"), "key", 1, meta), CELL, 1).executed()

    return opened


def test_work_is_counted_by_node_of_the_graph(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    assert build(graph)[1]["work"] == {**WORK, "/model.1/MatMul": MATMUL}


def test_every_precision_executes_in_its_type(monkeypatch, tmp_path, graph, executed):
    install(monkeypatch, tmp_path / "site")
    convolutions = sum(WORK.values())
    assert executed(graph) == {"f32": convolutions + MATMUL}
    assert executed(graph, tf32=True) == {"tf32": convolutions + MATMUL}
    half(given(graph), tmp_path)
    assert executed(tmp_path / "model.onnx") == {"f16": convolutions, "f32": MATMUL}
    quantize_static(
        graph, tmp_path / "int8.onnx", Images(), activation_type=QuantType.QInt8, op_types_to_quantize=["Conv"]
    )
    assert executed(tmp_path / "int8.onnx") == {"i8": convolutions, "f32": MATMUL}
    half(given(tmp_path / "int8.onnx"), tmp_path)
    assert executed(tmp_path / "model.onnx") == {"i8": convolutions, "f32": MATMUL}, "quantized is quantized"


@needs_vnni
def test_around_what_is_quantized_there_is_float16(graph, tmp_path):
    quantize_static(graph, tmp_path / "int8.onnx", Images(), activation_type=QuantType.QInt8, per_channel=True)
    half(given(tmp_path / "int8.onnx"), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    assert {types[name] for name in ("images_scale", "w0_scale", "b_scale", "w1_scale")} == {TensorProto.FLOAT16}
    assert types["w0_quantized"] == TensorProto.INT8
    np.testing.assert_allclose(run(tmp_path / "model.onnx"), run(tmp_path / "int8.onnx"), atol=8)


def test_float16_ends_where_decoding_begins(graph, tmp_path):
    half(given(graph), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    float16, float32 = TensorProto.FLOAT16, TensorProto.FLOAT
    assert types == {"w0": float16, "w1": float16, "pixels": float32, "mix": float32}
    assert [one.op_type for one in model.graph.node].count("Cast") == 2, "in at the image, out behind the convolutions"
    assert [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)] == [float32] * 2
    assert [value.name for value in model.graph.output] == ["output"]
    np.testing.assert_allclose(run(tmp_path / "model.onnx"), run(graph), atol=3)
    assert np.abs(run(tmp_path / "model.onnx") - run(graph)).max() > 0


def test_int8_is_compiled_from_the_graph_that_onnx_runtime_scores():
    sources = [steps(RECIPES[key])[1:] for key in (("tensorrt", "int8"), ("onnxruntime", "int8:tensorrt"))]
    assert sources[0] == sources[1]
    assert [step.build for step in sources[0]] == ["tensorrt:half", "modelopt:ptq_onnx"]
    trained = [step.build for step in steps(RECIPES["tensorrt", "int8-qat"])]
    assert trained == ["tensorrt:engine", "tensorrt:half", "qat:train"]


# Engines from elsewhere


def test_an_engine_from_elsewhere_is_read_and_not_believed(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    half(given(graph), tmp_path)
    build(tmp_path / "model.onnx")
    header = json.dumps({"names": {"1": "dog", "0": "cat", "10": "bird"}, "args": {"int8": True}}).encode()
    exported, made = tmp_path / "yolo-int8.engine", tmp_path / "made"
    exported.write_bytes(len(header).to_bytes(4, "little") + header + (tmp_path / "model.engine").read_bytes())
    made.mkdir()
    assert ready(given(exported), made) == {"names": ["cat", "dog", "bird"], "precision": "fp16", "executes": "f16"}
    session = backend.open(Artifact(str(made / "model.engine"), "key", 1), CELL, 1)
    np.testing.assert_allclose(session.infer(IMAGES)[0], run(graph), atol=3)


def test_a_graph_from_elsewhere_is_compiled_as_it_is(monkeypatch, tmp_path, graph):
    install(monkeypatch, tmp_path / "site")
    half(given(graph), tmp_path)
    mine, made = tmp_path / "fp32.onnx", tmp_path / "made"  # the name is no evidence
    (tmp_path / "model.onnx").rename(mine)
    made.mkdir()
    read = ready(given(mine), made)
    assert (read["precision"], read["executes"]) == ("fp16", "f16")
    assert [path.name for path in made.iterdir()] == ["model.engine"]
    session = backend.open(Artifact(str(made / "model.engine"), "key", 1), CELL, 1)
    np.testing.assert_allclose(session.infer(IMAGES)[0], run(graph), atol=3)


def test_the_images_of_a_suite_fit_a_ready_engine_or_it_is_one_line(monkeypatch, tmp_path, graph, build):
    install(monkeypatch, tmp_path / "site")
    build(graph)
    engine_file = tmp_path / "model.engine"
    with pytest.raises(ConfigError, match=r"takes images \[1, 3, 32, 32\] and the cell gives \[1, 3, 64, 64\]"):
        ready(BuildInputs(engine_file, engine_file, (64, 64), 1, False, None, device="cuda"), tmp_path)
