"""LiteRT on files as people have them: every layout and type in, float32 pixels out, and what ran is what it says."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import TESTS
from tflite_files import CLASSES, IMAGE, MACS, SIDE

from harness import Cell, ConfigError, Unavailable
from harness.backends import litert
from harness.core.measurement import Artifact

CELL = Cell("model", "ready", "litert", imgsz=SIDE)
TYPES = {
    "fp32": "f32", "nhwc": "f32", "fp16": "f32", "w8": "f32", "int8-dynamic": "i8", "int8": "i8", "int8-nhwc": "i8",
    "uint8": "i8", "w8a16": "i16",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    script = [sys.executable, str(TESTS / "tflite_files.py"), "tiny", str(folder)]
    made = subprocess.run(script, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    return folder


def opened(path: Path, cell: Cell = CELL, threads: int = 1) -> litert.LiteRtSession:
    return litert.open(Artifact(str(path), "key", 1), cell, threads)


@pytest.mark.parametrize("name", ["pixels", *TYPES])
def test_every_file_gives_pixels_and_scores_in_float32(files, name):
    (output,) = opened(files / f"{name}.tflite").infer(IMAGE)
    truth = np.load(files / "truth.npy")
    assert output.dtype == np.float32
    tolerance = 1e-5 if TYPES.get(name, "f32") == "f32" and name not in ("w8", "fp16") else 0.01
    np.testing.assert_allclose(output[:, :4], truth[:, :4], atol=tolerance * SIDE)
    np.testing.assert_allclose(output[:, 4:], truth[:, 4:], atol=tolerance)


@pytest.mark.parametrize("name", ["pixels", "fp32"])
def test_the_unit_of_the_boxes_is_told_once_and_kept(files, name):
    session = opened(files / f"{name}.tflite")
    first = session.infer(IMAGE)[0].copy()
    np.testing.assert_array_equal(session.infer(IMAGE)[0], first)


def test_the_small_numbers_of_yolox_are_no_units():
    cells = (SIDE // 8) ** 2 + (SIDE // 16) ** 2 + (SIDE // 32) ** 2
    assert not litert._in_fractions([np.ones((1, cells, 5 + CLASSES), np.float32)], (SIDE, SIDE))
    assert litert._in_fractions([np.ones((1, 3 * cells, 5 + CLASSES), np.float32)], (SIDE, SIDE))  # YOLOv5


def test_extents_larger_than_the_image_are_no_pixels():
    boxes = np.full((1, 4 + CLASSES, 84), 0.5, np.float32)
    boxes[:, 2:4] = 4.7  # YOLOv5's largest anchor at 320 px, in units of the image
    assert litert._in_fractions([boxes], (SIDE, SIDE))


def test_an_output_without_boxes_tells_no_unit():
    assert litert._in_fractions([np.zeros((1, 300, 6), np.float32)], (SIDE, SIDE)) is None


@pytest.mark.parametrize(("name", "kind"), TYPES.items())
def test_the_arithmetic_is_counted_in_the_type_that_executes(files, name, kind):
    assert opened(files / f"{name}.tflite").executed() == {kind: MACS}


def test_dynamic_range_rounds_the_activations_and_weight_only_does_not(files):
    """The one claim of `executed` that no tensor type shows: the same int8 weights, two arithmetics."""
    exact, weights, dynamic = (
        opened(files / f"{name}.tflite").infer(IMAGE)[0] for name in ("fp32", "w8", "int8-dynamic")
    )
    assert not np.allclose(dynamic, weights, atol=1e-4)
    assert np.abs(weights - exact).max() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("threads", [1, 3])
def test_it_runs_on_the_threads_it_is_given(files, threads):
    before = len(list(Path("/proc/self/task").iterdir()))
    session = opened(files / "fp32.tflite", threads=threads)
    session.infer(IMAGE)
    assert len(list(Path("/proc/self/task").iterdir())) - before == threads - 1
    session.close()


@pytest.mark.parametrize(
    ("name", "precision"), [(name, name.removesuffix("-nhwc").removeprefix("u")) for name in TYPES if name != "nhwc"]
)
def test_the_precision_is_read_from_the_file(files, name, precision):
    assert litert.inspect(files / f"{name}.tflite")["precision"] == precision


def test_shapes_and_class_names_are_read_from_the_file(files):
    read = litert.inspect(files / "named.tflite")
    assert read["said"] == {"names": ["c", "k"]}  # by number, not by text
    assert read["input"] == (1, 3, SIDE, SIDE)
    assert read["outputs"] == [(1, 4 + CLASSES, 16)]
    assert litert.inspect(files / "nhwc.tflite")["input"] == (1, SIDE, SIDE, 3)
    assert litert.inspect(files / "nhwc.tflite")["said"] == {"names": None}


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_truncated_file_is_one_line(files, tmp_path, kept):
    whole = (files / "fp32.tflite").read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    for read in (litert.inspect, opened):
        with pytest.raises(ConfigError, match=r"cut.tflite cannot be read as a LiteRT model: .+") as caught:
            read(cut)
        assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_one_line(tmp_path):
    (tmp_path / "model.tflite").write_text("not a model\n" * 100)
    with pytest.raises(ConfigError, match=r"model.tflite cannot be read as a LiteRT model"):
        litert.inspect(tmp_path / "model.tflite")


@pytest.mark.parametrize("name", ["fp32", "nhwc"])
def test_another_image_size_is_one_line(files, name):
    with pytest.raises(ConfigError, match=rf"{name}.tflite cannot run on input .*64") as caught:
        opened(files / f"{name}.tflite", Cell("model", "ready", "litert", imgsz=64))
    assert "\n" not in str(caught.value)


def test_a_closed_session_answers_no_more(files):
    session = opened(files / "fp32.tflite")
    session.close()
    with pytest.raises(AttributeError):
        session.infer(IMAGE)


def test_it_says_what_is_missing(monkeypatch):
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    assert litert.probe(CELL) == importlib.metadata.version("ai-edge-litert")
    with pytest.raises(Unavailable, match="device 'cpu' only"):
        litert.probe(Cell("model", "fp32", "litert", "cuda"))
    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(Unavailable, match=r"ai-edge-litert is not installed: pip install 'quantgate\[litert\]'"):
        litert.probe(CELL)
