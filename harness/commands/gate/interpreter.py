"""The Python that the base runs on, whether this quantgate can measure with it, and processes that run to their end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.core.errors import ConfigError

PROBE = "import importlib.metadata as m; import harness.plugin; m.version('quantgate')"
"""Fails in an environment without quantgate."""

NO_WORKER = 3  # exit code
WORKER = f"""
import sys
from importlib.machinery import PathFinder
import harness
folders = [f"{{folder}}/machine" for folder in harness.__path__]
sys.exit(0 if PathFinder.find_spec("worker", folders) else {NO_WORKER})
"""
"""Looks for `harness.machine.worker`, in which cells are timed, where the base's `harness` lies.

It is not imported, because the finder of an editable install would find the working tree's for a base without one.
"""

OLDER = (
    "its quantgate is older than 0.2, whose modules moved: it cannot be measured by this one; name a base after the "
    "move, or run the gate with the base's quantgate"
)


class BaseFailed(Exception):
    """The base cannot be measured. The message says why in one line."""


def environment(
    python: Path | None, requirements: str, here: Path, of_base: Callable[[str], Path], folder: Path
) -> str:
    """The path of the base's interpreter.

    Args:
        python: the interpreter that the user names, relative to `here`; None where the user names none.
        requirements: a file for pip, relative to `here`, that both sides have; empty where the user names none. Where
            the two files differ, a virtual environment is made in `folder` and the base's requirements are installed
            into it. Otherwise the base runs on this interpreter.
        here: the folder that the user is in.
        of_base: the base's counterpart of a path.
        folder: temporary; lives as long as the base is needed.

    Raises:
        ConfigError: `python` cannot run, or one side has no file of requirements.
        BaseFailed: the environment cannot be made, or has no quantgate.
    """
    if python:
        return _with_quantgate(str(here / python))
    if not requirements:
        return sys.executable
    for file in (here / requirements, of_base(requirements)):
        if not file.is_file():
            raise ConfigError(f"--base-requirements {requirements}: {file} does not exist; both sides need one")
    theirs = of_base(requirements)
    if theirs.read_bytes() == (here / requirements).read_bytes():
        return sys.executable
    print(f"{requirements} differs from the base's: installing the base's into an environment of its own …", flush=True)
    made = folder / "venv" / "bin" / "python"
    log = folder / "venv.log"
    for command in (
        [sys.executable, "-m", "venv", str(folder / "venv")],
        [str(made), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", str(theirs)],
    ):
        if run_to_end(command, theirs.parent, {}, log):
            raise BaseFailed(f"what {requirements} names cannot be installed: {last_words(log)}")
    return _with_quantgate(str(made))


def _with_quantgate(python: str) -> str:
    """`python` itself, where it has quantgate; raises as `environment` does."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True)
    except OSError as error:
        raise ConfigError(f"--base-python {python} cannot run: {error.strerror}") from None
    if done.returncode:
        raise BaseFailed(f"its environment {python} has no quantgate: {done.stderr.strip().splitlines()[-1]}")
    return python


def refuse_older(python: str, path: str, tree: Path) -> None:
    """Check that the base's quantgate has the module in which this quantgate times cells.

    Args:
        python: the base's interpreter.
        path: PYTHONPATH of the base's processes.
        tree: the base's checkout, in which the interpreter is started, since Python 3.10 knows no PYTHONSAFEPATH.

    Raises:
        BaseFailed: there is no such worker; the base's quantgate is older than the move of the modules.
    """
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    if subprocess.run([python, "-c", WORKER], cwd=tree, env=variables, capture_output=True).returncode == NO_WORKER:
        raise BaseFailed(OLDER)


def run_to_end(command: Sequence[str], place: Path, variables: Mapping[str, str], log: Path | None = None) -> int:
    """Run a process in the folder `place` to its end, and return its exit code.

    An interruption of this process is passed on once, and waited for. The process has a session of its own: otherwise
    Ctrl-C would reach it twice, and pytest cleans up after the first only.

    Args:
        command: the program and its arguments.
        place: the folder that it starts in.
        variables: its whole environment; empty: this process's.
        log: the file that takes its output; None: it goes where this process's output goes.
    """
    with contextlib.ExitStack() as stack:
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
        output = stack.enter_context(log.open("w")) if log else None
        process = subprocess.Popen(
            command, cwd=place, env=dict(variables) or None, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        finally:
            if process.poll() is None:  # interrupted again
                os.killpg(process.pid, signal.SIGKILL)


def last_words(log: Path) -> str:
    """Why a run failed, as its output says, in one line.

    The last line that pytest marks with E; without one, the first three lines of pytest's errors; without errors, the
    last three lines of the output. Rules (`=====`) do not count.
    """
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    heading = next((n for n, line in enumerate(lines) if re.match(r"=+ ERRORS =+", line)), len(lines))
    telling = [line for line in lines if _telling(line)]
    marked = [line[1:].strip() for line in telling if re.match(r"E\s+\S", line)]
    errors = [line for line in lines[heading:] if _telling(line)][:3]
    return " ⏎ ".join(marked[-1:] or errors or telling[-3:]) or "it said nothing"


def _telling(line: str) -> bool:
    """Whether a line of output is neither empty nor a rule."""
    return bool(line) and not re.match(r"[=_-]{3}", line)
