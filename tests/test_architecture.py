"""The house keeps its rules: imports point one way, tests mirror the package, names mean one thing, parts are small."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "assets" not in path.parts)

# Imports


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_import_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout
    assert " kept, 0 broken." in done.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("core/status.py", "import harness.store.git", "Imports point down the flow"),
        ("judge/gates.py", "from harness.machine import locks", "Imports point down the flow"),
        ("plugin/options.py", "from harness.commands import base", "Imports point down the flow"),
        ("attic/__init__.py", "", "Imports point down the flow"),  # a wing that the contract does not know
        ("store/git.py", "from harness.machine import fingerprint", "does not ask which machine this is"),
        ("measure/runner.py", "from harness.measure.explain import tide", "The runner knows"),
        ("report/markdown.py", "from harness.report.terminal import cells", "Media do not know each other"),
        ("inputs/calibration.py", "def f():\n    from harness.report import media", "No circles"),
        ("judge/gates.py", "import rich", "Only what draws knows rich"),
        ("store/git.py", "def f():\n    import pytest", "Only the plugin knows pytest"),
    ],
)
def test_a_forbidden_import_breaks_a_contract(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "harness", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "harness" / module
    file.parent.mkdir(exist_ok=True)
    file.write_text((file.read_text() if file.exists() else '"""New."""\n') + f"\n{statement}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in line and "BROKEN" in line for line in done.stdout.splitlines()) or contract in done.stdout
    assert "BROKEN" in done.stdout or "missing" in done.stdout.lower()


@pytest.mark.parametrize(
    ("code", "found"), [("import torch\n", True), ("def run():\n    import torch\n", False), ("import json\n", False)]
)
def test_a_runtime_is_imported_inside_functions_only(code: str, found: bool) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select=TID253", "--stdin-filename=harness/new.py", "-"]
    done = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True)
    assert ("TID253" in done.stdout) is found, done.stdout + done.stderr


# Tests

UNTESTED = {
    "measure/reading.py": "the cell's declaration handed to tasks/look.py, which tests/real/test_forms.py runs",
    "tasks/boxes.py": "tests/tasks/test_outputs.py, form by form and by Hypothesis",
    "tasks/candidates.py": "tests/tasks/test_outputs.py, form by form and by Hypothesis",
    "tasks/grids.py": "tests/tasks/test_outputs.py, form by form and by Hypothesis",
    "tasks/parts.py": "tests/tasks/test_outputs.py, form by form and by Hypothesis",
    "tasks/values.py": "tests/tasks/test_outputs.py, form by form and by Hypothesis",
    "__init__.py": "what a suite imports; tests/test_docs.py has every name in a block that runs",
    "core/version.py": "one constant",
    "measure/place.py": "a protocol; tests/measure/test_runner.py tests the local place",
}
"""Modules without a test file of their own, and why."""

WHOLE = {
    "plugin/test_bad_input.py": "mistakes of users, from the command line to the line they read",
    "plugin/test_kills.py": "kill -9 of a worker or a child, at any moment of a run",
    "plugin/test_terminal.py": "what pytest prints with the plugin, by kind of terminal",
    "plugin/test_xdist.py": "runs that several workers share, and runs that are interrupted",
    "report/html/test_browser.py": "the whole page in Chromium: keyboard, screen sizes, axe",
}
"""Test files that are about more than one module, and what they are about."""

ELSEWHERE = ("real", "standins")
"""Folders of `tests/` that mirror no wing: real models and runtimes; stand-ins for hardware."""


def own_test(module: Path) -> Path:
    """`judge/gates.py` → `judge/test_gates.py`; a package's `__init__.py` → `test_<package>.py` in its folder."""
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return module.parent / f"test_{name}.py"


def has_code(module: Path) -> bool:
    """A package that only says what it holds needs no test."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign) for node in parsed(module).body)


def test_every_module_has_its_own_test_or_says_why_not() -> None:
    lacking = {str(m) for m in MODULES if has_code(m) and not (ROOT / "tests" / own_test(m)).exists()}
    assert lacking - UNTESTED.keys() == set(), "without a test file"
    assert UNTESTED.keys() - lacking == set(), "listed, and has one"


def test_every_test_file_stands_beside_a_module_or_says_what_it_is_about() -> None:
    files = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    mirrored = {own_test(module) for module in MODULES}
    wings = {str(file) for file in files - mirrored if len(file.parts) > 1 and file.parts[0] not in ELSEWHERE}
    assert wings - WHOLE.keys() == set(), "beside no module"
    assert WHOLE.keys() - wings == set(), "listed, and not there"


# Names and sizes

SHARED = {
    "backends": {"probe", "load", "open", "hardware"},  # the protocol of a backend
    "commands": {"add", "run"},  # the protocol of a command
    "recipes": {"adopt", "convert", "copy", "dynamic_int8", "float16", "ir", "onnx", "static_int8"},
    # build functions, one per toolchain for one precision; their names are in artifact keys
}
"""Names that several modules of a wing share because they mean the same there."""
PROCESSES = {"main"}
"""What `python -m` runs."""


def parsed(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text())


def public(module: Path) -> Iterator[str]:
    for node in parsed(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_no_two_public_classes_or_functions_share_a_name() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for name in set(public(module)) - SHARED.get(module.parts[0], set()) - PROCESSES:
            homes[name].add(str(module))
    assert {name: sorted(found) for name, found in homes.items() if len(found) > 1} == {}


def test_modules_and_functions_are_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 3
    long = {str(module) for module in MODULES if len((PACKAGE / module).read_text().splitlines()) > 250}
    for module in MODULES:
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 45:
                long.add(f"{module}: {node.name}")
    assert long == set()
