"""The child process in which everything heavy happens. It imports what its job imports, and nothing else.

A job is a picklable object with a method `run(channel)`; the worker knows no kind of job. What libraries print goes to
the log that the parent has opened as stdout and stderr. Answers go through the channel.

`python -m harness.machine.worker FD PARENT_PID` starts it: FD is the file descriptor of the pipe to its parent.
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

from harness.core.errors import CellError, QuantgateError, first_line, kind_of
from harness.core.processes import Progress

READY = "ready"
"""The first reply of a job that then waits for commands."""


@dataclass(frozen=True)
class Reply:
    """An answer. A job that takes commands gives one answer per command."""

    value: Any


@dataclass(frozen=True)
class Failure:
    """The job raised an error."""

    kind: str  # name of the error's class, a key of `errors.KINDS`
    message: str  # one line


class Channel:
    """The child's end of the pipe to its parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def progress(self, done: int, total: int) -> None:
        """Tell the parent that `done` of `total` units are done, which also restarts its time limit."""
        self._connection.send(Progress(done, total))

    def reply(self, value: Any) -> None:
        """Send an answer, which must be picklable."""
        self._connection.send(Reply(value))

    def fail(self, kind: str, message: str) -> None:
        """Send an error: the name of its class and its one line. No answer follows."""
        self._connection.send(Failure(kind, message))

    def receive(self) -> Any:
        """Wait for the parent's next command and return it. Raises EOFError when the parent is gone."""
        return self._connection.recv()


class Job(Protocol):
    """What a parent sends first: an object that can be pickled, of a module that the child can import."""

    def run(self, channel: Channel) -> Any:
        """Do the work, and answer commands on the way. The returned value is the last reply."""
        ...


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, even while it is stopped. Linux only.

    `parent` is the parent's process id. Where it has died before the request, this process kills itself.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Receive one job, run it and send its last reply, or the error that it raised as one line."""
    die_with_parent(int(sys.argv[2]))
    channel = Channel(Connection(int(sys.argv[1])))
    try:
        try:
            job: Job = channel.receive()
        except EOFError:  # the parent is gone
            return
        channel.reply(job.run(channel))
    except QuantgateError as error:
        channel.fail(kind_of(error), str(error))
    except BaseException as error:  # whatever it is, the parent gets it as one line
        traceback.print_exc()
        channel.fail(CellError.__name__, f"{type(error).__name__}: {first_line(error)}")


if __name__ == "__main__":
    # Imported by its name, because classes of __main__ would be pickled as such and mean nothing to the parent.
    from harness.machine import worker

    worker.main()
