"""The bundled model as the recipes make it, each artifact built as a suite builds it: once, in a child of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import Calibration, Suite
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.inputs.finder import Finder, Settings
from harness.inputs.sources import BUNDLED_DATA
from harness.machine.child import Child
from harness.machine.locks import MachineLock

IMAGES = 8

Built = Callable[[str, str], Artifact]


@pytest.fixture(scope="session")
def few_to_calibrate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first calibration images of the bundled data as a folder."""
    folder = tmp_path_factory.mktemp("calibration") / "images"
    folder.mkdir()
    for file in sorted((BUNDLED_DATA["digits"] / "images" / "calibration").iterdir())[:IMAGES]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, few_to_calibrate: Path) -> Built:
    """(backend, precision) → artifact of `yolo26n-digits` at 256 px, calibrated on few images."""
    root = tmp_path_factory.mktemp("built")

    def run(job, label):
        with Child(job, root / "log", 300) as child:
            return child.heavy_answer(MachineLock(log=root / "intervals.jsonl"))

    finder = Finder(Settings(root, root / "cache", calibration=few_to_calibrate), run)

    def build(backend: str, precision: str) -> Artifact:
        cell = Cell("yolo26n-digits", precision, backend, imgsz=256)
        suite = Suite("recipes", "digits", [cell], calibration=Calibration(IMAGES))
        return finder.inputs(suite, Path(), cell).artifact

    return build
