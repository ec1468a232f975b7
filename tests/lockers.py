"""Processes that use locks: `python lockers.py timed|heavy|file FOLDER SECONDS [SECTIONS]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from harness.core.files import file_lock
from harness.machine.locks import MachineLock

POLL_S = 0.02

Interval = tuple[float, float]
"""When something began and ended."""


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals have a moment in common."""
    return max(one[0], other[0]) < min(one[1], other[1])


def timed(folder: Path, seconds: float, sections: int) -> None:
    """Hold the timed section again and again; print how long each waited."""
    lock = MachineLock(folder, folder / "intervals.jsonl")
    for _ in range(sections):
        wanted = time.monotonic()
        with lock.timed():
            print(time.monotonic() - wanted, flush=True)
            time.sleep(seconds)


def heavy(folder: Path, seconds: float, sections: int) -> None:
    """Work, and give way as `machine.child.heavy_answers` does."""
    lock = MachineLock(folder, folder / "intervals.jsonl")
    lock.enter_heavy()
    print("working", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(POLL_S)
        if lock.timed_section_waits():
            lock.leave_heavy()
            lock.enter_heavy()
    lock.leave_heavy()


def file(folder: Path, seconds: float, sections: int) -> None:
    """Hold a file lock, and write when."""
    with file_lock(folder / "key.lock"):
        start = time.monotonic()
        print("held", flush=True)
        time.sleep(seconds)
        with (folder / "file.txt").open("a") as log:
            log.write(f"{start} {time.monotonic()}\n")


if __name__ == "__main__":
    kinds = {"timed": timed, "heavy": heavy, "file": file}
    kinds[sys.argv[1]](Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]) if sys.argv[4:] else 1)
