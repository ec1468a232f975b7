"""Quantization-aware training: what is trained, what is written, what runtimes make of it, and how it fails.

Trainings here are a few steps on eight small images; `pytest -m retrain` makes the bundled checkpoint anew.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from builders import built, digits, needs_vnni
from onnx import numpy_helper

from harness import Suite, matrix
from harness.backends.registry import backend
from harness.core.cell import Cell, Model, Qat
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.measurement import Artifact
from harness.inputs.datasets.loading import load_calibration
from harness.inputs.finder import Settings
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS
from harness.measure.runner import Runner
from harness.recipes.base import BuildInputs
from harness.recipes.registry import RECIPES, SOURCES
from harness.tasks.preprocess import normalize

pytest.importorskip("modelopt", reason="ModelOpt is not installed: pip install 'quantgate[qat]'")

SHORT = Qat(epochs=2, batch=4, images=8)
NAMES = [str(digit) for digit in range(10)]


def training(folder: Path, names: list[str] = NAMES) -> Dataset:
    """The first bundled calibration images with their boxes, written to `folder` and read as a user's YOLO data set."""
    source = BUNDLED_DATA["digits"]
    truth = json.loads((source / "annotations" / "instances_calibration.json").read_text())
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for image in truth["images"][:8]:
        file = source / "images" / "calibration" / Path(image["file_name"]).name
        shutil.copy(file, folder / "images")
        rows = []
        for row in truth["annotations"]:
            if row["image_id"] == image["id"]:
                (x, y, w, h), width, height = row["bbox"], image["width"], image["height"]
                centred = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
                rows.append(" ".join(map(str, (row["category_id"], *centred))))
        (folder / "labels" / f"{file.stem}.txt").write_text("\n".join(rows))
    declaration = folder / "data.yaml"
    declaration.write_text(yaml.safe_dump({"train": str(folder / "images"), "val": "none", "names": names}))
    read = load_calibration(declaration, explicit=False)
    assert read is not None
    return read


def declared(folder: Path, **qat: object) -> BuildInputs:
    """Eight images at 64 px: a step takes a tenth of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = digits(folder, qat=dataclasses.replace(SHORT, **qat), training=training(folder / "data"), imgsz=(64, 64))
    np.save(folder / "pixels.npy", np.load(folder / "pixels.npy")[:, :, ::4, ::4])
    return inputs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildInputs, Path]:
    folder = tmp_path_factory.mktemp("qat")
    inputs = declared(folder)
    return inputs, built(SOURCES["qat"], inputs, folder / "first")


def constants(folder: Path) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(folder / "model.onnx").graph.initializer}


def same(one: Path, other: Path) -> bool:
    first, second = constants(one), constants(other)
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def test_training_moves_the_weights_and_the_seed_repeats_it(trained: tuple[BuildInputs, Path], tmp_path: Path) -> None:
    inputs, first = trained
    assert same(first, built(SOURCES["qat"], inputs, tmp_path / "again"))
    assert not same(first, built(SOURCES["modelopt"], inputs, tmp_path / "untrained"))


def test_progress_is_one_line_an_epoch(trained: tuple[BuildInputs, Path]) -> None:
    _, folder = trained
    lines = [line for line in folder.with_suffix(".log").read_text().splitlines() if line.startswith("QAT of")]
    assert [line.partition(",")[0] for line in lines] == [f"QAT of yolo26n-digits.pt: epoch {n}/2" for n in (1, 2)]


def test_a_ready_checkpoint_gives_the_graph_of_the_run_that_wrote_it(
    trained: tuple[BuildInputs, Path], tmp_path: Path
) -> None:
    inputs, folder = trained
    ready = dataclasses.replace(inputs, qat=Qat(checkpoint=str(folder / "model-qat.pt")), training=None)
    assert same(folder, built(SOURCES["qat"], ready, tmp_path / "ready"))


def test_nothing_is_written_beside_the_training_data(trained: tuple[BuildInputs, Path]) -> None:
    _, built_in = trained
    assert sorted(path.name for path in (built_in.parent / "data").iterdir()) == ["data.yaml", "images", "labels"]


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=needs_vnni)])
def test_runtimes_execute_it_in_int8_and_agree_with_the_trained_graph(
    trained: tuple[BuildInputs, Path], runtime: str, tmp_path: Path
) -> None:
    inputs, folder = trained
    cell = Cell("yolo26n-digits", "int8-qat", runtime, imgsz=(64, 64))
    recipe = RECIPES[runtime, "int8-qat"]
    inputs = dataclasses.replace(inputs, source=folder / "model.onnx")
    path = built(recipe, inputs, tmp_path / runtime) / recipe.entry
    pixels = normalize(np.load(folder.parent / "pixels.npy")[:1])

    session = backend(runtime).open(Artifact(str(path), "", 0), cell, 1)
    work = session.executed()
    (found,) = session.infer(pixels)
    (wanted,) = backend("onnxruntime").open(Artifact(str(folder / "model.onnx"), "", 0), cell, 1).infer(pixels)
    assert work["i8"] > 0.65 * sum(work.values())
    assert np.corrcoef(found[0, 4:].ravel(), wanted[0, 4:].ravel())[0, 1] > 0.98
    weights = path if path.suffix == ".onnx" else path.with_suffix(".bin")
    assert weights.stat().st_size < 0.43 * 9.66e6


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=needs_vnni)])
def test_the_signed_graph_runs_ready_and_gives_the_same(
    trained: tuple[BuildInputs, Path], runtime: str, tmp_path: Path
) -> None:
    inputs, folder = trained
    recipe = RECIPES[runtime, "ready"]
    inputs = dataclasses.replace(inputs, weights=folder / "model.onnx", source=folder / "model.onnx")
    path = built(recipe, inputs, tmp_path / runtime) / recipe.entry
    pixels = normalize(np.load(folder.parent / "pixels.npy")[:1])
    cell = Cell("mine", "ready", runtime, imgsz=(64, 64))
    (found,) = backend(runtime).open(Artifact(str(path), "", 0), cell, 1).infer(pixels)
    (wanted,) = backend("onnxruntime").open(Artifact(str(folder / "model.onnx"), "", 0), cell, 1).infer(pixels)
    assert np.abs(found[0, 4:] - wanted[0, 4:]).max() < 0.05


def test_a_run_that_diverges_is_one_line(tmp_path: Path) -> None:
    inputs = declared(tmp_path, lr=0.9, epochs=5)
    with pytest.raises(ConfigError, match=r"QAT of yolo26n-digits.pt diverged at epoch \d, step \d .*lower Qat.lr"):
        built(SOURCES["qat"], inputs, tmp_path / "out")


def test_a_float_checkpoint_is_not_taken_for_a_trained_one(tmp_path: Path) -> None:
    inputs = declared(tmp_path, checkpoint=str(BUNDLED_WEIGHTS["yolo26n-digits"]))
    with pytest.raises(ConfigError, match="no QAT checkpoint"):
        built(SOURCES["qat"], inputs, tmp_path / "out")


def test_a_class_that_the_model_does_not_know_is_named(tmp_path: Path) -> None:
    unknown = training(tmp_path / "other", [*NAMES[:-1], "giraffe"])
    inputs = dataclasses.replace(declared(tmp_path), training=unknown)
    with pytest.raises(ConfigError, match="'giraffe'"):
        built(SOURCES["qat"], inputs, tmp_path / "out")


@pytest.mark.retrain
def test_the_bundled_checkpoint_can_be_made_again_and_int8_costs_nothing(tmp_path: Path) -> None:
    assets, make = BUNDLED_DATA["digits"], Path(__file__).parents[2] / "suites" / "digits" / "make.py"
    shutil.copytree(assets, tmp_path / "digits")
    subprocess.run([sys.executable, make, "qat", "--assets", tmp_path / "digits", "--work", tmp_path], check=True)
    cells = matrix(
        Model("yolo26n-digits", Qat(checkpoint=str(tmp_path / "digits" / "yolo26n-digits-qat.pt"))),
        ["fp32", "int8-qat"], ["onnxruntime", "openvino"], imgsz=256,
    )  # fmt: skip
    runner = Runner(Settings(tmp_path / "run", tmp_path / "cache"))
    scores = {cell: runner.accuracy(Suite("digits", "digits", cells), tmp_path, cell).metrics["map"] for cell in cells}
    for cell in cells:
        assert scores[cell.sibling("fp32")] - scores[cell] < 0.008, scores
