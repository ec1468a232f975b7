"""The base's interpreter, and processes that the gate runs to their end."""

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


class BaseFailed(Exception):
    """The base cannot be measured; the message says why, in one line."""


def environment(
    python: Path | None, requirements: str, here: Path, of_base: Callable[[str], Path], folder: Path
) -> str:
    """The base's interpreter: as named, one with what its requirements name where they differ, or this one.

    Raises:
        ConfigError: a file that does not exist.
        BaseFailed: its environment cannot be made, or has no quantgate.
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
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True)
    except OSError as error:
        raise ConfigError(f"--base-python {python} cannot run: {error.strerror}") from None
    if done.returncode:
        raise BaseFailed(f"its environment {python} has no quantgate: {done.stderr.strip().splitlines()[-1]}")
    return python


def run_to_end(command: Sequence[str], place: Path, variables: Mapping[str, str], log: Path | None = None) -> int:
    """Run a process to its end, whatever ends us: an interruption is passed on once, and waited for.

    In a session of its own, or Ctrl-C would reach it twice, and pytest cleans up after the first only.
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
    """Why a run failed, as its output says: pytest's marked lines, or the first of its errors, or its last lines."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    telling = [line for line in lines if line and not re.match(r"[=_-]{3}", line)]
    marked = [line[1:].strip() for line in telling if re.match(r"E( |$)", line)]
    start = next((n for n, line in enumerate(lines) if re.match(r"=+ ERRORS =+", line)), None)
    errors = [line for line in lines[start + 1 :] if line in telling][:3] if start is not None else []
    return " ⏎ ".join(marked[-1:] or errors or telling[-3:]) or "it said nothing"
