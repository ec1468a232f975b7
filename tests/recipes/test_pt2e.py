"""Compiled PyTorch: a detector of a few layers goes the whole way, from checkpoint to a session on the package."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import Cell, Unavailable
from harness.backends import torch as backend
from harness.core.measurement import Artifact
from harness.judge.attestation import contradiction, share
from harness.recipes import pt2e
from harness.recipes.base import BuildInputs
from harness.recipes.registry import RECIPES

# torch's compiler warns about torch itself, about something else in each version; in the product it runs in a child.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

SIZE = 64
DFL = 4 * 4 * (16 * 16 + 8 * 8)  # multiply-accumulates of the boxes' expectation: 4 sides of 4 bins at every anchor
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, SIZE, SIZE), np.uint8)


@pytest.fixture(scope="module")
def inputs(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildInputs:
    pixels = tmp_path_factory.mktemp("pixels") / "pixels.npy"
    np.save(pixels, PIXELS)
    return BuildInputs(tiny, tiny, (SIZE, SIZE), 1, False, pixels)


@pytest.fixture(scope="module")
def session(inputs: BuildInputs, tmp_path_factory):
    """A session on what a recipe of this backend builds, each built once."""
    opened: dict[str, object] = {}

    def open(precision: str):
        if precision not in opened:
            folder: Path = tmp_path_factory.mktemp("built")
            made_by = RECIPES["torch", precision]
            meta = made_by.run(inputs, folder)
            path = folder / made_by.entry
            cell = Cell("tiny", precision, "torch", imgsz=SIZE)
            opened[precision] = backend.open(Artifact(str(path), "key", path.stat().st_size, meta), cell, 1)
        return opened[precision]

    return open


def test_int8_is_what_executes_but_for_the_decoding_of_boxes(session):
    executed = session("int8").executed()
    assert executed == {"i8": sum(session("fp32").executed().values()) - DFL, "f32": DFL}


def test_an_int8_cell_that_fell_back_to_float_is_caught(session, inputs, tmp_path, monkeypatch):
    """Where weights are not frozen, Inductor recognises no quantized convolution: it dequantizes and runs in float."""
    monkeypatch.setitem(pt2e.OPTIONS, "freezing", False)
    meta = RECIPES["torch", "int8"].run(inputs, tmp_path)
    assert share(meta["work"], "i8") == 0
    assert contradiction(Cell("tiny", "int8", "torch"), meta["work"], "i8")


def test_the_count_of_the_compiled_graph_is_what_onednn_logs_while_it_executes(session, capfd):
    int8 = session("int8")
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        int8.infer(np.zeros((1, 3, SIZE, SIZE), np.float32))
    logged = {"u8": 0, "f32": 0}
    for line in capfd.readouterr().out.splitlines():
        if ",exec,cpu,convolution," in line:
            # mb1_g16ic16oc16_ih32oh16kh3…_iw32ow16kw3…: batch, groups, channels, heights and widths
            sides = {
                name: int(value) for name, value in re.findall(r"(mb|g|[io]c|o[hw]|k[hw])(\d+)", line.split(",")[-2])
            }
            work = math.prod(sides[name] for name in ("mb", "ic", "oc", "oh", "ow", "kh", "kw"))
            (source,) = re.findall(r"src:(\w+):", line)
            logged[source] += work // sides.get("g", 1)
    assert {"i8": logged["u8"], "f32": logged["f32"]} == int8.executed()


def test_int8_says_nearly_what_float_says(session):
    batch = PIXELS[:1].astype(np.float32) / 255
    exact, quantized = (session(precision).infer(batch)[0] for precision in ("fp32", "int8"))
    assert quantized.shape == exact.shape == (1, 4 + 2, 16 * 16 + 8 * 8)
    assert 0 < np.abs(quantized - exact)[:, :4].mean() < 1, "pixels"


def test_compiled_float_is_the_same_function(session):
    batch = PIXELS[:1].astype(np.float32) / 255
    compiled, eager = session("fp32:compiled"), session("fp32")
    assert compiled.executed() == eager.executed()
    assert np.allclose(compiled.infer(batch)[0], eager.infer(batch)[0], atol=1e-3)


def test_a_batch_of_another_shape_is_refused_and_not_read_beyond_its_end(session):
    with pytest.raises(ValueError, match=r"compiled for \(1, 3, 64, 64\)"):
        session("int8").infer(np.zeros((1, 3, 32, 32), np.float32))


def test_without_a_compiler_the_line_says_what_to_install(inputs, tmp_path, monkeypatch):
    from torch._inductor import cpp_builder, exc

    def none() -> str:
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(Unavailable, match=r"install g\+\+ or set CXX"):
        RECIPES["torch", "int8"].run(inputs, tmp_path)


def test_compiled_code_is_keyed_by_the_instructions_it_may_use(monkeypatch):
    cell = Cell("tiny", "int8", "torch")
    here = backend.hardware(cell)
    monkeypatch.setattr(backend, "cpu_flags", lambda: frozenset({"avx2"}))
    assert backend.hardware(cell) != here
