"""What disturbs timing on this machine: what the system tells before a run, and what happened during a section."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.processes import Interference
from harness.machine import cgroup

LOAD = 0.25  # share of the cores that may be busy before anything is timed


@dataclass(frozen=True)
class Counters:
    """The system's counters of disturbances at one moment; None where the system does not have one."""

    wall_s: float  # seconds, monotonic clock
    steal: tuple[int, int] | None  # jiffies that the hypervisor gave to others, and all jiffies of the machine
    pressure_us: int | None  # microseconds in which some task waited for a CPU
    switches: int  # involuntary context switches of this process

    def until(self, later: Counters) -> Interference:
        """Return what happened between this reading and a later one, as shares of the time and as rates."""
        elapsed = max(later.wall_s - self.wall_s, 1e-9)
        steal = pressure = None
        if self.steal and later.steal:
            steal = (later.steal[0] - self.steal[0]) / max(1, later.steal[1] - self.steal[1])
        if self.pressure_us is not None and later.pressure_us is not None:
            pressure = (later.pressure_us - self.pressure_us) / 1e6 / elapsed
        return Interference(steal, pressure, (later.switches - self.switches) / elapsed)


def read_counters(proc: Path = Path("/proc")) -> Counters:
    """Read the counters now. `proc` is the folder of the proc file system."""
    return Counters(time.monotonic(), _steal(proc), _pressure(proc), resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)


def _steal(proc: Path) -> tuple[int, int] | None:
    """Stolen and all jiffies, from the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
    try:
        fields = [int(word) for word in (proc / "stat").read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (fields[7], sum(fields)) if len(fields) == 8 else None  # proc(5): the eighth is steal


def _pressure(proc: Path) -> int | None:
    """Microseconds from /proc/pressure/cpu, whose first line is "some avg10=0.00 avg60=0.00 avg300=0.00 total=1330"."""
    try:
        some = (proc / "pressure" / "cpu").read_text().partition("\n")[0]
        return int(some.partition("total=")[2])
    except (OSError, ValueError):
        return None


def warnings(root: Path = Path("/"), cores: int = 1, processors: int | None = None) -> list[str]:
    """Say what will make timing on this machine unreliable, a line per cause, the worst first.

    Args:
        root: the folder in which `proc` and `sys` lie.
        cores: CPUs that this process can keep busy.
        processors: CPUs that it may run on; None for as many.

    Returns:
        The lines; none on a system that tells nothing.
    """
    limited = [_load(root, cores), _quota(root, cores if processors is None else processors)]
    checks = (_throttled, _battery, _governor, _turbo, _hybrid)
    return [line for found in (*limited, *(check(root) for check in checks)) for line in found]


def _read(file: Path) -> str:
    """The text of a file of the system; empty where there is no such file."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _load(root: Path, cores: int) -> Iterator[str]:
    """Other programs run."""
    words = _read(root / "proc/loadavg").split()
    if words and float(words[0]) > LOAD * cores:
        yield f"load average {words[0]} on {cores} cores: other programs run"


def _quota(root: Path, processors: int) -> Iterator[str]:
    """The container has a quota below the CPUs that it sees."""
    limit = cgroup.cpu_limit(root)
    if limit is not None and limit < processors:
        yield f"the container may use {limit:.1f} of {processors} cores: it is paused beyond that"


def _throttled(root: Path) -> Iterator[str]:
    """The CPU got too hot since it was booted."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    times = sum(int(_read(file) or 0) for file in files)
    if times:
        yield f"the CPU has throttled {times} times for heat since it was booted"


def _battery(root: Path) -> Iterator[str]:
    """A laptop without its power supply."""
    states = [_read(file) for file in (root / "sys/class/power_supply").glob("BAT*/status")]
    if "Discharging" in states:
        yield "it runs on battery"


def _governor(root: Path) -> Iterator[str]:
    """The frequency follows the load."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    slow = sorted({_read(file) for file in files} - {"performance", ""})
    if slow:
        yield f"frequency governor {', '.join(slow)}: `cpupower frequency-set -g performance` holds the clock"


def _turbo(root: Path) -> Iterator[str]:
    """The CPU may run above its base frequency while it is cool. Intel's driver has a switch for off, others for on."""
    cpus = root / "sys/devices/system/cpu"
    if _read(cpus / "intel_pstate/no_turbo") == "0" or _read(cpus / "cpufreq/boost") == "1":
        yield "turbo is on: the first seconds are faster than the rest"


def _hybrid(root: Path) -> Iterator[str]:
    """Some cores are slower than others, by their kind or by their highest frequency."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")
    fastest = {int(_read(file) or 0) for file in files}
    both = (root / "sys/devices/cpu_core").is_dir() and (root / "sys/devices/cpu_atom").is_dir()
    if both or (fastest and max(fastest) > 1.3 * min(fastest)):
        yield "its cores differ: pin the run to one kind (`taskset -c …`)"
