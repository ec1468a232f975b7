"""The suites that files declare, and cells found in them by their ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import ConfigError
from harness.commands.suite_files import declared, find

TEXT = 'from harness import Suite, matrix\nSUITE = Suite("{}", "d", matrix("yolo26n", "{}", "onnxruntime"))\n'


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    for name, precision in (("one", "fp32"), ("two", "int8")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text(TEXT.format(name, precision))
    return tmp_path


def test_the_suite_the_folder_and_the_cell(suites: Path) -> None:
    suite, home, cell = find("yolo26n-int8-onnxruntime-cpu", suites)
    assert (suite.name, home, cell.precision) == ("two", suites / "two", "int8")


def test_an_unknown_cell_names_the_nearest(suites: Path) -> None:
    with pytest.raises(ConfigError, match="yolo26n-int8-onnxruntime-cpu"):
        find("yolo26n-int8-onnxruntime", suites)


def test_two_suites_with_one_cell_are_told_apart_by_their_files(suites: Path) -> None:
    (suites / "two" / "test_two.py").write_text(TEXT.format("two", "fp32"))
    with pytest.raises(ConfigError, match=r"\(one, two\): name one's file with --suite"):
        find("yolo26n-fp32-onnxruntime-cpu", suites)
    assert find("yolo26n-fp32-onnxruntime-cpu", suites / "one" / "test_one.py")[0].name == "one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n1 / 0\n", r"test_broken.py:2: ZeroDivisionError: division by zero; `pytest .*` shows all of it$"),
        ("def f(:\n", r"test_broken.py:1: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", r"test_broken.py:2: SystemExit: 3"),
        ("import nobody_has_this\n", r"test_broken.py:1: ModuleNotFoundError: No module named 'nobody_has_this'"),
        ("import pytest\npytest.fail('no\\nway')\n", r"test_broken.py:2: Failed: no way"),
    ],
)
def test_a_file_that_cannot_be_run_is_one_line_with_its_place(suites: Path, text: str, said: str) -> None:
    (suites / "test_broken.py").write_text(text)
    with pytest.raises(ConfigError, match=said) as raised:
        find("x", suites)
    assert "\n" not in str(raised.value)


def test_a_conftest_that_cannot_be_run_is_named(suites: Path) -> None:
    (suites / "one" / "conftest.py").write_text("raise KeyError('gone')\n")
    with pytest.raises(ConfigError, match=r"conftest.py:1: KeyError: 'gone'"):
        find("x", suites)


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\npytest.importorskip('nobody_has_this')\n",
        "import pytest\npytest.skip('not here', allow_module_level=True)\n",
        "import unittest\nraise unittest.SkipTest('not here')\n",
    ],
)
def test_a_file_that_skips_itself_is_passed_over_with_a_line(suites: Path, text: str, capsys) -> None:
    (suites / "test_gpu.py").write_text(text)
    assert [suite.name for suite, _ in declared(suites)] == ["one", "two"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{suites / 'test_gpu.py'}: passed over, as pytest does: ")


def test_a_suite_in_a_file_that_ends_in_test_is_found(suites: Path) -> None:
    (suites / "three_test.py").write_text(TEXT.format("three", "fp16"))
    assert find("yolo26n-fp16-onnxruntime-cpu", suites)[0].name == "three"


def test_a_place_without_suites_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="declares no suite"):
        find("x", tmp_path)


def test_every_suite_of_every_test_file_is_declared_with_its_file(suites: Path) -> None:
    (suites / "helper.py").write_text("1 / 0\n")  # pytest would not collect it
    (suites / "one" / "test_more.py").write_text(f"{TEXT.format('more', 'fp32')}OTHER = SUITE\nNUMBER = 1\n")
    found = [(suite.name, file.relative_to(suites).as_posix()) for suite, file in declared(suites)]
    assert found == [("more", "one/test_more.py")] * 2 + [("one", "one/test_one.py"), ("two", "two/test_two.py")]
    assert [suite.name for suite, _ in declared(suites / "two" / "test_two.py")] == ["two"]


def test_a_suite_that_makes_no_sense_names_its_file(suites: Path) -> None:
    (suites / "test_bad.py").write_text(TEXT.format("bad", "fp33"))
    with pytest.raises(ConfigError, match=r"test_bad.py: .*fp33"):
        list(declared(suites))
