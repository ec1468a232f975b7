"""Energy from recorded sysfs trees: counters that wrap, sensors of power, and reasons where there is none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.machine import energy


def rapl(root: Path, *packages: int, limit: int = 262_143_328_850) -> list[Path]:
    """/sys/class/powercap as an Intel server with a core subzone shows it; returns the packages' counters."""
    base = root / "sys/class/powercap"
    files = []
    for number, value in enumerate(packages):
        for name, content in ((f"intel-rapl:{number}", value), (f"intel-rapl:{number}:0", 1)):
            (base / name).mkdir(parents=True)
            (base / name / "energy_uj").write_text(f"{content}\n")
            (base / name / "max_energy_range_uj").write_text(f"{limit}\n")
        files.append(base / f"intel-rapl:{number}" / "energy_uj")
    return files


def test_all_packages_count_and_their_parts_do_not_count_twice(tmp_path: Path):
    first, second = rapl(tmp_path, 1_000_000, 5_000_000)
    meter, name = energy.meter(root=tmp_path)
    assert meter and name == "RAPL"
    before = meter()
    first.write_text("3000000\n")
    second.write_text("5500000\n")
    assert meter() - before == pytest.approx(2.5)


def test_a_counter_that_begins_anew_loses_nothing(tmp_path: Path):
    (counter,) = rapl(tmp_path, 900_000, limit=999_999)
    meter, _ = energy.meter(root=tmp_path)
    assert meter
    before = meter()
    counter.write_text("100000\n")
    assert meter() - before == pytest.approx(0.2)


def test_the_board_s_input_of_a_jetson_is_integrated_over_time(tmp_path: Path):
    sensor = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    sensor.mkdir(parents=True)
    for channel, label, mv, ma in ((1, "VDD_IN", 5000, 2000), (2, "VDD_CPU_GPU_CV", 5000, 900)):
        (sensor / f"in{channel}_label").write_text(f"{label}\n")
        (sensor / f"in{channel}_input").write_text(f"{mv}\n")
        (sensor / f"curr{channel}_input").write_text(f"{ma}\n")
    meter, name = energy.meter(root=tmp_path)
    assert meter and name == "INA3221"
    start, before = time.monotonic(), meter()
    time.sleep(0.2)
    spent, elapsed = meter() - before, time.monotonic() - start
    assert spent == pytest.approx(10 * elapsed, rel=0.1)  # 5 V × 2 A


def test_a_machine_that_cannot_tell_says_why(tmp_path: Path):
    assert energy.meter(root=tmp_path) == (None, "no powercap (RAPL) counter and no INA3221 sensor on this machine")


def test_a_gpu_without_its_library_says_so():
    meter, why = energy._nvml(0, library="libno-such-nvml.so")
    assert meter is None
    assert why == "libno-such-nvml.so is not there"
