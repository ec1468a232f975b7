"""The recipes of LiteRT on the bundled model: what they store, what they execute, and that detections stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import TESTS
from tflite_files import SIZE

from harness import Cell, ConfigError, Unavailable
from harness.backends import litert
from harness.core.measurement import Artifact
from harness.recipes.base import BuildInputs
from harness.recipes.registry import RECIPES, recipe

MADE = ("fp16", "int8", "int8-dynamic", "w8a16")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a process of its own, as the harness builds: torch and jax stay out of this one."""
    folder = tmp_path_factory.mktemp("digits")
    script = [sys.executable, str(TESTS / "tflite_files.py"), "digits", str(folder)]
    made = subprocess.run(script, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(TESTS.parent)})
    assert made.returncode == 0, made.stderr[-2000:]
    return folder


def session(folder: Path, name: str) -> litert.LiteRtSession:
    cell = Cell("digits", name, "litert", imgsz=SIZE)
    return litert.open(Artifact(str(folder / name / "model.tflite"), "key", 1), cell, 1)


def outputs(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch and a built file say about the held-out images, [N, 4 + C, anchors]."""
    truth = np.load(folder / "truth.npz")
    opened = session(folder, name)
    return truth["outputs"], np.concatenate([opened.infer(image[None])[0] for image in truth["images"]])


def size(folder: Path, name: str) -> float:
    """Of the file, relative to the float one."""
    return (folder / name / "model.tflite").stat().st_size / (folder / "source" / "model.tflite").stat().st_size


def test_the_converted_model_says_what_pytorch_says(digits):
    expected, found = outputs(digits, "source")
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=0.02)  # pixels
    np.testing.assert_allclose(found[:, 4:], expected[:, 4:], atol=1e-3)
    assert session(digits, "source").executed().keys() == {"f32"}


def test_class_names_travel_with_the_source(digits):
    assert json.loads((digits / "source" / "meta.json").read_text())["names"] == [str(n) for n in range(10)]


@pytest.mark.parametrize("name", MADE)
def test_what_is_detected_stays(digits, name):
    expected, found = outputs(digits, name)
    image, anchor = np.nonzero(expected[:, 4:].max(axis=1) > 0.5)
    assert len(image) > 20
    sure, same = expected[image, :, anchor], found[image, :, anchor]
    assert np.mean(sure[:, 4:].argmax(1) == same[:, 4:].argmax(1)) > 0.95
    assert np.abs(sure[:, 4:] - same[:, 4:]).mean() < 0.02
    assert np.abs(sure[:, :4] - same[:, :4]).mean() < 1.0  # pixels


@pytest.mark.parametrize(("name", "limit"), [("fp16", 0.53), ("int8", 0.43), ("int8-dynamic", 0.43), ("w8a16", 0.43)])
def test_the_file_shrinks(digits, name, limit):
    assert size(digits, name) <= limit


@pytest.mark.parametrize("name", MADE)
def test_most_of_the_work_executes_as_the_recipe_promises(digits, name):
    executed = session(digits, name).executed()
    promised = RECIPES["litert", name].executes
    assert executed[promised] / sum(executed.values()) > 0.95
    assert sum(executed.values()) == sum(session(digits, "source").executed().values())
    assert litert.inspect(digits / name / "model.tflite")["precision"] == name


def test_int8_keeps_logits_and_attention_in_float_and_feeds_on_float(digits):
    opened = session(digits, "int8")._interpreter
    kinds: dict[str, set[str]] = {}
    for name, given, _ in litert.operators(opened):
        kinds.setdefault(name, set()).add(str(np.dtype(given[0]["dtype"])))
    assert kinds["SOFTMAX"] == kinds["BATCH_MATMUL"] == {"float32"}
    branches = [made[0] for name, _, made in litert.operators(opened) if name == "CONV_2D"]
    last = [one for one in branches if one["shape"][-1] in (4, 10)]  # box distances, class logits
    assert len(last) == 6 and {str(np.dtype(one["dtype"])) for one in last} == {"float32"}
    ends = (*opened.get_input_details(), *opened.get_output_details())
    assert {str(np.dtype(end["dtype"])) for end in ends} == {"float32"}


def test_no_step_of_int8_is_spent_on_what_silu_flattens(digits):
    lows = []
    for name, (given, *_), _ in litert.operators(session(digits, "int8")._interpreter):
        if name == "LOGISTIC" and np.dtype(given["dtype"]) == np.int8:
            scale, zero = given["quantization"]
            lows.append(scale * (-128 - zero))
    assert len(lows) > 80
    assert min(lows) >= -8.5  # the zero point is rounded
    assert max(lows) < 0


def test_calibration_that_overflows_names_the_tensor(digits, tmp_path):
    broken = tmp_path / "calibration.npy"
    np.save(broken, np.full((1, 3, SIZE, SIZE), np.inf))
    source = digits / "source" / "model.tflite"
    with pytest.raises(ConfigError, match=r"an activation is infinite or not a number \(.+\)") as caught:
        RECIPES["litert", "int8"].run(BuildInputs(source, source, (SIZE, SIZE), 1, False, broken), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_ready_file_is_adopted_with_the_precision_that_is_in_it(digits, tmp_path):
    file = digits / "int8" / "model.tflite"
    meta = RECIPES["litert", "ready"].run(BuildInputs(file, file, (SIZE, SIZE), 1, False, None), tmp_path)
    assert (meta["precision"], meta["executes"]) == ("int8", "i8")
    assert (tmp_path / "model.tflite").read_bytes() == file.read_bytes()
    with pytest.raises(ConfigError, match=r"takes an input of 1×3×256×256, the suite feeds 1×3×640×640"):
        RECIPES["litert", "ready"].run(BuildInputs(file, file, (640, 640), 1, False, None), tmp_path)


@pytest.mark.parametrize(("precision", "reason"), [("bf16", "no bfloat16"), ("int8-qat", "learned ranges")])
def test_what_cannot_be_built_says_why(precision, reason):
    with pytest.raises(Unavailable, match=reason):
        recipe(Cell("digits", precision, "litert"))
