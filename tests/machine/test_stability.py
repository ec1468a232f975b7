"""What makes latency unreliable, on recorded trees of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.machine import stability


def tree(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


V1 = "sys__fs__cgroup__cpu__cpu."
CPU = "sys__devices__system__cpu__"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"proc__loadavg": "1.90 0.8 0.5 3/200 7"}, "load average 1.90 on 4 cores"),
        ({"sys__fs__cgroup__cpu.max": "150000 100000"}, "1.5 of 4 cores"),
        ({V1 + "cfs_quota_us": "50000", V1 + "cfs_period_us": "100000"}, "0.5"),
        ({CPU + "cpu0__thermal_throttle__core_throttle_count": "12"}, "throttled 12 times"),
        ({"sys__class__power_supply__BAT0__status": "Discharging"}, "battery"),
        ({CPU + "cpu0__cpufreq__scaling_governor": "powersave"}, "governor powersave"),
        ({CPU + "intel_pstate__no_turbo": "0"}, "turbo is on"),
        ({CPU + "cpufreq__boost": "1"}, "turbo is on"),
        ({"sys__devices__cpu_core__type": "8", "sys__devices__cpu_atom__type": "9"}, "cores differ"),
        ({CPU + f"cpu{n}__cpufreq__cpuinfo_max_freq": khz for n, khz in ((0, "5200000"), (9, "3800000"))}, "differ"),
    ],
)  # fmt: skip
def test_each_cause_is_named(tmp_path: Path, files: dict[str, str], said: str):
    (warning,) = stability.warnings(tree(tmp_path, **files), cores=4)
    assert said in warning


def test_a_machine_in_order_says_nothing(tmp_path: Path):
    quiet = {
        "proc__loadavg": "0.10 0.1 0.1 1/200 7",
        "sys__fs__cgroup__cpu.max": "max 100000",
        "sys__class__power_supply__BAT0__status": "Full",
        CPU + "cpu0__cpufreq__scaling_governor": "performance",
        CPU + "cpu0__thermal_throttle__core_throttle_count": "0",
        CPU + "intel_pstate__no_turbo": "1",
    }
    assert stability.warnings(tree(tmp_path, **quiet), cores=4) == []


def test_a_system_that_tells_nothing_is_no_error(tmp_path: Path):
    assert stability.warnings(tmp_path, cores=4) == []
