"""What disturbs timing on this machine: what the system tells before a run, and what happened during a section."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.processes import Interference


@dataclass(frozen=True)
class Counters:
    """The counters at one moment."""

    wall_s: float
    steal: tuple[int, int] | None  # stolen and all jiffies of the machine
    pressure_us: int | None
    switches: int

    def until(self, later: Counters) -> Interference:
        """What happened between two readings."""
        elapsed = max(later.wall_s - self.wall_s, 1e-9)
        steal = pressure = None
        if self.steal and later.steal:
            steal = (later.steal[0] - self.steal[0]) / max(1, later.steal[1] - self.steal[1])
        if self.pressure_us is not None and later.pressure_us is not None:
            pressure = (later.pressure_us - self.pressure_us) / 1e6 / elapsed
        return Interference(steal, pressure, (later.switches - self.switches) / elapsed)


def read_counters(proc: Path = Path("/proc")) -> Counters:
    """The counters now."""
    return Counters(time.monotonic(), _steal(proc), _pressure(proc), resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)


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


LOAD = 0.25  # of the cores busy before anything is timed


def warnings(root: Path = Path("/"), cores: int = 1) -> list[str]:
    """Everything that Linux tells, worst first; nothing on systems that tell nothing."""
    return [text for check in (_load, _quota, _throttled, _battery, _governor, _turbo, _hybrid)
            for text in check(root, cores)]  # fmt: skip


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _load(root: Path, cores: int) -> Iterator[str]:
    words = _read(root / "proc/loadavg").split()
    if words and float(words[0]) > LOAD * cores:
        yield f"load average {words[0]} on {cores} cores: other programs run"


def _quota(root: Path, cores: int) -> Iterator[str]:
    """cgroup v2's cpu.max, "max 100000" or "150000 100000"; v1's cfs_quota_us, -1 without one."""
    quota, _, period = _read(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if not quota:
        quota = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(quota) < cores * int(period):
        yield f"the container may use {int(quota) / int(period):.1f} of {cores} cores: it is paused beyond that"


def _throttled(root: Path, cores: int) -> Iterator[str]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    times = sum(int(_read(file) or 0) for file in files)
    if times:
        yield f"the CPU has throttled {times} times for heat since it was booted"


def _battery(root: Path, cores: int) -> Iterator[str]:
    states = [_read(file) for file in (root / "sys/class/power_supply").glob("BAT*/status")]
    if "Discharging" in states:
        yield "it runs on battery"


def _governor(root: Path, cores: int) -> Iterator[str]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    slow = sorted({_read(file) for file in files} - {"performance", ""})
    if slow:
        yield f"frequency governor {', '.join(slow)}: `cpupower frequency-set -g performance` holds the clock"


def _turbo(root: Path, cores: int) -> Iterator[str]:
    cpus = root / "sys/devices/system/cpu"
    if _read(cpus / "intel_pstate/no_turbo") == "0" or _read(cpus / "cpufreq/boost") == "1":
        yield "turbo is on: the first seconds are faster than the rest"


def _hybrid(root: Path, cores: int) -> Iterator[str]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")
    fastest = {int(_read(file) or 0) for file in files}
    both = (root / "sys/devices/cpu_core").is_dir() and (root / "sys/devices/cpu_atom").is_dir()
    if both or (fastest and max(fastest) > 1.3 * min(fastest)):
        yield "its cores differ: pin the run to one kind (`taskset -c …`)"
