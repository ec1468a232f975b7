"""The parent's side of a worker: start it, keep it out of timed sections, hold it to its limit, tell how it died."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from harness.core.errors import KINDS, CellError, ConfigError, QuantgateError
from harness.core.processes import Progress
from harness.machine.locks import MachineLock
from harness.machine.worker import Failure, Job

POLL_S = 0.02  # seconds between two looks of heavy work at whether a timed section is wanted
LOG_LINES = 8  # lines of a dead child's last output that its error quotes

OnProgress = Callable[[Progress], None]


class Child:
    """A worker process and its job. Leaving the context kills the process and everything that it started.

    Args:
        job: what the process runs.
        log: file to which the process's output is appended.
        limit_s: seconds without a sign of life after which the child is given up.
        environment: variables beside this process's own.
        python: the interpreter of the child, for a quantgate in another environment.
    """

    def __init__(
        self, job: Job, log: Path, limit_s: float, environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:  # fmt: skip
        self._job, self._log, self._limit, self._deadline = job, log, limit_s, math.inf
        self._environment, self._python = environment or {}, python
        self._process: subprocess.Popen[bytes] | None = None
        self._connection, self._theirs = multiprocessing.Pipe()

    def start(self) -> None:
        """Start the process, unless it is started already.

        The constructor does not start it: starting is heavy work, and a timed section may be running.

        Raises:
            ConfigError: the log cannot be written.
        """
        if self._process:
            return
        switches = {"YOLO_AUTOINSTALL": "false", "PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "ignore"}
        environment = {**os.environ, **switches, **self._environment}
        with self._opened_log() as output:
            self._process = subprocess.Popen(
                [self._python, "-m", "harness.machine.worker", str(self._theirs.fileno()), str(os.getpid())],
                pass_fds=[self._theirs.fileno()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, start_new_session=True,
            )  # fmt: skip
        self._theirs.close()
        self._alive()
        self.send(self._job)

    def _opened_log(self) -> BinaryIO:
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            return self._log.open("ab")
        except OSError as error:
            raise ConfigError(
                f"log {self._log} cannot be written: {error.strerror}; name another folder with --qg-results-dir"
            ) from None

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait()
        self._theirs.close()
        self._connection.close()

    @property
    def pid(self) -> int | None:
        """The process id; None before the start."""
        return self._process.pid if self._process else None

    def send(self, message: Any) -> None:
        """Send the job or a command. That a child has died shows when its answer is awaited."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(message)

    def answer(self) -> Any:
        """Wait for one reply while the caller holds the timed section. Sleeps and never polls, so as not to disturb it.

        Raises:
            CellError: the child died, or gave no sign of life for longer than its limit.
            ConfigError, Unavailable: what the job raised.
        """
        self.start()
        self._alive()
        while self._connection.poll(max(0.0, self._deadline - time.monotonic())):
            done, value = self._next(None)
            if done:
                return value
        raise self._hung()

    def heavy_answer(self, lock: MachineLock, on_progress: OnProgress | None = None) -> Any:
        """Wait for one reply, and stop the child meanwhile whenever a timed section is wanted.

        `on_progress` is called with the child's reports.

        Raises:
            CellError: the child died, or gave no sign of life for longer than its limit, not counting the
                time for which it was stopped.
            ConfigError, Unavailable: what the job raised.
        """
        (answer,) = heavy_answers([self], lock, on_progress)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _alive(self) -> None:
        """Note a sign of life: the time limit starts anew."""
        self._deadline = time.monotonic() + self._limit

    def _signal(self, number: int) -> None:
        """Send a signal to the child and to everything that it started: it leads a process group of its own."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _stop(self) -> None:
        """Stop every thread of the child and wait until the kernel has done so, or the child is gone."""
        self._signal(signal.SIGSTOP)
        if self._process and hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _next(self, on_progress: OnProgress | None) -> tuple[bool, Any]:
        """Read one message: (True, value) for a reply, (False, None) for progress. Raises what the job raised."""
        try:
            message = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        self._alive()
        if isinstance(message, Progress):
            if on_progress:
                on_progress(message)
            return False, None
        if isinstance(message, Failure):
            raise KINDS[message.kind](message.message)
        return True, message.value

    def _died(self) -> CellError:
        """The error of a child that ended without an answer."""
        code = self._process.wait() if self._process else 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return CellError(f"its process {how}; its last output: {self._tail()}")

    def _hung(self) -> CellError:
        """The error of a child without a sign of life. Kills it, or it would disturb its siblings' timed section."""
        self._signal(signal.SIGKILL)
        return CellError(f"no sign of life for {self._limit:g} s (--qg-timeout); its last output: {self._tail()}")

    def _tail(self) -> str:
        """The last lines of the child's output, joined to one."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return " ⏎ ".join(lines[-LOG_LINES:]) or "none"


def heavy_answers(children: Sequence[Child], lock: MachineLock, on_progress: OnProgress | None = None) -> list[Any]:
    """Wait for one reply of each child while all of them work, and stop them whenever a timed section is wanted.

    Returns:
        The replies in the order of `children`. The error that a child raised stands in the place of its reply.
    """
    answers: dict[Child, Any] = {}
    lock.enter_heavy()
    try:
        for child in children:
            child.start()
            child._alive()
        while waiting := [child for child in children if child not in answers]:
            ready = wait([child._connection for child in waiting], POLL_S)
            for child in waiting:
                try:
                    done, value = child._next(on_progress) if child._connection in ready else (False, None)
                except QuantgateError as error:
                    done, value = True, error
                if done:
                    answers[child] = value
                elif time.monotonic() > child._deadline:
                    answers[child] = child._hung()
            if lock.timed_section_waits():
                _pause([child for child in waiting if child not in answers], lock)
    finally:
        lock.leave_heavy()
    return [answers[child] for child in children]


def _pause(children: Sequence[Child], lock: MachineLock) -> None:
    """Stop all threads of the children until the timed section is over. Their time limits stand still, too."""
    start = time.monotonic()
    for child in children:
        child._stop()
    lock.leave_heavy()
    try:
        lock.enter_heavy()
    finally:
        for child in children:
            child._signal(signal.SIGCONT)
            child._deadline += time.monotonic() - start
