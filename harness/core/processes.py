"""What a fresh process opens, and what it says: targets, sides, replicates, progress."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.cell import Cell
from harness.core.files import write_text
from harness.core.measurement import Artifact


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units, 0 if uncountable; also the sign of life that restarts the parent's time limit."""

    done: int
    total: int


STEAL = 0.01  # share of the machine's time that the hypervisor gave to others
PRESSURE = 0.05  # share of the time in which some task waited for a CPU
SWITCHES = 20.0  # times a second that the process was made to wait
"""Limits of a quiet section, see docs/latency.md; an idle two-core machine shows 0, < 0.01, < 5."""


@dataclass(frozen=True)
class Interference:
    """Over one process's pairs; None where the system does not tell."""

    steal: float | None  # share of all CPU time, /proc/stat
    pressure: (
        float | None
    )  # share of the wall clock, "some" of /proc/pressure/cpu (Linux, Documentation/accounting/psi)
    switches: float | None  # involuntary context switches of the process a second, getrusage(2)

    @property
    def high(self) -> str:
        """What disturbed, in words; empty where nothing did."""
        found = []
        if self.steal is not None and self.steal > STEAL:
            found.append(f"steal {self.steal:.1%}")
        if self.pressure is not None and self.pressure > PRESSURE:
            found.append(f"CPU pressure {self.pressure:.0%}")
        if self.switches is not None and self.switches > SWITCHES:
            found.append(f"{self.switches:.0f} involuntary context switches a second")
        return ", ".join(found)


NAMES = ("network", "numpy")
"""The references that CPU time is divided by, the preferred one first."""


@dataclass(frozen=True)
class Replicate:
    """What one fresh process says: log(target / reference) by reference, of CPU time and of the wall clock."""

    cpu: Mapping[str, float]
    wall: Mapping[str, float]
    levels: Mapping[str, float]  # log of a reference's own CPU time in ns, a turn: the state of the machine
    repeats: Mapping[str, int]  # of each reference, to last as long as the target
    interference: Interference  # of the machine, while the pairs ran
    samples_ms: Sequence[float] = field(default=(), repr=False)  # wall clock of the target's calls


@dataclass(frozen=True)
class Identity:
    """What a process measures with."""

    artifact: str  # its key
    references: Mapping[str, str]  # what each reference is here, by name


PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Target:
    """A built cell, and everything that its latency depends on."""

    cell: Cell
    artifact: Artifact
    pixels: str  # .npy of letterboxed bytes
    references: Mapping[str, str]  # what each reference is there, by name
    python: str = sys.executable
    package: str = PACKAGE  # folder of the quantgate that runs it

    def publish(self, run: Path, suite: str) -> None:
        write_text(_file(run, suite, self.cell), json.dumps(dataclasses.asdict(self)), "--qg-results-dir")

    @property
    def identity(self) -> Identity:
        return Identity(self.artifact.key, self.references)

    def same(self, other: Target) -> bool:
        """Whether nothing can differ: the same file, opened by the same code in the same environment."""
        mine, theirs = ((one.artifact.key, one.pixels, one.python, one.package, one.cell) for one in (self, other))
        return mine == theirs


def _file(run: Path, suite: str, cell: Cell) -> Path:
    return run / suite / f"{cell.id}.target.json"


@dataclass(frozen=True)
class Side:
    """How a side's workers are started."""

    name: str = ""  # what an error of one begins with
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)


Turn = tuple[Target, Side]
"""What a fresh process opens, and how the process is started."""
