"""What disturbed the machine between two readings, and what will, from recorded trees of /proc and /sys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.processes import Interference
from harness.machine import noise
from harness.machine.noise import Counters

BEFORE = Counters(10.0, (100, 10_000), 1_000_000, 50)


def test_shares_and_rates_between_two_readings():
    after = Counters(12.0, (110, 10_400), 1_500_000, 250)
    assert BEFORE.until(after) == Interference(steal=0.025, pressure=0.25, switches=100.0)


def test_what_the_system_does_not_tell_is_unknown_and_disturbs_nothing():
    after = replace(BEFORE, wall_s=12.0, steal=None, pressure_us=None)
    assert BEFORE.until(after) == Interference(None, None, 0.0)
    assert Interference(None, None, 0.0).high == ""


def test_counters_are_read_as_linux_writes_them(tmp_path: Path):
    (tmp_path / "stat").write_text("cpu  879949 7070 103964 2340600 7023 0 487 802 0 0\ncpu0 1 2 3\n")
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/cpu").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1330541707\nfull total=0\n")
    reading = noise.read_counters(tmp_path)
    assert reading.steal == (802, 3339895)
    assert reading.pressure_us == 1330541707


def test_a_system_without_them_is_no_error(tmp_path: Path):
    reading = noise.read_counters(tmp_path)
    assert (reading.steal, reading.pressure_us) == (None, None)


# What makes latency unreliable


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
    (warning,) = noise.warnings(tree(tmp_path, **files), cores=4)
    assert said in warning


def test_a_quota_is_told_though_the_cores_are_counted_by_it(tmp_path: Path):
    files = {"sys__fs__cgroup__cpu.max": "150000 100000", "proc__loadavg": "0.30 0.8 0.5 3/200 7"}
    load, quota = noise.warnings(tree(tmp_path, **files), cores=1, processors=4)
    assert load == "load average 0.30 on 1 cores: other programs run"
    assert quota == "the container may use 1.5 of 4 cores: it is paused beyond that"


def test_the_worst_cause_comes_first(tmp_path: Path):
    files = {"proc__loadavg": "3.00 0.8 0.5 3/200 7", "sys__class__power_supply__BAT0__status": "Discharging"}
    first, second = noise.warnings(tree(tmp_path, **files), cores=4)
    assert "load average" in first
    assert "battery" in second


def test_a_machine_in_order_says_nothing(tmp_path: Path):
    quiet = {
        "proc__loadavg": "0.10 0.1 0.1 1/200 7",
        "sys__fs__cgroup__cpu.max": "max 100000",
        "sys__class__power_supply__BAT0__status": "Full",
        CPU + "cpu0__cpufreq__scaling_governor": "performance",
        CPU + "cpu0__thermal_throttle__core_throttle_count": "0",
        CPU + "intel_pstate__no_turbo": "1",
    }
    assert noise.warnings(tree(tmp_path, **quiet), cores=4) == []


def test_a_system_that_tells_nothing_is_no_error(tmp_path: Path):
    assert noise.warnings(tmp_path, cores=4) == []
