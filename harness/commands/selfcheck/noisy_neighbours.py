"""Neighbours for `quantgate selfcheck`: processes that take CPU and memory bandwidth at random times."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from types import TracebackType

from harness.machine.worker import die_with_parent


class Crowd:
    """`count` processes that run as long as the context is open; each is busy or idle for 0.05–2 s at a time."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Crowd:
        for number in range(self._count):
            command = [sys.executable, "-m", __name__, str(os.getpid()), str(number)]
            self._processes.append(subprocess.Popen(command))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def main() -> None:
    """Disturb until the parent dies: `python -m harness.commands.selfcheck.noisy_neighbours PARENT_PID NUMBER`.

    At random it counts, copies memory or sleeps, for 0.05 to 2 s each. NUMBER makes the draws of siblings differ.
    """
    die_with_parent(int(sys.argv[1]))
    draw = random.Random(f"{sys.argv[2]} {time.time()}")
    big = bytearray(64 << 20)  # 64 MiB, more than a core's share of the last-level cache
    while True:
        until = time.monotonic() + draw.uniform(0.05, 2)
        kind = draw.choice(("cpu", "memory", "idle"))
        while time.monotonic() < until:
            if kind == "cpu":
                sum(range(20_000))
            elif kind == "memory":
                big[: 32 << 20] = big[32 << 20 :]
            else:
                time.sleep(0.02)


if __name__ == "__main__":
    main()
