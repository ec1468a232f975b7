"""What a build leaves is loaded once by its runtime, before anything keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from graphs import SIZE, save_graph
from jobs import Silent
from onnx import helper

from harness import Cell, ConfigError
from harness.inputs.artifact_cache import Cache

CELL = Cell("mine", "ready", "onnxruntime", imgsz=SIZE)


def cache_in(folder: Path) -> Cache:
    return Cache(folder / "cache", lambda job, label: job.run(Silent()))


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A graph that onnx reads and ONNX Runtime refuses: per-channel scales at an opset that has none."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scales"], ["floats"], name="weights"),
        helper.make_node("Conv", ["images", "floats"], ["output"], name="conv"),
    ]
    weights, scales = np.ones((4, 3, 3, 3), np.int8), np.ones(4, np.float32)
    path = save_graph(tmp_path / "mine.onnx", nodes, batch=1, w=weights, scales=scales)
    model = onnx.load(path)
    model.graph.node[0].attribute.append(helper.make_attribute("axis", 0))
    model.opset_import[0].version = 11
    onnx.save(model, path)
    return path


def test_what_the_runtime_refuses_is_not_kept_and_the_line_has_the_whole_reason(refused, tmp_path):
    cache = cache_in(tmp_path)
    with pytest.raises(ConfigError, match=r"mine\.onnx: onnxruntime cannot load it as it is: .*axis") as caught:
        cache.artifact(CELL, refused, None)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "cache") not in str(caught.value)
    assert list((tmp_path / "cache" / "artifacts").iterdir()) == []


def test_what_the_runtime_loads_is_kept(tmp_path):
    node = helper.make_node("Conv", ["images", "w"], ["output"], name="conv")
    path = save_graph(tmp_path / "mine.onnx", [node], w=np.ones((4, 3, 3, 3), np.float32))
    assert Path(cache_in(tmp_path).artifact(CELL, path, None).path).is_file()
