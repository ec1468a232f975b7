"""The parent's side of a worker: start it, keep it out of timed sections, hold it to its limit, report how it died."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import CellError, ConfigError, Unavailable
from harness.locks import MachineLock
from harness.worker import Failure, Job, Progress

POLL_S = 0.02  # how soon heavy work notices that a timed section is wanted
LOG_LINES = 8  # of a dead child's last output, quoted in its error

OnProgress = Callable[[Progress], None]


class Child:
    """A worker process and its job. Leaving the context kills whatever is left of it."""

    def __init__(self, job: Job, log: Path, limit_s: float) -> None:
        self._log, self._limit = log, limit_s
        log.parent.mkdir(parents=True, exist_ok=True)
        self._connection, theirs = multiprocessing.Pipe()
        environment = {**os.environ, "YOLO_AUTOINSTALL": "false", "PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "ignore"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, start_new_session=True,
            )  # fmt: skip
        theirs.close()
        self.send(job)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Any) -> None:
        """Pass the job or a command; a dead child is noticed when its answer is awaited."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(message)

    def answer(self) -> Any:
        """Wait for one reply while the caller holds the timed section: sleeps, never polls."""
        deadline = time.monotonic() + self._limit
        while self._connection.poll(max(0.0, deadline - time.monotonic())):
            done, value = self._next(None)
            if done:
                return value
            deadline = time.monotonic() + self._limit
        raise self._hung()

    def heavy_answer(self, lock: MachineLock, on_progress: OnProgress | None = None) -> Any:
        """Wait for one reply; meanwhile the child is stopped whenever a timed section is wanted.

        Raises:
            CellError: the child died, or said nothing for longer than its limit; stopped time does not count.
            ConfigError, Unavailable: what the job raised.
        """
        lock.enter_heavy()
        try:
            deadline = time.monotonic() + self._limit
            while time.monotonic() < deadline:
                if self._connection.poll(POLL_S):
                    done, value = self._next(on_progress)
                    if done:
                        return value
                    deadline = time.monotonic() + self._limit
                if lock.timed_section_waits():
                    deadline += self._pause(lock)
        finally:
            lock.leave_heavy()
        raise self._hung()

    def _pause(self, lock: MachineLock) -> float:
        """Stop all threads of the child until the timed section is over; returns the seconds it took."""
        start = time.monotonic()
        self._signal(signal.SIGSTOP)
        lock.leave_heavy()
        try:
            lock.enter_heavy()
        finally:
            self._signal(signal.SIGCONT)
        return time.monotonic() - start

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _next(self, on_progress: OnProgress | None) -> tuple[bool, Any]:
        """One message: (True, value) for a reply, (False, None) for progress."""
        try:
            message = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        if isinstance(message, Progress):
            if on_progress:
                on_progress(message)
            return False, None
        if isinstance(message, Failure):
            if message.kind == "config":
                raise ConfigError(message.message)
            if message.kind == "unavailable":
                raise Unavailable(message.message)
            raise CellError(message.message)
        return True, message.value

    def _died(self) -> CellError:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return CellError(f"its process {how}; its last output: {self._tail()}")

    def _hung(self) -> CellError:
        return CellError(f"no sign of life for {self._limit:g} s (--qg-timeout); its last output: {self._tail()}")

    def _tail(self) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return " ⏎ ".join(lines[-LOG_LINES:]) or "none"
