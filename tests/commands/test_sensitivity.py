"""`quantgate sensitivity`: what is asked for reaches the measurement, and what it finds is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import dataset, yolo

from harness.commands.cli import main
from harness.measure.explain import sensitivity as measured
from harness.measure.explain.sensitivity import Sensitivity, Split, SplitJob


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the measurement is asked for, which here takes no time."""
    found: list[Any] = []

    def measure_sensitivity(place, cache, cell, weights, wanted):
        found.append((cell.id, cell.imgsz, weights, wanted))
        return Split(dataset(3), dataset(5)), [Sensitivity("12 cv2", 0.1, 0.004, 0.03)]

    monkeypatch.setattr(measured, "measure_sensitivity", measure_sensitivity)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("QUANTGATE_DATA", str(tmp_path / "sets"))
    monkeypatch.delenv("QUANTGATE_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return found


def test_weights_and_data_are_found_by_name_and_by_path(asked, tmp_path: Path, capsys) -> None:
    named = yolo(tmp_path / "sets" / "mine", {"train/a": ""})
    assert main(["sensitivity", "yolo26n-digits", "--data", str(named), "--imgsz", "256"]) == 0
    ((cell, size, weights, wanted),) = asked
    assert (cell, size) == ("yolo26n-digits-fp32-onnxruntime-cpu", (256, 256))
    assert weights.name == "yolo26n-digits.pt"
    assert wanted == SplitJob(named, None, 64, False)
    printed = capsys.readouterr().out
    assert "12 cv2" in printed
    assert "calibrated on 3 images, judged on 5 others" in printed


def test_a_folder_of_data_sets_is_searched_by_name(asked, tmp_path: Path) -> None:
    place = yolo(tmp_path / "sets" / "mine", {"train/a": ""}).parent
    options = ["--calibration", "images", "--limit", "0", "--scored"]
    assert main(["sensitivity", "yolo26n-digits", "--data", "mine", *options]) == 0
    assert asked[0][-1] == SplitJob(place, Path("images"), 0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yolo11n", "--data", "digits"], "yolo11n is not here; give its path: this command downloads nothing"),
        (["yolo26n-digits", "--data", "coco8"], "coco8 is not here; give its path"),
        (["yolo26n-digitz", "--data", "digits"], "did you mean 'yolo26n-digits'?"),
        (["yolo26n-digits", "--data", "digits", "--backend", "onnxruntim"], "onnxruntime"),
    ],
)
def test_nothing_is_downloaded_and_what_is_not_here_is_one_line(
    asked, refused, arguments: list[str], said: str
) -> None:
    assert said in refused("sensitivity", *arguments)
    assert not asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-model", "--data", "digits"], "unknown model 'no-such-model'"),
        (["yolo26n-digits", "--data", "nowhere"], "dataset nowhere not found"),
        (["yolo26n-digits", "--data", "digits", "--backend", "openvino"], "on onnxruntime only"),
        (["yolo26n-digits", "--data", "digits", "--backend", "onnx"], "unknown backend 'onnx'"),
        (["yolo26n-digits", "--data", "digits", "--limit", "-1"], "--limit -1"),
        (["yolo26n-digits", "--data", "digits", "--imgsz", "250"], "not a multiple of 32"),
        (["yolo26n", "--data", "digits"], "yolo26n is not here"),
    ],
)
def test_what_cannot_be_swept_is_one_line(refused, monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUANTGATE_WEIGHTS", raising=False)
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    assert said in refused("sensitivity", *arguments)
