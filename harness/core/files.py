"""Files that are whole or absent, locks on files, and the folder of the package's assets."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import ConfigError

ASSETS = Path(__file__).parents[1] / "assets"
"""The folder of the files that ship with the package."""

LFS = b"version https://git-lfs"
"""How a pointer of Git LFS begins, which lies where the file should be."""


@contextlib.contextmanager
def file_lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on `path` between processes. The file stays, since removing it would be a race.

    A process that dies releases its lock. Two locks on one path exclude each other within a process as well.

    Args:
        path: the lock file; it and its folders are made where they do not exist.
        wait: wait until no other process holds the lock.

    Yields:
        Whether the lock is held. Without `wait` it is False where another process holds the lock; the section still
        runs then, and is not exclusive.

    Raises:
        ConfigError: the lock file cannot be opened for writing.
    """
    descriptor = open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """The descriptor of a lock file, which is made where it does not exist.

    No program that this process starts inherits the descriptor, so none can keep the lock.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigError(f"lock file {path} cannot be written: {error.strerror}") from None


def write_text(path: Path, text: str, option: str) -> None:
    """Replace the file `path` by `text` in UTF-8, in one step: a reader sees the old file or the new one.

    Folders are made where they do not exist. Where writing fails, the old file stays as it was.

    Args:
        path: the file.
        text: its new content.
        option: the command-line option that names another folder; the error message repeats it.

    Raises:
        ConfigError: the file or its folder cannot be written, as on a full disk.
    """
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, content: bytes, option: str) -> None:
    """Replace the file `path` by `content` in one step. Arguments and errors are as in `write_text`."""
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
