"""Files from elsewhere on the real runtimes: exported by Ultralytics, quantized by somebody, run as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from harness import Suite, matrix
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS
from harness.measure.runner import Runner

WEIGHTS = BUNDLED_WEIGHTS["yolo26n-digits"]
SIZE = 256


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model as Ultralytics' users have it on disk: `digits.onnx` and `digits_openvino_model/`."""
    folder = tmp_path_factory.mktemp("exported")
    weights = folder / "digits.pt"
    weights.write_bytes(WEIGHTS.read_bytes())
    for kind in ("onnx", "openvino"):  # in a process of its own, as its warnings are not ours
        script = f"from ultralytics import YOLO; YOLO({str(weights)!r}).export(format={kind!r}, imgsz={SIZE})"
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, few_images: Path, shared_cache: Path) -> Runner:
    folder = tmp_path_factory.mktemp("ready")
    calibration = BUNDLED_DATA["digits"] / "images" / "calibration"
    assert calibration.is_dir()
    return Runner(Settings(folder / "run", shared_cache, (), (), few_images, calibration))


def measured(runner: Runner, name: str, models: object, precision: str, backend: str):
    (cell,) = matrix(models, precision, backend, imgsz=SIZE)  # type: ignore[arg-type]
    return runner.accuracy(Suite(name, "unused", (cell,)), Path(), cell)


@pytest.fixture(scope="module")
def fp32(runner: Runner):
    return measured(runner, "checkpoint", WEIGHTS, "fp32", "onnxruntime")


@pytest.mark.parametrize(
    ("file", "backend"),
    [("digits.onnx", "onnxruntime"), ("digits.onnx", "openvino"), ("digits_openvino_model", "openvino")],
)
def test_an_export_reaches_the_map_of_its_checkpoint(runner, exported, fp32, file, backend):
    found = measured(runner, f"as-is-{backend}-{file}", exported / file, "ready", backend)
    assert found.failure is None
    assert found.metrics["map"] == pytest.approx(fp32.metrics["map"], abs=2e-3)
    assert found.provenance["precision"] == "fp32"
    assert found.metrics["attested_share"] == 1
    assert found.cell.model == "digits"


def test_a_float_onnx_is_quantized_like_a_checkpoint_and_its_result_runs_ready(runner, exported, fp32, tmp_path):
    int8 = measured(runner, "from-onnx", exported / "digits.onnx", "int8", "onnxruntime")
    assert int8.failure is None
    assert int8.metrics["attested_share"] > 0.6
    assert int8.metrics["size_bytes"] < 0.5 * fp32.metrics["size_bytes"]

    built = runner.inputs(Suite("from-onnx", "unused", (int8.cell,)), Path(), int8.cell).artifact
    mine = tmp_path / "float32.onnx"  # the name is no evidence
    mine.write_bytes(Path(built.path).read_bytes())
    again = measured(runner, "ready-int8", mine, "ready", "onnxruntime")
    assert again.provenance["precision"] == "int8"
    assert again.metrics["map"] == int8.metrics["map"]
    refused = measured(runner, "twice", mine, "int8", "onnxruntime")
    assert refused.failure is not None
    assert refused.failure[0] == "error"
    assert "is int8 already" in refused.failure[1]


def test_a_truncated_file_is_an_error_of_its_cell(runner, exported, tmp_path):
    cut = tmp_path / "cut.onnx"
    whole = (exported / "digits.onnx").read_bytes()
    cut.write_bytes(whole[: len(whole) // 3])
    found = measured(runner, "cut", cut, "ready", "onnxruntime")
    assert found.failure is not None
    assert found.failure[0] == "error"
    assert "cut.onnx cannot be read as an ONNX graph" in found.failure[1]


def test_an_operator_that_the_runtime_does_not_know_is_an_error_of_its_cell(runner, exported, tmp_path):
    model = onnx.load(exported / "digits.onnx")
    model.graph.node[3].op_type = "Sigmoidish"
    onnx.save(model, tmp_path / "odd.onnx")
    found = measured(runner, "odd", tmp_path / "odd.onnx", "ready", "onnxruntime")
    assert found.failure is not None
    status, reason = found.failure
    assert status == "error"
    assert "Sigmoidish" in reason
    assert "\n" not in reason


def test_an_output_of_no_known_family_is_an_error_with_the_shapes(runner, exported, tmp_path):
    model = onnx.load(exported / "digits.onnx")
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info(model.graph.node[3].output[0], onnx.TensorProto.FLOAT, None)
    )
    onnx.save(model, tmp_path / "cut.onnx")
    found = measured(runner, "unknown", tmp_path / "cut.onnx", "ready", "onnxruntime")
    assert found.failure is not None
    assert found.failure[0] == "error"
    assert "does not fit any known family" in found.failure[1]
    assert "1×" in found.failure[1]
