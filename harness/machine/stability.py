"""What makes latency unreliable on this machine, in words: for `quantgate doctor`, and recorded with every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
