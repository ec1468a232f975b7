"""Kernel locks (`flock`), which a dying process releases: the machine's timed section, and one-builder-per-key.

The machine lock is two files. `gate` is a turnstile: a timed section holds it from the moment it asks, so that heavy
work sees it and lets go. `section` is shared by heavy work and exclusive for a timed section. Heavy work runs in
children (`children.py`); the parent of each watches the turnstile, stops its child with SIGSTOP, and releases.
Nothing has to be cleaned up after a crash, and no reader can starve a writer (FACTS.md, "Latency on a shared machine").
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.files import _opened


class MachineLock:
    """Timed sections exclude heavy work, on the whole machine; one instance per process and purpose."""

    def __init__(self, folder: Path | None = None, log: Path | None = None) -> None:
        self._folder = folder = folder or (Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir()))
        self._gate = _open_shared(folder / "quantgate-gate.lock")
        self._section = _open_shared(folder / "quantgate-section.lock")
        self._log = log
        self._since = 0.0

    @contextlib.contextmanager
    def timed(self, device: str = "cpu") -> Iterator[None]:
        """Nothing heavy runs anywhere on the machine while this is held; an accelerator has a lock of its own besides.

        The latter is for other programs that want a GPU for themselves: `flock /tmp/quantgate-cuda-0.lock COMMAND`.
        """
        start = None
        fcntl.flock(self._gate, fcntl.LOCK_EX)
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
        """Wait for the turnstile, then share the section with other heavy work."""
        fcntl.flock(self._gate, fcntl.LOCK_SH)
        try:
            fcntl.flock(self._section, fcntl.LOCK_SH)
            self._since = time.monotonic()
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def leave_heavy(self) -> None:
        """Give the section back."""
        end = time.monotonic()
        fcntl.flock(self._section, fcntl.LOCK_UN)
        self._record("heavy", self._since, end)

    def timed_section_waits(self) -> bool:
        """Whether somebody holds or wants the timed section; asked many times a second by heavy work."""
        try:
            fcntl.flock(self._gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Release everything."""
        os.close(self._gate)
        os.close(self._section)

    def _record(self, kind: str, start: float | None, end: float) -> None:
        """Append one line to the interval log; O_APPEND keeps lines of several processes whole.

        Called with all locks released: a full disk costs the log, not the machine.
        """
        if self._log and start is not None:
            line = {"kind": kind, "pid": os.getpid(), "start": start, "end": end}
            with contextlib.suppress(OSError), self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")


def _open_shared(path: Path) -> int:
    """A lock file that every user of the machine may lock."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = _opened(path)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # despite the umask
        return descriptor
    except OSError as error:
        raise ConfigError(f"the machine's lock {path} cannot be opened: {error.strerror}; remove the file") from None
