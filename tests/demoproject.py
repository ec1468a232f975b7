"""A tiny project with a suite of scripted detections, in which the plugin's tests run a real pytest."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import scipy.special  # noqa: F401  (runs in this process forget what they import, and numpy loads once)
from PIL import Image

from harness.store.results import SCHEMA_FILE

TRUTH = (10, 10, 20, 20)  # the one object of every image: x, y, width, height
EXACT = [10, 10, 30, 30, 0.9, 0]  # finds it exactly: mAP 1
LOOSE = [10, 10, 30, 26.5, 0.9, 0]  # overlaps it by 0.825, which 7 of the 10 IoU thresholds accept: mAP 0.7
FP32, INT8 = "model-fp32-null-cpu", "model-int8-null-cpu"


def write_coco(path: Path, box: Sequence[float] = TRUTH, images: int = 4) -> Path:
    """A COCO data set of grey 64 px squares; the images lie in `images/` beside the JSON."""
    (path.parent / "images").mkdir(parents=True, exist_ok=True)
    numbers = range(1, images + 1)
    for number in numbers:
        grey = np.full((64, 64, 3), 40 * number, np.uint8)
        Image.fromarray(grey).save(path.parent / "images" / f"{number}.png")
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 64} for n in numbers],
        "annotations": [{"id": n, "image_id": n, "category_id": 7, "bbox": list(box), "iscrowd": 0} for n in numbers],
        "categories": [{"id": 7, "name": "box"}],
    }
    path.write_text(json.dumps(content))
    return path


@dataclass
class Demo:
    """A project of one suite, `demo`, with one model, `model.json`, and how to run it."""

    pytester: pytest.Pytester

    @property
    def path(self) -> Path:
        return self.pytester.path

    def model(self, name: str = "model", *detections: Sequence[float], **script: Any) -> None:
        """Write a null script; without detections it finds every object exactly."""
        content = {"names": ["box"], "detections": detections or [EXACT], **script}
        (self.path / f"{name}.json").write_text(json.dumps(content))

    def suite(
        self,
        models: Sequence[str] = ("model.json",),
        precisions: Sequence[str] = ("fp32",),
        backends: Sequence[str] = ("null",),
        gates: str = 'Gate("map", max_drop=0.01)',
        name: str = "demo",
        dataset: str = "data/val.json",
    ) -> None:
        """Write `test_<name>.py`."""
        (self.path / f"test_{name}.py").write_text(
            "from harness import Gate, Suite, matrix\n"
            f"CELLS = matrix({list(models)}, {list(precisions)}, {list(backends)}, imgsz=64)\n"
            f"SUITE = Suite({name!r}, {dataset!r}, CELLS, [{gates}])\n"
        )

    def run(self, *args: str) -> pytest.RunResult:
        """`pytest ARGS` with a fresh plugin, in this process: a second less than a new one."""
        return self.pytester.runpytest_inprocess(*args)

    def results(self, folder: str = ".quantgate") -> dict[str, Any]:
        """`results.json`, which obeys its schema."""
        content: dict[str, Any] = json.loads((self.path / folder / "results.json").read_text())
        jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text()))
        return content

    def cells(self) -> dict[str, dict[str, Any]]:
        return {cell["id"]: cell for cell in self.results()["cells"]}

    def statuses(self) -> dict[str, str]:
        return {name: cell["status"] for name, cell in self.cells().items()}

    def baselines(self, phase: str = "*") -> dict[Path, bytes]:
        """The baseline files and what they hold."""
        return {file: file.read_bytes() for file in sorted((self.path / "baselines").glob(f"demo/{phase}/*/*.json"))}


def output(result: pytest.RunResult) -> str:
    return str(result.stdout) + str(result.stderr)


def section(result: pytest.RunResult, title: str) -> list[str]:
    """The lines of one section of pytest's output, without the rules between them."""
    rules = [n for n, line in enumerate(result.outlines) if line.startswith("===")]
    start = next(n for n in rules if title in result.outlines[n])
    end = next(n for n in [*rules, len(result.outlines)] if n > start)
    lines = result.outlines[start + 1 : end]
    return [line for line in lines if line.strip() and not re.match(r"_{3,}|-{3,}", line)]


def repeat_command(result: pytest.RunResult) -> list[str]:
    """The arguments of the command that a failing run tells its reader to type."""
    found = re.search(r"repeat: pytest (.+)", "\n".join(section(result, " quantgate ")))
    assert found, output(result)
    return shlex.split(found.group(1))
