"""Backends of other packages: an entry point makes one as good as quantgate's own; a broken one is one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from demoproject import Demo, output

from harness import Cell, ConfigError, Unavailable, matrix
from harness.backends import registry
from harness.commands.doctor.tables import abilities
from harness.inputs.finder import runnable
from harness.recipes.base import BuildInputs
from harness.recipes.registry import recipe, recipe_names

MODULE = """
from pathlib import Path
from harness.recipes.base import Recipe

REFERENCE = "network.onnx"
RECIPES = {("mine", "fp32"): Recipe("mine_runtime:copy", "model.bin", "f32", "f32", "checkpoint"),
           ("mine", "int8:tuned"): Recipe("mine_runtime:copy", "model.bin", "i8", "i8", "checkpoint")}
REASONS = {("mine", "bf16"): "no such kernels"}

def probe(cell): return "7.1"
def load(): ...
def open(artifact, cell, threads): ...

def copy(inputs, folder):
    (folder / "model.bin").write_bytes(inputs.weights.read_bytes())
    return {"names": ["box"]}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a package on the path that registers modules as backends: name → module."""

    def install(package: str, content: str = MODULE, **points: str) -> None:
        (tmp_path / "mine_runtime.py").write_text(content)
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {module}" for name, module in points.items()]
        (about / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "mine_runtime", raising=False)

    clear()
    yield install
    clear()


def clear() -> None:
    registry.registered.cache_clear()
    registry.module_of.cache_clear()


def test_a_registered_backend_is_named_in_a_suite_and_listed_by_doctor(install) -> None:
    install("mine", mine="mine_runtime")
    cells = matrix("model", ["fp32", "bf16", "int8:tuned"], ["mine", "onnxruntime"])
    assert {cell.backend for cell in cells} == {"mine", "onnxruntime"}
    assert registry.backend_names() == (*registry.own_backends(), "mine")
    listed = {one.precision: one for one in abilities() if one.backend == "mine"}
    assert listed["fp32"].version == "7.1"
    assert listed["bf16"].reason == "no such kernels"
    assert "no int8 recipe for mine" in listed["int8"].reason


def test_its_recipes_are_its_own(install, tmp_path: Path) -> None:
    install("mine", mine="mine_runtime")
    assert "int8:tuned" in recipe_names()
    made_by, version = runnable(Cell("model", "int8:tuned", "mine"))
    assert (made_by.stored, version) == ("i8", "7.1")
    with pytest.raises(Unavailable, match="no int8:tuned recipe for onnxruntime"):
        recipe(Cell("model", "int8:tuned", "onnxruntime"))


def test_its_build_function_makes_the_artifact(install, tmp_path: Path) -> None:
    install("mine", mine="mine_runtime")
    weights, folder = tmp_path / "model.pt", tmp_path / "built"
    weights.write_bytes(b"weights")
    folder.mkdir()
    assert recipe(Cell("model", "fp32", "mine")).run(BuildInputs(weights, weights, 64, 1, False, None), folder) == {
        "names": ["box"]
    }
    assert (folder / "model.bin").read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["onnxruntime", "a-b"])
def test_a_name_that_is_taken_or_no_identifier_is_refused(install, name: str) -> None:
    install("mine", **{name: "mine_runtime"})
    with pytest.raises(ConfigError, match=f"mine 1.0 registers a backend '{name}'"):
        matrix("model", "fp32", "torch")


def test_such_a_package_is_a_usage_error_of_pytest(install, demo: Demo) -> None:
    install("mine", torch="mine_runtime")
    result = demo.run("--qg-require-backends", "null")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "mine 1.0 registers a backend 'torch'" in output(result)


def test_two_packages_cannot_have_one_name(install) -> None:
    install("mine", mine="mine_runtime")
    install("other", mine="mine_runtime")
    with pytest.raises(ConfigError, match="the name is taken"):
        registry.backend_names()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import no_such_module", "backend 'mine' of mine 1.0 cannot be imported from mine_runtime: No module named"),
        ("def probe(cell): ...", "mine_runtime has no load, open, REFERENCE, RECIPES; docs/backends.md"),
    ],
)
def test_a_broken_one_is_one_line(install, content: str, said: str) -> None:
    install("mine", content, mine="mine_runtime")
    with pytest.raises(ConfigError) as raised:
        runnable(Cell("model", "fp32", "mine"))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_registering_imports_nothing(install) -> None:
    install("mine", "raise RuntimeError('imported')", mine="mine_runtime")
    assert matrix("model", "fp32", "mine")[0].backend == "mine"
