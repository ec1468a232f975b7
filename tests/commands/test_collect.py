"""The test files that pytest would collect, and their content as pytest imports it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.commands.collect import FILES, Importer, collected, configuration


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported here is forgotten after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\npython_files = check_*.py\n  suite.py\n"),
        (".pytest.ini", "[pytest]\npython_files = check_*.py suite.py\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npython_files = ["check_*.py", "suite.py"]\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\npython_files = "check_*.py suite.py"\n'),
        ("tox.ini", "[tox]\nenvlist = py\n[pytest]\npython_files = check_*.py suite.py\n"),
        ("setup.cfg", "[metadata]\nname = x\n[tool:pytest]\npython_files = check_*.py suite.py\n"),
        ("pytest.toml", '[pytest]\npython_files = ["check_*.py", "suite.py"]\n'),
    ],
)
def test_python_files_of_the_users_configuration_count(tmp_path: Path, file: str, text: str) -> None:
    write(tmp_path, {file: text, "a/check_it.py": "", "a/suite.py": "", "a/test_it.py": "", "a/it_test.py": ""})
    known = configuration(tmp_path / "a")
    assert known.root == tmp_path.resolve()
    assert [path.name for path in collected(tmp_path / "a", known)] == ["check_it.py", "suite.py"]


@pytest.mark.parametrize("text", ["", "[pytest]\naddopts = -q\n"])
def test_without_a_word_about_files_pytests_own_patterns_count(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"pytest.ini": text, "pyproject.toml": "[project]\nname = 'x'\n", "test_a.py": "", "b_test.py": ""})
    write(tmp_path, {"helper.py": "", ".venv/test_x.py": "", "build/test_y.py": "", "env/pyvenv.cfg": ""})
    write(tmp_path, {"env/lib/test_z.py": "", "deep/er/test_c.py": ""})
    known = configuration(tmp_path)
    assert known.files == FILES
    found = [path.relative_to(tmp_path).as_posix() for path in collected(tmp_path, known)]
    assert found == ["b_test.py", "deep/er/test_c.py", "test_a.py"]
    assert collected(tmp_path / "helper.py", known) == [tmp_path / "helper.py"], "a file that is named is taken"


@pytest.mark.parametrize(
    "files",
    [
        {"s/test_a.py": "from qg_helpers import X", "s/qg_helpers.py": "X = 1"},
        {"s/test_a.py": "from conftest import X", "s/conftest.py": "X = 1"},
        {"s/test_a.py": "from qg_above import X", "s/conftest.py": "", "conftest.py": "", "qg_above.py": "X = 1"},
        {"s/test_a.py": "from qg_lib import X", "pytest.ini": "[pytest]\npythonpath = lib", "lib/qg_lib.py": "X = 1"},
        {"s/test_a.py": "from qg_made import X", "conftest.py": "import sys, pathlib\n"
         "sys.path.insert(0, str(pathlib.Path(__file__).parent / 'src'))", "src/qg_made.py": "X = 1"},
        {"s/test_a.py": "from .near import X", "s/__init__.py": "", "s/near.py": "X = 1"},
        {"s/test_a.py": "import pathlib\nX = int(pathlib.Path(__file__).stem == 'test_a')"},
    ],
)  # fmt: skip
def test_what_pytest_can_import_is_imported(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, {"pytest.ini": "", **files})
    known = configuration(tmp_path / "s")
    assert Importer(known).content(tmp_path / "s" / "test_a.py")["X"] == 1


def test_a_conftest_runs_once_and_may_ignore_files(tmp_path: Path) -> None:
    write(tmp_path, {"pytest.ini": "", "test_a.py": "X = 1", "test_b.py": "1 / 0", "test_gpu.py": "1 / 0"})
    counted = "import pathlib\nfile = pathlib.Path(__file__).with_name('runs')\n"
    counted += "file.write_text((file.read_text() if file.exists() else '') + 'x')\n"
    ignoring = "collect_ignore = ['test_b.py']\ncollect_ignore_glob = ['*_gpu.py']\n"
    write(tmp_path, {"conftest.py": counted + ignoring})
    known = configuration(tmp_path)
    importer = Importer(known)
    assert [importer.content(file).get("X") for file in collected(tmp_path, known)] == [1, None, None]
    assert (tmp_path / "runs").read_text() == "x"
