"""The console script, and what importing the package costs."""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
from unittest.mock import Mock

import pytest

from harness import __version__
from harness.commands import NAMES
from harness.commands.base import Exit
from harness.commands.cli import main, parser
from harness.commands.doctor import tables
from harness.core.errors import KINDS, QuantgateError

COMMANDS = [*([name] for name in NAMES), *(["baseline", action] for action in ("list", "show", "accept", "prune"))]
HEAVY = ("torch", "onnxruntime", "openvino", "ultralytics", "cv2", "onnx", "nncf", "pycocotools", "rich", "pytest")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "doctor"),
        (["--help"], "exit 1 on a regression"),
        (["--version"], f"quantgate {__version__}"),
        (["--help"], "3  infrastructure"),
        (["compare", "--help"], "B is judged against A"),
    ],
)
def test_help_and_version_end_well(capsys, monkeypatch, arguments, said):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["compare", "only-one"]])
def test_wrong_usage_is_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: quantgate" in capsys.readouterr().err


def test_the_console_script_is_installed():
    shown = subprocess.run(
        [sys.executable, "-m", "harness.commands.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"quantgate {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_by_an_example_that_parses(capsys, command):
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    examples = capsys.readouterr().out.partition("\nExamples:\n")[2].splitlines()
    ours = [words for words in (shlex.split(line.partition(" > ")[0]) for line in examples) if "quantgate" in words]
    assert ours
    for words in ours:
        assert parser().parse_args(words[words.index("quantgate") + 1 :]).run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        *((kind("a line"), kind.exit_code, "quantgate: a line\n") for kind in (QuantgateError, *KINDS.values())),
        (ZeroDivisionError("a bug"), Exit.INFRASTRUCTURE, "ZeroDivisionError: a bug\n"),
    ],
)
def test_what_goes_wrong_is_told_and_never_reads_as_a_regression(capsys, monkeypatch, error, code, said):
    monkeypatch.setattr(tables, "machine_table", Mock(side_effect=error))
    assert main(["doctor"]) == code
    assert code != Exit.REGRESSION
    err = capsys.readouterr().err
    assert err.endswith(said)
    assert ("Traceback" in err) == isinstance(error, ZeroDivisionError)


def test_an_interruption_is_no_traceback_and_no_regression(capsys, monkeypatch):
    monkeypatch.setattr(tables, "machine_table", Mock(side_effect=KeyboardInterrupt))
    assert main(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_regression():
    command = f"set -o pipefail; {sys.executable} -m harness.commands.cli doctor | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (Exit.INFRASTRUCTURE, "")


IMPORT_NUMPY = "import time, numpy; print(time.process_time())"


def printed(program: str) -> tuple[float, str]:
    """CPU seconds that a process took by its own clock, and what else the last line of its output says."""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    took, _, rest = shown.stdout.splitlines()[-1].partition(" ")
    return float(took), rest


def assert_quick(program: str, times: float, turns: int = 12) -> None:
    """The program takes at most `times` the CPU time of a process that imports NumPy, and imports no runtime.

    The two alternate, and the least of each counts: whatever else the machine does can only add to either. A shared
    core was seen to double a process's CPU time for seconds on end, so up to `turns` turns are taken.
    """
    numpy_s = took_s = math.inf
    for _ in range(turns):
        numpy_s = min(numpy_s, printed(IMPORT_NUMPY)[0])
        seconds, heavy = printed(program)
        assert heavy == "[]"
        took_s = min(took_s, seconds)
        if took_s <= times * numpy_s:
            return
    raise AssertionError(f"{took_s:.3f} s of CPU time, where `import numpy` takes {numpy_s:.3f} s")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in NAMES)], ids=" ".join)
def test_help_starts_quickly_and_imports_no_runtime(arguments):
    program = f"""
import sys, time
from harness.commands.cli import main
try:
    main({arguments})
except SystemExit:
    print(time.process_time(), [name for name in {HEAVY} if name in sys.modules])
"""
    assert_quick(program, times=5)


def test_importing_the_package_is_quick_and_imports_no_runtime():
    program = f"""
import sys, time, harness
print(time.process_time(), [name for name in {HEAVY} if name in sys.modules])
"""
    assert_quick(program, times=2.75)


def test_a_program_that_is_not_quick_is_convicted():
    slow = "import time, numpy; sum(range(50_000_000)); print(time.process_time(), [])"
    with pytest.raises(AssertionError, match="s of CPU time"):
        assert_quick(slow, times=2.75, turns=2)
