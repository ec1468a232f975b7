"""Every mistake of a user is one line that names it and what to do, a failing exit code, and nothing damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from demoproject import FP32, Demo, output, section, write_coco


def one_line(result: pytest.RunResult, title: str = " FAILURES ") -> str:
    """The only line in which a failing run explains itself."""
    assert result.ret != 0
    assert "Traceback" not in output(result)
    (line,) = section(result, title)
    return line


# Names in a suite


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"precisions": ["int9"]}, "matrix: unknown precision 'int9'; did you mean 'int8'?"),
        ({"precisions": ["int8:ultralitics"]}, "unknown recipe 'int8:ultralitics'; did you mean 'int8:ultralytics'?"),
        ({"backends": ["onnx-runtime"]}, "matrix: unknown backend 'onnx-runtime'; did you mean 'onnxruntime'?"),
        ({"models": ["yolo26n:endtoend"]}, "matrix: model 'yolo26n:endtoend': after ':' comes a head"),
        ({"models": []}, "matrix: models=[] must be one or more non-empty names"),
        ({"precisions": []}, "matrix: precisions=[] must be one or more non-empty names"),
        ({"gates": 'Gate("mAP", max_drop=0.1)'}, "Gate('mAP'): unknown metric; did you mean 'map'?"),
        ({"gates": 'Gate("map")'}, "Gate('map') has no limit: give one of max_drop"),
    ],
)
def test_a_wrong_name_in_a_suite_stops_at_collection(demo: Demo, axes: dict[str, Sequence[str]], message: str) -> None:
    demo.suite(**axes)  # type: ignore[arg-type]
    line = one_line(demo.run(), " ERRORS ")
    assert line.startswith("test_demo.py: ")
    assert message in line


def test_a_suite_without_cells_stops_at_collection(demo: Demo) -> None:
    (demo.path / "test_demo.py").write_text('from harness import Suite\nSUITE = Suite("demo", "data/val.json", ())\n')
    assert "suite 'demo' has an empty matrix: give matrix() at least one model" in one_line(demo.run(), " ERRORS ")


def test_two_cells_of_one_id_stop_at_collection(demo: Demo) -> None:
    demo.suite(models=["model.json", "other/model.json"])
    assert f"two cells are named {FP32}" in one_line(demo.run(), " ERRORS ")


# Weights


def test_an_unknown_model_names_the_nearest(demo: Demo) -> None:
    demo.suite(models=["yolo_26n"])
    line = one_line(demo.run("-m", "accuracy"))
    assert line.startswith("yolo_26n-fp32-null-cpu: error: unknown model 'yolo_26n'; did you mean 'yolo26n'?")


def test_missing_weights_say_where_they_were_looked_for(demo: Demo) -> None:
    demo.suite(models=["weights/mine.pt"])
    line = one_line(demo.run("-m", "accuracy", "--qg-weights-dir=elsewhere"))
    assert "mine-fp32-null-cpu: error: weights weights/mine.pt do not exist" in line
    assert str(demo.path) in line
    assert "elsewhere" in line


@pytest.mark.parametrize("text", ['{"names": ["box"], "detec', '{"detections": []}', "[]"])
def test_weights_that_are_no_model_are_named(demo: Demo, text: str) -> None:
    (demo.path / "model.json").write_text(text)
    line = one_line(demo.run("-m", "accuracy"))
    assert f"{FP32}: error: weights {demo.path / 'model.json'} are not a null script" in line


# Data


@pytest.fixture
def yolo(demo: Demo) -> Callable[..., Path]:
    """A function that writes the project's images as a YOLO data set, with one field or label replaced."""

    def write(label: str = "0 0.3 0.3 0.3 0.3", **fields: object) -> Path:
        labels = demo.path / "data" / "labels"
        labels.mkdir()
        (labels / "1.txt").write_text(f"{label}\n")
        content = {"val": "images", "names": ["box"], **fields}
        file = demo.path / "data" / "demo.yaml"
        file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        demo.suite(dataset="data/demo.yaml")
        return file

    return write


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"val": None}, "demo.yaml has no 'val' split; it has names"),
        ({"val": "nowhere"}, "data/nowhere does not exist"),
        ({"names": None}, "demo.yaml has no 'names'"),
        ({"names": ["cat", "dog"]}, "none of its classes (cat, dog, …) is known to the model (box, …)"),
        ({"label": "1 0.3 0.3 0.3 0.3"}, "1.txt:1: class 1 is outside the 1 classes of the data set"),
        ({"label": "0 0.3 0.3 1.3 0.3"}, "1.txt:1: coordinates must be fractions of the image, between 0 and 1"),
        ({"label": "0 0.3 0.3"}, "1.txt:1: expected class x y w h or a polygon, got 3 numbers"),
        ({"label": "a box, somewhere"}, "1.txt:1: not a row of numbers: 'a box, somewhere'"),
    ],
)
def test_a_faulty_yolo_dataset_is_one_line(
    demo: Demo, yolo: Callable[..., Path], fields: dict[str, object], message: str
) -> None:
    yolo(**fields)
    line = one_line(demo.run("-m", "accuracy"))
    assert line.startswith(f"{FP32}: error: ")
    assert message in line


@pytest.mark.parametrize("text", ["val: [images", "just a sentence", ""])
def test_a_yaml_that_is_no_dataset_is_one_line(demo: Demo, yolo: Callable[..., Path], text: str) -> None:
    file = yolo()
    file.write_text(text)
    assert f"{FP32}: error: dataset {file} " in one_line(demo.run("-m", "accuracy"))


def test_a_valid_yolo_dataset_is_scored(demo: Demo, yolo: Callable[..., Path]) -> None:
    yolo()
    assert demo.run("-m", "accuracy").ret == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 9}, "annotation 1 has unknown category id 9"),
        ({"image_id": 9}, "annotation 1 is for unknown image 9"),
        ({"bbox": [1, 2]}, "malformed"),
    ],
)
def test_a_coco_annotation_of_nothing_known_is_one_line(demo: Demo, change: dict[str, object], message: str) -> None:
    file = demo.path / "data" / "val.json"
    content = json.loads(file.read_text())
    content["annotations"][0] |= change
    file.write_text(json.dumps(content))
    line = one_line(demo.run("-m", "accuracy"))
    assert line.startswith(f"{FP32}: error: dataset {file}: ")
    assert message in line


def test_a_missing_dataset_says_where_it_was_looked_for(demo: Demo) -> None:
    demo.suite(dataset="nowhere.yaml")
    assert f"dataset nowhere.yaml not found beside the suite in {demo.path}" in one_line(demo.run("-m", "accuracy"))


def test_a_missing_qg_dataset_is_named(demo: Demo) -> None:
    line = one_line(demo.run("-m", "accuracy", "--qg-dataset=nowhere"))
    assert f"dataset {demo.path / 'nowhere'} does not exist" in line


# Baselines


@pytest.fixture
def baseline(demo: Demo) -> Path:
    """The accuracy baseline of the only cell."""
    demo.run("-m", "accuracy", "--qg-baseline-update")
    (file,) = demo.baselines("accuracy")
    return file


def other_cell(text: str) -> str:
    return text.replace(FP32, "model-int8-null-cpu")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: "", "is damaged"),
        (lambda text: "[1]", "is damaged"),
        (
            lambda text: text.replace('"schema": 2', '"schema": 3'),
            "has schema 3, this quantgate reads up to 2",
        ),
        (other_cell, f"is of cell model-int8-null-cpu, not of {FP32}"),
        (lambda text: text.replace('"map": 1.0', '"map": "best"'), "is damaged"),
    ],
    ids=["truncated", "empty", "of another shape", "newer", "of another cell", "with words for numbers"],
)
def test_a_faulty_baseline_is_one_line_and_stays_as_it_is(
    demo: Demo, baseline: Path, damage: Callable[[str], str], message: str
) -> None:
    baseline.write_text(damage(baseline.read_text()))
    before = baseline.read_bytes()
    line = one_line(demo.run("-m", "accuracy"))
    assert line.startswith(f"{FP32}: error: baseline {baseline} {message}")
    assert baseline.read_bytes() == before
    assert demo.cells()[FP32]["metrics"]["map"] == pytest.approx(1.0), "what was measured is not lost"


# Folders that cannot be written; below a regular file, since root may write everywhere else


@pytest.fixture
def blocked(demo: Demo) -> str:
    """A path that cannot exist."""
    (demo.path / "file.txt").write_text("not a folder")
    return "file.txt/sub"


@pytest.mark.parametrize("option", ["--qg-results-dir", "--qg-cache-dir"])
def test_a_folder_that_cannot_be_written_fails_the_cells_and_names_the_option(
    demo: Demo, blocked: str, option: str
) -> None:
    line = one_line(demo.run("-m", "accuracy", f"{option}={blocked}"))
    assert f"{blocked}" in line
    assert f"cannot be written: Not a directory; name another with {option}" in line


def test_a_baseline_folder_that_cannot_be_written_fails_an_update(demo: Demo, blocked: str) -> None:
    result = demo.run("-m", "accuracy", "--qg-baseline-update", f"--qg-baseline-dir={blocked}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = [line for line in section(result, " quantgate ") if "cannot be written" in line]
    assert len(lines) == 1
    assert lines[0].endswith("cannot be written: Not a directory; name another folder with --qg-baseline-dir")
    assert "Traceback" not in output(result)
    assert demo.cells()[FP32]["metrics"]["map"] == pytest.approx(1.0), "results.json is written all the same"


def test_scoring_a_data_set_that_lost_an_image_names_it(demo: Demo) -> None:
    write_coco(demo.path / "data" / "val.json", images=5)
    (demo.path / "data" / "images" / "5.png").unlink()
    line = one_line(demo.run("-m", "accuracy"))
    assert "5.png does not exist" in line
