"""The child process in which everything heavy happens. It imports what its job imports, and nothing else.

A job is a picklable object with `run(channel)`; the worker does not know the kinds. Output of libraries goes to the
log that the parent opened as stdout and stderr; answers go through the channel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from harness.core.errors import CellError, QuantgateError, first_line
from harness.core.processes import Progress


@dataclass(frozen=True)
class Reply:
    """An answer; a job may give several, one per command."""

    value: Any


@dataclass(frozen=True)
class Failure:
    """The job raised: `kind` is the name of the error's class, `message` is one line."""

    kind: str
    message: str


class Channel:
    """The child's end of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def progress(self, done: int, total: int) -> None:
        self._connection.send(Progress(done, total))

    def reply(self, value: Any) -> None:
        self._connection.send(Reply(value))

    def fail(self, kind: str, message: str) -> None:
        self._connection.send(Failure(kind, message))

    def receive(self) -> Any:
        """The parent's next command; blocks. Raises EOFError when the parent is gone."""
        return self._connection.recv()


class Job(Protocol):
    """What a parent sends first."""

    def run(self, channel: Channel) -> Any:
        """Do it; the returned value is the last reply."""
        ...


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, even while it is stopped (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """`python -m harness.machine.worker FD PARENT_PID`"""
    die_with_parent(int(sys.argv[2]))
    channel = Channel(Connection(int(sys.argv[1])))
    try:
        try:
            job: Job = channel.receive()
        except EOFError:  # the parent is gone
            return
        channel.reply(job.run(channel))
    except QuantgateError as error:
        channel.fail(type(error).__name__, str(error))
    except BaseException as error:  # the boundary of the process: everything becomes one line for the parent
        traceback.print_exc()
        channel.fail(CellError.__name__, f"{type(error).__name__}: {first_line(error)}")


if __name__ == "__main__":
    # Through the import system, so that messages are pickled as harness.machine.worker's and not as __main__'s.
    from harness.machine import worker

    worker.main()


READY = "ready"
