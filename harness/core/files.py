"""Files that are whole or absent, locks on files, and where the package's assets lie."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import ConfigError

ASSETS = Path(__file__).parents[1] / "assets"
"""The files that ship with the package."""


@contextlib.contextmanager
def file_lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Exclusive section between processes. The file stays, since removing it would race.

    Without `wait` the value is False, and the section is not exclusive, where another process holds it.
    """
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigError(f"lock file {path} cannot be written: {error.strerror}") from None


def write_text(path: Path, text: str, option: str) -> None:
    """Replace `path` in one step. A full or read-only folder is one line; what was there before stays.

    Raises:
        ConfigError: the folder cannot be written; names the `option` that points elsewhere.
    """
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, content: bytes, option: str) -> None:
    """The same for bytes."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; name another folder with {option}") from None
    finally:
        if scratch.exists():
            scratch.unlink()
