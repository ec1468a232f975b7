"""The data between a run and its child processes: what a fresh process opens, and what it reports."""

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
    """How far a child process is. Each report is also the sign of life that restarts the parent's time limit."""

    done: int  # units of work that are finished
    total: int  # units in all; 0: unknown


STEAL = 0.01  # share of the CPU time that the hypervisor gave to other machines
PRESSURE = 0.05  # share of the wall clock in which some task waited for a CPU
SWITCHES = 20.0  # involuntary context switches of the process per second
"""The limits of a quiet machine, see docs/latency.md. An idle two-core machine shows 0, below 0.01, and below 5."""


@dataclass(frozen=True)
class Interference:
    """What disturbed one process while it timed its pairs. A number is None where the system does not tell it."""

    steal: float | None  # share of all CPU time, from /proc/stat
    pressure: float | None  # share of the wall clock, "some" of /proc/pressure/cpu (Documentation/accounting/psi)
    switches: float | None  # involuntary context switches of the process per second, from getrusage(2)

    @property
    def high(self) -> str:
        """Every number above its limit, in words; empty on a quiet machine."""
        found = []
        if self.steal is not None and self.steal > STEAL:
            found.append(f"steal {self.steal:.1%}")
        if self.pressure is not None and self.pressure > PRESSURE:
            found.append(f"CPU pressure {self.pressure:.0%}")
        if self.switches is not None and self.switches > SWITCHES:
            found.append(f"{self.switches:.0f} involuntary context switches a second")
        return ", ".join(found)


REFERENCES = ("network", "numpy")
"""The references by whose time the target's time is divided: `network` where possible, else `numpy`."""


@dataclass(frozen=True)
class Replicate:
    """What one fresh process reports: natural logarithms of target / reference, each by the name of the reference."""

    cpu: Mapping[str, float]  # of CPU time
    wall: Mapping[str, float]  # of the wall clock
    levels: Mapping[str, float]  # logarithm of a reference's CPU time per turn in ns: the state of the machine
    repeats: Mapping[str, int]  # calls of each reference per turn, so that a turn lasts as long as a target's call
    interference: Interference  # on the machine while the pairs ran
    samples_ms: Sequence[float] = field(default=(), repr=False)  # wall clock of each call of the target, milliseconds


@dataclass(frozen=True)
class Identity:
    """What a process measures: its artifact and its references."""

    artifact: str  # key of the artifact
    references: Mapping[str, str]  # what each reference is here, such as file and version, by its name


PACKAGE = str(Path(__file__).parents[1])
"""The folder of this quantgate."""


@dataclass(frozen=True)
class Target:
    """A built cell, and everything that its latency depends on."""

    cell: Cell
    artifact: Artifact
    pixels: str  # path of an .npy file with letterboxed images, uint8 [N, 3, H, W]
    references: Mapping[str, str]  # what each reference is there, such as file and version, by its name
    python: str = sys.executable  # path of the interpreter that runs the target
    package: str = PACKAGE  # folder of the quantgate that runs the target

    def publish(self, run: Path, suite: str) -> None:
        """Write the target to the folder of a run as `SUITE/CELL.target.json`, where `quantgate gate` finds it.

        Raises:
            ConfigError: the folder cannot be written.
        """
        write_text(_file(run, suite, self.cell), json.dumps(dataclasses.asdict(self)), "--qg-results-dir")

    @property
    def identity(self) -> Identity:
        """The artifact and the references that a process of this target measures."""
        return Identity(self.artifact.key, self.references)

    def same(self, other: Target) -> bool:
        """Whether `other` cannot differ in latency: one file, opened by one quantgate in one environment."""
        return self._opened == other._opened

    @property
    def _opened(self) -> tuple[str, str, str, str, Cell]:
        """Everything that decides the latency. References follow from the environment."""
        return self.artifact.key, self.pixels, self.python, self.package, self.cell


def _file(run: Path, suite: str, cell: Cell) -> Path:
    return run / suite / f"{cell.id}.target.json"


@dataclass(frozen=True)
class Side:
    """How the processes of one side of a comparison are started: the candidate, or the base."""

    name: str = ""  # the first words of an error of such a process
    python: str = sys.executable  # path of the interpreter
    environment: Mapping[str, str] = field(default_factory=dict)  # variables on top of this process's


Turn = tuple[Target, Side]
"""The target that a fresh process opens, and the side that starts the process."""
