"""Fixtures that build the bundled model as a suite builds it. `conftest.py` registers this module as a plugin.

An artifact is built once per test session, in a child process of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import Calibration, Suite
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.inputs.finder import Finder, Settings
from harness.inputs.sources import BUNDLED_DATA
from harness.machine.child import Child
from harness.machine.locks import MachineLock
from harness.machine.worker import Job

IMAGES = 8  # to calibrate on

Built = Callable[[str, str], Artifact]
"""Backend and precision → the artifact."""


@pytest.fixture(scope="session")
def few_to_calibrate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first calibration images of the bundled data."""
    folder = tmp_path_factory.mktemp("calibration") / "images"
    folder.mkdir()
    for file in sorted((BUNDLED_DATA["digits"] / "images" / "calibration").iterdir())[:IMAGES]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact cache for all workers of this test session: what one has built, no other builds again."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-cache"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, few_to_calibrate: Path, shared_cache: Path) -> Built:
    """Builds artifacts of `yolo26n-digits` at 256 px, calibrated on few images."""
    root = tmp_path_factory.mktemp("built")

    def run(job: Job, label: str) -> Any:
        with Child(job, root / "log", 300) as child:
            return child.heavy_answer(MachineLock(log=root / "intervals.jsonl"))

    finder = Finder(Settings(root, shared_cache, calibration=few_to_calibrate), run)

    def build(backend: str, precision: str) -> Artifact:
        cell = Cell("yolo26n-digits", precision, backend, imgsz=256)
        suite = Suite("recipes", "digits", [cell], calibration=Calibration(IMAGES))
        return finder.inputs(suite, Path(), cell).artifact

    return build
