"""How much the rest of the machine took part while something was timed: steal, pressure stall, involuntary switches."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

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
    )  # share of the wall clock, /proc/pressure/cpu "some" (Linux 4.20, Documentation/accounting/psi)
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


@dataclass(frozen=True)
class Reading:
    """The counters at one moment."""

    wall_s: float
    steal: tuple[int, int] | None  # stolen and all jiffies of the machine
    pressure_us: int | None
    switches: int

    def until(self, later: Reading) -> Interference:
        """What happened between two readings."""
        elapsed = max(later.wall_s - self.wall_s, 1e-9)
        steal = pressure = None
        if self.steal and later.steal:
            steal = (later.steal[0] - self.steal[0]) / max(1, later.steal[1] - self.steal[1])
        if self.pressure_us is not None and later.pressure_us is not None:
            pressure = (later.pressure_us - self.pressure_us) / 1e6 / elapsed
        return Interference(steal, pressure, (later.switches - self.switches) / elapsed)


def read(proc: Path = Path("/proc")) -> Reading:
    """The counters now."""
    return Reading(time.monotonic(), _steal(proc), _pressure(proc), resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)


def _steal(proc: Path) -> tuple[int, int] | None:
    try:
        fields = [int(word) for word in (proc / "stat").read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (fields[7], sum(fields)) if len(fields) == 8 else None  # proc(5): the eighth is steal


def _pressure(proc: Path) -> int | None:
    try:
        some = (proc / "pressure" / "cpu").read_text().partition("\n")[0]
        return int(some.partition("total=")[2])
    except (OSError, ValueError):
        return None
