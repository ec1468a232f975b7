"""What is found and checked before a cell runs: where its images come from, and whether it can run at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import picture, yolo

from harness import Calibration, ConfigError, Model, Qat, Suite, Unavailable, matrix
from harness.inputs import finder as inputs
from harness.inputs.datasets.loading import load_scored
from harness.inputs.finder import Finder, Settings, _expect_whole_batches, runnable
from harness.inputs.sources import DownloadData


def finder(tmp_path: Path, **changes: object) -> Finder:
    return Finder(Settings(tmp_path / "run", tmp_path / "cache", **changes), lambda job, label: job.run(None))  # type: ignore[arg-type]


def suite(data: Path, **changes: object) -> Suite:
    return Suite("demo", str(data), matrix("m.json", "fp32", "null", imgsz=64), **changes)  # type: ignore[arg-type]


def calibrate(found: Finder, wanted: Suite, home: Path):
    return found._calibration(wanted, home, load_scored(Path(wanted.datasets[0])))


def test_the_train_split_of_the_suite_calibrates_as_the_suite_declares(tmp_path: Path) -> None:
    data = yolo(tmp_path, {f"train/{n}": None for n in range(5)} | {"val/9": ""})
    chosen, notes = calibrate(finder(tmp_path), suite(data, calibration=Calibration(images=3)), tmp_path)
    assert [Path(image.path).stem for image in chosen.images] == ["0", "1", "2"]
    assert not notes


def test_a_folder_of_images_replaces_the_train_split(tmp_path: Path) -> None:
    data = yolo(tmp_path / "data", {"train/0": None, "val/9": ""})
    picture(tmp_path / "mine" / "a.png", 77)
    chosen, _ = calibrate(
        finder(tmp_path, calibration=tmp_path / "mine"), suite(data, calibration=Calibration(images=1)), tmp_path
    )
    assert [Path(image.path).name for image in chosen.images] == ["a.png"]


def test_a_calibration_set_that_is_not_here_is_never_replaced_by_another(tmp_path: Path) -> None:
    data = yolo(tmp_path, {f"train/{n}": None for n in range(3)} | {"val/9": ""})

    def offline(job, label):
        if isinstance(job, DownloadData):
            raise Unavailable(f"{job.names[0]} is not here")
        return job.run(None)

    found = Finder(Settings(tmp_path / "run", tmp_path / "cache"), offline)
    with pytest.raises(Unavailable, match="coco128 is not here"):
        calibrate(found, suite(data, calibration=Calibration(images=2, data="coco128")), tmp_path)


def test_images_that_fill_no_whole_batch_are_an_error_and_not_left_out() -> None:
    (cell,) = matrix("m.json", "int8", "null", imgsz=64, batch=48)
    with pytest.raises(ConfigError, match=r"64 calibration images are no whole batches of 48.*images=48\)"):
        _expect_whole_batches(cell, 64)
    _expect_whole_batches(cell, 96)


@pytest.mark.parametrize(
    ("qat", "said"), [(Qat(images=9), "has 1 training images and Qat asks for 9"), (Qat(), "1 tr")]
)
def test_qat_trains_on_images_that_are_there_and_are_not_scored(tmp_path: Path, qat: Qat, said: str) -> None:
    data = yolo(tmp_path, {"train/0": "0 0.5 0.5 0.2 0.2", "val/9": "0 0.5 0.5 0.2 0.2"})
    (tmp_path / "images" / "train" / "0.png").write_bytes((tmp_path / "images" / "val" / "9.png").read_bytes())
    (cell,) = matrix(Model("m.pt", qat=qat), "int8-qat", "onnxruntime", imgsz=64)
    with pytest.raises(ConfigError, match=said):
        finder(tmp_path)._training(suite(data), tmp_path, cell, load_scored(data))


def test_all_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(module: str):
        def fail(*given: object) -> None:
            raise Unavailable(f"{module} is not installed")

        return fail

    (cell,) = matrix("m.pt", "int8", "openvino")
    monkeypatch.setattr(inputs, "recipe", lacking("nncf"))
    monkeypatch.setattr("harness.backends.openvino.probe", lacking("openvino"))
    with pytest.raises(Unavailable, match="openvino is not installed; nncf is not installed"):
        runnable(cell)


def test_no_train_split_says_which_option_helps(tmp_path: Path) -> None:
    data = yolo(tmp_path, {"val/9": ""}, val="images/val")
    with pytest.raises(ConfigError, match=r"no train split.*--qg-calibration PATH"):
        calibrate(finder(tmp_path), suite(data), tmp_path)
