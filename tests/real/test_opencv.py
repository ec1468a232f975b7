"""The backend that docs/backends.md adds, installed as its reader would: its detections are ONNX Runtime's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pages
import pytest

SUITE = """
from harness import Suite, matrix
SUITE = Suite("opencv", "digits", matrix("yolo26n-digits", "fp32", ["opencv", "onnxruntime"], imgsz=256), threads=1)
"""


@pytest.fixture
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two files of the page, built and installed into a folder of their own."""
    page = pages.read(pages.ROOT / "docs" / "backends.md")
    project = pytester.mkdir("project")
    for block in page.blocks:
        if block.file in ("quantgate_opencv.py", "pyproject.toml"):
            (project / block.file).write_text(block.text)
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    site = str(pytester.path / "site")
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", site, str(project)], check=True)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([site, str(pages.ROOT)]))


def test_it_finds_what_onnx_runtime_finds_is_timed_and_exported(
    installed, pytester: pytest.Pytester, few_images: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path
) -> None:
    pytester.makepyfile(test_opencv=SUITE)
    monkeypatch.setenv("QUANTGATE_CACHE", str(shared_cache))
    options = ("-p", "no:cacheprovider", "--qg-dataset", str(few_images), "--qg-require-backends", "opencv")
    result = pytester.runpytest_subprocess(*options)
    assert result.ret == 0
    content = json.loads((pytester.path / ".quantgate" / "results.json").read_text())
    theirs, ours = sorted(content["cells"], key=lambda cell: cell["cell"]["backend"])
    assert (theirs["cell"]["backend"], ours["cell"]["backend"]) == ("onnxruntime", "opencv")
    assert ours["metrics"]["map"] == pytest.approx(theirs["metrics"]["map"], abs=1e-3)
    assert ours["metrics"]["map"] > 0.5
    assert ours["metrics"]["attested_share"] is None, "OpenCV does not say what it executed"
    assert ours["metrics"]["latency_p50_ms"] > 0
    assert ours["provenance"]["versions"]["opencv"]

    command = [
        sys.executable,
        "-m",
        "harness.commands.cli",
        "export",
        ours["id"],
        "-o",
        "release",
        "--suite",
        "test_opencv.py",
    ]
    assert pytester.run(*command).ret == 0
    assert "is loaded by opencv" in (pytester.path / "release" / "README.md").read_text()


def test_its_reference_is_the_frozen_network(installed, pytester: pytest.Pytester) -> None:
    program = """
from harness import Cell
from harness.measure.latency import references
session = references.open_network(Cell("model", "fp32", "opencv"))
print(session.infer(references.network_input())[0].shape)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "(1, 64, 12, 12)\n"
