"""Weights that are no good: each is one clear line, from a real child process."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Suite, matrix
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_WEIGHTS
from harness.measure.runner import Runner


def truncated(path: Path) -> None:
    path.write_bytes(BUNDLED_WEIGHTS["yolo26n-digits"].read_bytes()[:100_000])


def text(path: Path) -> None:
    path.write_text("not a checkpoint\n")


def another_task(path: Path) -> None:
    from ultralytics import YOLO

    YOLO("yolo11n-cls.yaml").save(path)


@pytest.mark.filterwarnings("ignore")  # ultralytics' own, while the test makes its checkpoint
@pytest.mark.parametrize(
    ("damage", "said"),
    [(truncated, "cannot be loaded"), (text, "cannot be loaded"), (another_task, "for the task 'classify'")],
)
def test_a_bad_checkpoint_is_one_line(damage, said: str, tmp_path: Path) -> None:
    weights = tmp_path / "bad.pt"
    damage(weights)
    cells = matrix(str(weights), "fp32", "onnxruntime", imgsz=256)
    runner = Runner(Settings(tmp_path / "run", tmp_path / "cache"))
    measured = runner.accuracy(Suite("bad", "digits", cells), tmp_path, cells[0])
    assert measured.failure is not None
    status, reason = measured.failure
    assert status == "error"
    assert said in reason
    assert str(weights) in reason
    assert "\n" not in reason
    assert not list((tmp_path / "cache" / "artifacts").iterdir()), "nothing half-built stays in the cache"
