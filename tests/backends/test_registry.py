"""The backends by name: an entry point makes another package's as good as quantgate's own; a broken one is one line."""

from __future__ import annotations

import sys
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
    """Put a package on the path that registers modules as backends: name → module. Again: a new version of it."""

    def install(package: str, content: str = MODULE, **points: str) -> None:
        (tmp_path / "mine_runtime.py").write_text(content)
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir(exist_ok=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {module}" for name, module in points.items()]
        (about / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "mine_runtime", raising=False)
        clear()

    yield install
    clear()


def clear() -> None:
    registry.registered.cache_clear()
    registry.backend_module.cache_clear()


def refused() -> str:
    """The line with which a cell of the backend `mine` is refused."""
    with pytest.raises(ConfigError) as raised:
        runnable(Cell("model", "fp32", "mine"))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_registered_backend_is_named_in_a_suite_and_listed_by_doctor(install) -> None:
    install("mine", mine="mine_runtime")
    cells = matrix("model", ["fp32", "bf16", "int8:tuned"], ["mine", "onnxruntime"])
    assert {cell.backend for cell in cells} == {"mine", "onnxruntime"}
    assert registry.backend_names() == (*registry.own_backends(), "mine")
    listed = {one.precision: one for one in abilities() if one.backend == "mine"}
    assert listed["fp32"].version == "7.1"
    assert listed["bf16"].reason == "no such kernels"
    assert "no int8 recipe for mine" in listed["int8"].reason


def test_quantgates_own_backends_come_first_and_in_order(install) -> None:
    install("early", a="mine_runtime")
    assert registry.own_backends() == ("litert", "null", "onnxruntime", "openvino", "tensorrt", "torch")
    assert registry.backend_names()[-1] == "a"


def test_a_name_that_nobody_registers_is_one_line() -> None:
    with pytest.raises(ConfigError, match="no installed package registers a backend 'mine'; `quantgate doctor` lists"):
        registry.backend("mine")


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
    inputs = BuildInputs(weights, weights, (64, 64), 1, False, None)
    assert recipe(Cell("model", "fp32", "mine")).run(inputs, folder) == {"names": ["box"]}
    assert (folder / "model.bin").read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["onnxruntime", "a-b"])
def test_a_name_that_is_taken_or_is_no_identifier_is_refused(install, name: str) -> None:
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


def test_a_backend_of_quantgate_0_1_is_told_where_its_imports_are_now(install) -> None:
    """One line per import: Python stops at the first that fails, and its author goes on to the next."""
    old = "from harness.types import Artifact\nfrom harness.precision import Recipe\n"
    half = "from harness import Artifact\nfrom harness.precision import Recipe\n"
    new = "from harness import Artifact\nfrom harness.recipes import Recipe\n"
    install("mine", old + MODULE, mine="mine_runtime")
    assert refused() == (
        "backend 'mine' of mine 1.0 cannot be imported from mine_runtime: harness.types moved to harness.core.cell, "
        "harness.core.suite, harness.core.measurement, harness.core.status and harness.core.verdict; "
        "the package needs a version for this quantgate"
    )
    install("mine", half + MODULE, mine="mine_runtime")
    assert refused() == (
        "backend 'mine' of mine 1.0 cannot be imported from mine_runtime: harness.precision moved to harness.recipes "
        "and harness.recipes.registry (Inputs is BuildInputs now); the package needs a version for this quantgate"
    )
    install("mine", new + MODULE, mine="mine_runtime")
    assert runnable(Cell("model", "fp32", "mine"))[1] == "7.1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import no_such_module", "backend 'mine' of mine 1.0 cannot be imported from mine_runtime: No module named"),
        ("def probe(cell): ...", "mine_runtime has no load, open, REFERENCE, RECIPES; docs/backends.md"),
    ],
)
def test_a_broken_one_is_one_line(install, content: str, said: str) -> None:
    install("mine", content, mine="mine_runtime")
    assert said in refused()


def test_registering_imports_nothing(install) -> None:
    install("mine", "raise RuntimeError('imported')", mine="mine_runtime")
    assert matrix("model", "fp32", "mine")[0].backend == "mine"
