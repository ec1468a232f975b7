"""The base's interpreter: which one it is, whether this quantgate can measure with it, and how its processes end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import ConfigError
from harness.commands.gate import interpreter
from harness.commands.gate.interpreter import BaseFailed, environment, last_words, refuse_older, run_to_end


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., str]:
    """The base's interpreter by `environment`, where `here` and `base` are the folders of the two sides."""
    for name in ("here", "base", "scratch"):
        (tmp_path / name).mkdir()

    def make(python: Path | None = None, requirements: str = "") -> str:
        folders = tmp_path / "here", lambda name: tmp_path / "base" / name, tmp_path / "scratch"
        return environment(python, requirements, *folders)

    return make


def program(file: Path, script: str) -> Path:
    """A shell script that stands in for an interpreter."""
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


# Which interpreter


def test_the_base_runs_on_this_interpreter_where_nothing_else_is_said(made) -> None:
    assert made() == sys.executable


def test_an_interpreter_is_named_relative_to_the_user_s_folder_and_must_have_quantgate(made, tmp_path: Path) -> None:
    python = program(tmp_path / "here" / "python", f'exec {sys.executable} "$@"')
    assert made(Path("python")) == str(python)
    program(python, "echo traceback >&2; echo 'ModuleNotFoundError: no quantgate here' >&2; exit 1")
    with pytest.raises(BaseFailed, match=r"its environment .*/here/python has no quantgate: ModuleNotFoundError: no q"):
        made(Path("python"))


def test_an_interpreter_that_does_not_exist_is_the_user_s_error(made) -> None:
    with pytest.raises(ConfigError, match="here/none cannot run: No such file or directory"):
        made(Path("none"))


@pytest.mark.parametrize("missing", ["here", "base"])
def test_both_sides_need_the_requirements(made, tmp_path: Path, missing: str) -> None:
    for name in {"here", "base"} - {missing}:
        (tmp_path / name / "r.txt").write_text("numpy\n")
    with pytest.raises(ConfigError, match=rf"--base-requirements r.txt: .*/{missing}/r.txt does not exist"):
        made(None, "r.txt")


def test_equal_requirements_need_no_environment(made, tmp_path: Path) -> None:
    for name in ("here", "base"):
        (tmp_path / name / "r.txt").write_text("numpy\n")
    assert made(None, "r.txt") == sys.executable
    assert not list((tmp_path / "scratch").iterdir())


@pytest.fixture
def differing(tmp_path: Path, made) -> Callable[[], str]:
    """The base's interpreter where its requirements differ from the working tree's."""
    (tmp_path / "here" / "r.txt").write_text("numpy==2\n")
    (tmp_path / "base" / "r.txt").write_text("numpy==1\n")
    return lambda: made(None, "r.txt")


def test_differing_requirements_are_installed_into_an_environment(differing, tmp_path, monkeypatch, capsys) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(interpreter, "run_to_end", lambda command, *_: ran.append(list(command)) or 0)
    monkeypatch.setattr(interpreter, "_with_quantgate", lambda python: python)
    python = str(tmp_path / "scratch" / "venv" / "bin" / "python")
    assert differing() == python
    assert [command[:3] for command in ran] == [[sys.executable, "-m", "venv"], [python, "-m", "pip"]]
    assert ran[1][-1] == str(tmp_path / "base" / "r.txt")
    assert "r.txt differs from the base's: installing" in capsys.readouterr().out


def test_requirements_that_cannot_be_installed_say_why(differing, monkeypatch) -> None:
    def fail(command, place, variables, log) -> int:
        log.write_text("ERROR: no such version of numpy\n")
        return 1

    monkeypatch.setattr(interpreter, "run_to_end", fail)
    with pytest.raises(BaseFailed, match=r"what r\.txt names cannot be installed: ERROR: no such version of numpy"):
        differing()


# Whether this quantgate can measure with it


def package(root: Path, *modules: str) -> str:
    """A package `harness` of these modules; returns its PYTHONPATH."""
    for module in ("__init__", "plugin", *modules):
        file = root / "harness" / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return str(root)


@pytest.mark.parametrize("modules", [["worker"], ["worker", "machine"]])
def test_a_quantgate_from_before_the_move_of_its_modules_is_refused_in_one_line(tmp_path: Path, modules) -> None:
    with pytest.raises(BaseFailed) as refused:
        refuse_older(sys.executable, package(tmp_path, *modules), tmp_path)
    assert str(refused.value).startswith("its quantgate is older than 0.2, whose modules moved")
    assert "\n" not in str(refused.value)


def test_a_quantgate_from_after_the_move_is_not_refused(tmp_path: Path) -> None:
    refuse_older(sys.executable, package(tmp_path, "machine/__init__", "machine/worker"), tmp_path)
    refuse_older(sys.executable, "", tmp_path)  # the installed one


def test_the_user_s_own_folder_is_not_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path / "here", "worker")
    monkeypatch.chdir(tmp_path / "here")
    refuse_older(sys.executable, package(tmp_path / "base", "machine/__init__", "machine/worker"), tmp_path / "base")


def test_a_quantgate_that_fails_otherwise_is_left_to_the_run_that_says_why(tmp_path: Path) -> None:
    path = package(tmp_path, "machine/__init__", "machine/worker")
    (tmp_path / "harness" / "machine" / "worker.py").write_text("import no_such_module\n")
    refuse_older(sys.executable, path, tmp_path)


# Processes


def test_a_process_runs_in_its_folder_and_with_its_variables_and_its_code_is_returned(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log"
    command = ["/bin/sh", "-c", "pwd; echo $WORD; echo error >&2; exit 7"]
    assert run_to_end(command, tmp_path, {"WORD": "given"}, log) == 7
    assert log.read_text().splitlines() == [str(tmp_path), "given", "error"]


@pytest.fixture
def heeded() -> Iterator[None]:
    """SIGINT interrupts, whatever started these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_an_interruption_is_passed_on_once_and_waited_for(tmp_path: Path) -> None:
    """As Ctrl-C in the parent: the child takes its time to clean up."""
    child = (
        "import time\nprint('ready', flush=True)\n"
        "try: time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(0.2); print('clean', flush=True)"
    )
    log = tmp_path / "log"

    def interrupt_when_ready() -> None:
        while not log.exists() or "ready" not in log.read_text():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_ready)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_to_end([sys.executable, "-c", child], tmp_path, {}, log)
    thread.join()
    assert log.read_text().split() == ["ready", "clean"]


def test_a_second_interruption_kills_whatever_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

        def wait(self, timeout=None):
            while "deaf" not in log.read_text():
                time.sleep(0.01)
            raise KeyboardInterrupt

    log = tmp_path / "log"
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_to_end(["/bin/sh", "-c", "trap '' INT; echo deaf; sleep 60"], tmp_path, {}, log)
    (process,) = started
    assert subprocess.Popen.__mro__[1].wait(process, timeout=10) == -signal.SIGKILL


# Output


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "it said nothing"),
        ("\n=====\n-----\n", "it said nothing"),
        ("one\ntwo\nthree\nfour\n", "two ⏎ three ⏎ four"),
        ("E   first\nmore\nE   last words\nE\nsummary\n", "last words"),
        ("before\n=== ERRORS ===\n___ a test ___\nfirst\nsecond\nthird\nfourth\n", "first ⏎ second ⏎ third"),
        ("Everything failed\n", "Everything failed"),
    ],
)
def test_the_last_words_of_a_run_are_what_pytest_marks_or_lists_or_the_end(tmp_path: Path, output, said) -> None:
    (tmp_path / "log").write_text(output)
    assert last_words(tmp_path / "log") == said
