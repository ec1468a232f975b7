"""An input that is not square, on the real runtimes: the same mAP on each, and int8 built at that size."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Suite, matrix
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_DATA
from harness.measure.runner import Runner

SIZE = (192, 256)  # height, width
BACKENDS = ["torch", "onnxruntime", "openvino", "litert"]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, few_images: Path, shared_cache: Path) -> Runner:
    calibration = BUNDLED_DATA["digits"] / "images" / "calibration"
    return Runner(Settings(tmp_path_factory.mktemp("wide"), shared_cache, (), (), few_images, calibration))


def accuracy(runner: Runner, precision: str, backend: str) -> float:
    (cell,) = matrix("yolo26n-digits", precision, backend, imgsz=SIZE)
    assert cell.id.endswith("-192x256px")
    measured = runner.accuracy(Suite("wide", "unused", (cell,)), Path(), cell)
    if measured.failure and measured.failure[0] == "unavailable":
        pytest.skip(measured.failure[1])
    assert measured.failure is None, measured.failure
    assert measured.provenance["imgsz"] == [192, 256]
    score = measured.metrics["map"]
    assert score is not None
    return score


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_fp32_finds_the_same_on_every_backend(runner: Runner, backend: str) -> None:
    reference = accuracy(runner, "fp32", "torch")
    assert reference > 0.6, "digits are seen at this size too"
    assert accuracy(runner, "fp32", backend) == pytest.approx(reference, abs=0.001)


@pytest.mark.campaign
@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_int8_is_calibrated_at_this_size(runner: Runner, backend: str) -> None:
    assert accuracy(runner, "int8", backend) > accuracy(runner, "fp32", backend) - 0.1
