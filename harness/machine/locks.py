"""The machine lock: heavy work stands still while one process times something.

It consists of two files with kernel locks (`flock`), which a dying process releases: nothing has to be cleaned up
after a crash. `gate` is a turnstile. A timed section holds it from the moment it asks for the machine, so heavy work
sees that and gives way. `section` is shared by heavy work, and exclusive for a timed section. Heavy work runs in
children (`machine/child.py`). The parent of each watches the turnstile, stops its child with SIGSTOP, and releases
`section`. New heavy work waits at the turnstile, so a timed section waits only until the running work has given way.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.files import open_lock

WAITING = "waiting for a timed section of another run"
"""What a run does while another one holds the machine: the label of that time for people."""

NOTICE_S = 2.0  # seconds of waiting after which somebody is told; own timed sections give way sooner

OnWait = Callable[[bool], None]
"""Called with True when a wait has lasted for `NOTICE_S`, and with False at its end; from another thread."""


class MachineLock:
    """Timed sections exclude heavy work on the whole machine. Each user of the lock has an instance of its own.

    Args:
        folder: where the lock files lie; by default `/tmp`, so that all users of the machine share them.
        log: file that gets a JSON line per interval: kind ("timed" or "heavy"), process id, start and end in seconds of
            the monotonic clock.
        on_wait: told when another process's timed section keeps this one waiting.

    Raises:
        ConfigError: a lock file cannot be opened.
    """

    def __init__(
        self, folder: Path | None = None, log: Path | None = None, on_wait: OnWait = lambda waits: None
    ) -> None:
        shared = "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()
        self._folder = folder or Path(shared)
        self._gate = _open_shared(self._folder / "quantgate-gate.lock")
        self._section = _open_shared(self._folder / "quantgate-section.lock")
        self._log, self._on_wait = log, on_wait
        self._since = 0.0  # start of the current interval of heavy work

    @contextlib.contextmanager
    def timed(self, device: str = "cpu") -> Iterator[None]:
        """Hold the machine: while the context lasts, no heavy work runs anywhere on it.

        An accelerator is locked by a file of its own besides, so that other programs can have a GPU for themselves:
        `flock /tmp/quantgate-cuda-0.lock COMMAND`.
        """
        start = None
        self._pass_gate(fcntl.LOCK_EX)
        try:
            fcntl.flock(self._section, fcntl.LOCK_EX)
            with self._accelerator(device):
                start = time.monotonic()
                yield
        finally:
            end = time.monotonic()
            fcntl.flock(self._section, fcntl.LOCK_UN)
            fcntl.flock(self._gate, fcntl.LOCK_UN)
            self._record("timed", start, end)

    @contextlib.contextmanager
    def _accelerator(self, device: str) -> Iterator[None]:
        """Hold the lock of the device, where it is not the CPU."""
        if device == "cpu":
            yield
            return
        kind, _, number = device.partition(":")
        descriptor = _open_shared(self._folder / f"quantgate-{kind}-{number or 0}.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def enter_heavy(self) -> None:
        """Wait until nobody wants a timed section, then share the machine with other heavy work."""
        self._pass_gate(fcntl.LOCK_SH)
        try:
            fcntl.flock(self._section, fcntl.LOCK_SH)
            self._since = time.monotonic()
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _pass_gate(self, kind: int) -> None:
        """Lock the turnstile, and tell of a long wait. The wait itself is the kernel's: no polling, first come."""
        over, told = threading.Event(), threading.Event()

        def tell() -> None:
            if not over.wait(NOTICE_S):
                told.set()
                self._on_wait(True)

        try:
            fcntl.flock(self._gate, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            fcntl.flock(self._gate, kind)
        finally:
            over.set()
            teller.join()
            if told.is_set():
                self._on_wait(False)

    def leave_heavy(self) -> None:
        """Give the machine back after `enter_heavy`."""
        end = time.monotonic()
        fcntl.flock(self._section, fcntl.LOCK_UN)
        self._record("heavy", self._since, end)

    def timed_section_waits(self) -> bool:
        """Whether somebody holds or wants a timed section. Heavy work asks this many times per second."""
        try:
            fcntl.flock(self._gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Release all locks and close their files."""
        os.close(self._gate)
        os.close(self._section)

    def _record(self, kind: str, start: float | None, end: float) -> None:
        """Append one line to the interval log. O_APPEND keeps the lines of several processes whole.

        All locks are released before: a full disk costs a line of the log, and nobody waits for it.
        """
        if self._log and start is not None:
            line = {"kind": kind, "pid": os.getpid(), "start": start, "end": end}
            with contextlib.suppress(OSError), self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")


def _open_shared(path: Path) -> int:
    """Open a lock file, and create it so that every user of the machine may lock it. Returns the file descriptor."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = open_lock(path)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # despite the umask
        return descriptor
    except OSError as error:
        raise ConfigError(f"the machine's lock {path} cannot be opened: {error.strerror}; remove the file") from None
