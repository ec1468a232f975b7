"""What the author of a backend imports: everything from two doors, and no runtime with it."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import harness.backends
from harness import Artifact, Cell, Unavailable

AUTHOR = """
from harness import Artifact, Cell
from harness.backends import Backend, Compiling, DeviceSession, Session, Tensor, require, require_cpu
from harness.recipes import BuildInputs, Recipe

REFERENCE = "network.onnx"
RECIPES = {("mine", "fp32"): Recipe("mine:copy", "model.bin", "f32", "f32", "checkpoint")}

def probe(cell: Cell) -> str:
    require_cpu(cell)
    return require("numpy")

def load() -> None: ...

def open(artifact: Artifact, cell: Cell, threads: int) -> Session:
    return Doubler()

class Doubler:
    def infer(self, batch) -> tuple[Tensor, ...]:
        return (batch * 2,)
    def executed(self) -> dict[str, int]:
        return {}
    def close(self) -> None: ...
"""


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A backend written with the two doors alone."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    exec(AUTHOR, module.__dict__)
    return module


def test_a_backend_needs_no_other_module_of_quantgate(mine: ModuleType) -> None:
    assert mine.probe(Cell("m", "fp32", "mine")) == np.__version__
    with pytest.raises(Unavailable, match="mine runs on device 'cpu' only"):
        mine.probe(Cell("m", "fp32", "mine", "cuda"))
    session = mine.open(Artifact("model.bin", "key", 1), Cell("m", "fp32", "mine"), threads=1)
    np.testing.assert_array_equal(session.infer(np.ones((1, 3, 4, 4), np.float32))[0], 2)
    assert not isinstance(session, harness.backends.DeviceSession)


def test_the_door_offers_what_it_names_and_each_is_explained() -> None:
    for name in set(harness.backends.__all__) - {"Tensor"}:  # a type alias
        assert getattr(harness.backends, name).__doc__


def test_the_door_loads_no_runtime() -> None:
    program = "import sys, harness.backends; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"torch", "onnxruntime", "openvino", "tensorrt", "ai_edge_litert", "ultralytics", "cv2", "onnx"}
    assert heavy & set(done.stdout.split()) == set()
