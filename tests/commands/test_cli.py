"""The console script, and what importing the package costs."""

from __future__ import annotations

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


@pytest.fixture(scope="module")
def numpy_s() -> float:
    """CPU seconds of a process that imports NumPy and nothing else: the measure of what is quick on this machine."""
    program = "import time, numpy; print(time.process_time())"
    return min(float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(5))


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in NAMES)], ids=" ".join)
def test_help_starts_quickly_and_imports_no_runtime(arguments, numpy_s):
    """As below, of a whole command line."""
    program = f"""
import sys, time
from harness.commands.cli import main
try:
    main({arguments})
except SystemExit:
    print(time.process_time(), [name for name in {HEAVY} if name in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    took, imported = shown.stdout.splitlines()[-1].split(maxsplit=1)
    assert imported == "[]"
    assert float(took) <= 5 * numpy_s


def test_importing_the_package_is_quick_and_imports_no_runtime(numpy_s):
    """By the interpreter's own CPU time: neighbours do not count, and what it waits for is the disk."""
    program = f"""
import sys, time, harness
print(time.process_time(), [name for name in {HEAVY} if name in sys.modules])
"""
    seconds = []
    for _ in range(3):
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        took, imported = shown.stdout.split(maxsplit=1)
        seconds.append(float(took))
        assert imported == "[]\n"
    assert min(seconds) <= 2.75 * numpy_s
