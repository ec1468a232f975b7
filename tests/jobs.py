"""Jobs that the tests send to real worker processes; the child imports this file, so it stays light."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable
from harness.inputs.artifact_cache import Cache
from harness.machine.worker import Channel, Job


@dataclass(frozen=True)
class Echo:
    """Reply with what was sent."""

    value: Any

    def run(self, channel: Channel) -> Any:
        return self.value


@dataclass(frozen=True)
class Count:
    """Report progress, one step every `pause_s`."""

    steps: int
    pause_s: float = 0.0

    def run(self, channel: Channel) -> str:
        for step in range(self.steps):
            time.sleep(self.pause_s)
            channel.progress(step + 1, self.steps)
        return "counted"


@dataclass(frozen=True)
class Answer:
    """Answer commands with their double until None comes."""

    def run(self, channel: Channel) -> str:
        channel.reply("ready")
        while (command := channel.receive()) is not None:
            channel.reply(2 * command)
        return "bye"


@dataclass(frozen=True)
class Crash:
    """Print, then die without a word to the parent."""

    code: int | None = None  # exit with this code; None: abort

    def run(self, channel: Channel) -> None:
        print("earlier line", flush=True)
        print("the last words", file=sys.stderr, flush=True)
        if self.code is None:
            os.abort()
        os._exit(self.code)


class NoDongle(Unavailable):
    """An error of another package's backend, whose module the parent does not have."""


@dataclass(frozen=True)
class Raise:
    """Raise an error by name."""

    name: str
    message: str

    def run(self, channel: Channel) -> None:
        known = {"ConfigError": ConfigError, "Unavailable": Unavailable, "EOFError": EOFError, "NoDongle": NoDongle}
        raise known.get(self.name, RuntimeError)(self.message)


@dataclass(frozen=True)
class Hang:
    """Say so, then sleep."""

    def run(self, channel: Channel) -> None:
        print("about to hang", flush=True)
        time.sleep(60)


@dataclass(frozen=True)
class Spawn:
    """Start a process of its own, say its id, and wait."""

    def run(self, channel: Channel) -> None:
        channel.reply(subprocess.Popen(["sleep", "60"]).pid)
        channel.receive()


@dataclass(frozen=True)
class Tick:
    """Append the time to a file as long as it runs."""

    path: str
    seconds: float  # of its own ticks, so that being stopped does not count

    def run(self, channel: Channel) -> int:
        ticks = round(self.seconds / 0.005)
        with Path(self.path).open("a", buffering=1) as file:
            for _ in range(ticks):
                file.write(f"{time.monotonic()}\n")
                time.sleep(0.005)
        return ticks


@dataclass(frozen=True)
class Modules:
    """The top level modules that a bare worker has imported."""

    def run(self, channel: Channel) -> set[str]:
        return {name.partition(".")[0] for name in sys.modules}


class Silent(Channel):
    """A channel whose other end does not listen: for jobs that run in the test's own process."""

    def __init__(self) -> None:
        """No connection."""

    def progress(self, done: int, total: int) -> None:
        """Nobody is told."""


def build_slowly(root: str, weights: str, log: str) -> tuple[str, bool]:
    """Ask a cache for a null artifact whose build takes a while; one line in `log` per build."""

    def slow(job: Job, label: str) -> Any:
        with Path(log).open("a") as file:
            file.write(f"{label}\n")
        time.sleep(0.2)
        return job.run(Silent())

    built = Cache(Path(root), slow).artifact(Cell("m", "fp32", "null"), Path(weights), None)
    return built.path, built.built
