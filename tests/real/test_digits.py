"""The bundled suite on the real runtimes, on a dozen of its images: what a user's first run does, end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from harness.machine import fingerprint
from harness.store.results import SCHEMA_FILE

SUITE = Path(__file__).parents[2] / "suites" / "digits" / "test_digits.py"
EXPECTED = {  # what the precisions of each runtime that runs here store and execute
    "fp32-torch": {"f32"},
    "bf16-torch": {"bf16"},
    "fp32-onnxruntime": {"f32"},
    "fp16-onnxruntime": {"f32"},
    "int8-onnxruntime": {"i8", "f32"},
    "int8-dynamic-onnxruntime": {"i8", "f32"},
    "int8-qat-onnxruntime": {"i8", "f32"},
    "fp32-openvino": {"f32"},
    "fp16-openvino": {"f32"},
    "int8-openvino": {"i8", "f32"},
    "int8-qat-openvino": {"i8", "f32"},
    "int8-torch": {"i8", "f32"},
    "fp32-litert": {"f32"},
    "fp16-litert": {"f32"},
    "int8-litert": {"i8", "f32"},
    "int8-dynamic-litert": {"i8", "f32"},
}


@pytest.fixture
def run(pytester: pytest.Pytester, few_images: Path, shared_cache: Path):
    """Run the bundled suite, with the cache that all tests share."""
    shutil.copy(SUITE, pytester.path)

    def run(*options: str) -> tuple[pytest.RunResult, dict[str, dict]]:
        result = pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "--qg-cache-dir", str(shared_cache), "--qg-dataset", str(few_images), *options
        )
        content = json.loads((pytester.path / ".quantgate" / "results.json").read_text())
        jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text()))
        return result, {cell["id"]: cell for cell in content["cells"]}

    return run


def test_every_cell_builds_runs_and_says_what_executed_or_why_it_cannot(run, pytester: pytest.Pytester) -> None:
    result, cells = run("-n", "2", "-m", "accuracy")
    assert result.ret in (0, 1), "a gate may be missed on a dozen images, nothing else may fail"
    assert not [cell for cell in cells.values() if cell["status"] == "error"]
    for name, kinds in EXPECTED.items():
        cell = cells[f"yolo26n-digits-{name}-cpu"]
        assert set(cell["executed"]) == kinds, name
        assert cell["metrics"]["map"] > 0.4
        assert cell["metrics"]["size_bytes"] > 1e6
    for cell in cells.values():
        assert cell["status"] != "unavailable" or len(cell["reason"]) > 20

    for option in ("--qg-fresh", "--qg-timeout=300"):  # measured again, and reused
        again, second = run("-m", "accuracy", "-k", "int8 and onnxruntime or fp32 and openvino", option)
        again.stdout.fnmatch_lines(["*artifacts: 0 built*"])
        for name, cell in second.items():
            assert cell["metrics"] == cells[name]["metrics"], "a second run is identical to the last digit"
            assert any("reused" in note for note in cell["notes"]) == (option != "--qg-fresh")


def test_int8_is_timed_against_its_fp32_sibling_in_the_same_run(run) -> None:
    _, cells = run("-m", "latency", "-k", "onnxruntime and (fp32 or int8) and not dynamic")
    fp32, int8 = (cells[f"yolo26n-digits-{name}-onnxruntime-cpu"]["metrics"] for name in ("fp32", "int8"))
    assert fp32["latency_ratio"] is None
    assert 0.2 < int8["latency_ratio"] < 1.2
    assert int8["latency_calls"] >= 100
    assert fp32["load_ms"] > 0
    assert fp32["preprocess_ms"] > 0
    assert fp32["postprocess_ms"] > 0
    assert 20e6 < fp32["runtime_rss_bytes"] < 400e6, "the worker of ONNX Runtime has not loaded torch"


def test_recording_unchanged_accuracy_again_leaves_the_baseline_bytes_alone(run, pytester: pytest.Pytester) -> None:
    chosen = ("-m", "accuracy", "-k", "fp32 and onnxruntime", "--qg-baseline-update", "--qg-baseline-dir", "baselines")
    run(*chosen)
    folder = pytester.path / "baselines" / "digits" / "accuracy" / fingerprint.isa()
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert before
    run(*chosen)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
