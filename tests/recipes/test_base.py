"""What a build function is given, and how a recipe finds it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.recipes import BuildInputs, Recipe
from harness.recipes.base import silent

MINE = """
def build(inputs, folder, **params):
    (folder / "model.bin").write_bytes(inputs.source.read_bytes())
    return {"weights": inputs.weights.name, **params}
"""


@pytest.fixture
def inputs(tmp_path: Path) -> BuildInputs:
    """Five calibration images, each of one grey level: 0, 51, 102, 153, 204."""
    np.save(
        tmp_path / "pixels.npy",
        np.arange(0, 255, 51, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 4), np.uint8),
    )
    source = tmp_path / "source.onnx"
    source.write_bytes(b"graph")
    return BuildInputs(tmp_path / "mine.pt", source, (4, 4), 2, False, tmp_path / "pixels.npy")


def test_batches_are_normalized_images_in_their_order_and_the_last_may_be_smaller(inputs: BuildInputs) -> None:
    batches = list(inputs.batches())
    assert [batch.shape for batch in batches] == [(2, 3, 4, 4), (2, 3, 4, 4), (1, 3, 4, 4)]
    assert {batch.dtype for batch in batches} == {np.dtype(np.float32)}
    assert np.concatenate(batches)[:, 0, 0, 0] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def test_a_build_may_ask_for_batches_of_another_size(inputs: BuildInputs) -> None:
    assert [len(batch) for batch in inputs.batches(4)] == [4, 1]


def test_the_images_done_are_the_progress_of_the_build(inputs: BuildInputs) -> None:
    told: list[tuple[int, int]] = []
    watched = dataclasses.replace(inputs, advance=lambda done, total: told.append((done, total)))
    list(watched.batches())
    assert told == [(0, 5), (2, 5), (4, 5)]
    assert inputs.advance is silent, "unless somebody watches, nobody is told"


def test_a_recipe_runs_the_function_of_another_package_with_its_params(
    inputs: BuildInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "mine_toolchain"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "recipes.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    made_by = Recipe("mine_toolchain.recipes:build", "model.bin", "f32", "f32", params={"level": 3})
    assert made_by.run(inputs, tmp_path) == {"weights": "mine.pt", "level": 3}
    assert (tmp_path / "model.bin").read_bytes() == b"graph"


def test_a_module_of_quantgate_goes_before_a_library_of_the_same_name(inputs: BuildInputs, tmp_path: Path) -> None:
    """`onnx` is a toolchain of quantgate and a library."""
    assert Recipe("onnx:copy", "model.onnx", "f32", "f32").run(inputs, tmp_path) == {}
    assert (tmp_path / "model.onnx").read_bytes() == b"graph"


@pytest.mark.parametrize(("build", "error"), [("no_such_module:build", ImportError), ("null:no_such", AttributeError)])
def test_a_function_that_does_not_exist_is_an_error(
    inputs: BuildInputs, tmp_path: Path, build: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="no_such"):
        Recipe(build, "model.bin", "f32", "f32").run(inputs, tmp_path)
