"""`quantgate gate` on ONNX Runtime: the bundled detector against itself, a worse one and a slower one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from repositories import committed

from harness.commands.base import Exit
from harness.commands.cli import main
from harness.inputs.sources import BUNDLED_WEIGHTS

CELL = "detector-fp32-onnxruntime-cpu"
SUITE = """
from harness import Gate, Suite, matrix
SUITE = Suite("digits", {data!r}, matrix("detector.pt", "fp32", "onnxruntime", imgsz=256), [
    Gate("map", max_drop=0.01), Gate("latency", max_rise=0.05),
], threads=1)
"""
PLANT = """
import sys, torch
kind, file = sys.argv[1:]
checkpoint = torch.load(file, map_location="cpu", weights_only=False)
model = checkpoint["model"].float()
if kind == "worse":  # noise on the weights
    torch.manual_seed(0)
    for name, weights in model.named_parameters():
        if name.endswith("conv.weight"):
            weights.data += 0.4 * weights.data.std() * torch.randn_like(weights)
else:  # convolutions that change nothing, behind the first activation
    def identity(channels):
        made = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        made.weight.data = torch.nn.init.dirac_(torch.empty(channels, channels, 3, 3))
        return made
    first = model.model[0]
    first.act = torch.nn.Sequential(first.act, *(identity(first.conv.out_channels) for _ in range(6)))
    model.requires_grad_(False)
checkpoint["model"] = model.half()
torch.save(checkpoint, file)
"""


@pytest.fixture
def repository(tmp_path: Path, few_images: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit: the bundled detector, as a file of the repository, and its suite."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio -p no:cacheprovider")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_digits.py").write_text(SUITE.format(data=str(few_images)))
    (tmp_path / "detector.pt").write_bytes(BUNDLED_WEIGHTS["yolo26n-digits"].read_bytes())
    committed(tmp_path)
    return tmp_path


def plant(kind: str) -> None:
    """Replace the working tree's weights, in a process of its own: PyTorch warns."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", PLANT, kind, "detector.pt"], check=True)


def verdicts(repository: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((repository / ".quantgate" / "results.json").read_text())
    (cell,) = content["cells"]
    assert cell["id"] == CELL
    return {verdict["metric"]: verdict for verdict in cell["verdicts"]}


def test_the_same_detector_is_fine(repository: Path) -> None:
    assert main(["gate", "--base", "HEAD", "test_digits.py"]) == Exit.FINE
    assert verdicts(repository)["map"]["detail"] == "identical detections"
    assert "nothing to measure" in verdicts(repository)["latency"]["detail"]


def test_noise_on_the_weights_is_a_regression_with_its_interval(repository: Path) -> None:
    plant("worse")
    assert main(["gate", "--base", "HEAD", "test_digits.py", "--pytest=-m accuracy"]) == Exit.REGRESSION
    found = verdicts(repository)["map"]
    assert found["status"] == "regressed"
    assert found["observed"] < found["reference"] - 0.1
    assert "99% interval" in found["detail"]


def test_convolutions_that_change_nothing_cost_time_and_no_accuracy(repository: Path) -> None:
    plant("slower")
    code = main(["gate", "--base", "HEAD", "test_digits.py", "--inconclusive", "fail"])
    found = verdicts(repository)
    assert found["map"]["observed"] == pytest.approx(found["map"]["reference"], abs=0.002)
    assert (code, found["latency"]["status"]) in (
        (Exit.REGRESSION, "regressed"),
        (Exit.INCONCLUSIVE, "inconclusive"),  # where this machine is too busy to convict
    )
    assert found["latency"]["observed"] > 1.1
    assert "against 7, network reference" in found["latency"]["detail"]
