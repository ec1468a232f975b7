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


def test_a_counter_that_only_root_may_read_is_told_with_the_command_that_opens_it(tmp_path: Path, monkeypatch):
    (counter,) = rapl(tmp_path, 1_000_000)

    def refused(path: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refused)
    assert energy.meter(root=tmp_path) == (
        None,
        f"{counter} is readable by root only; to allow it: sudo chmod a+r {counter}",
    )


def test_a_counter_that_is_no_number_is_told(tmp_path: Path):
    (counter,) = rapl(tmp_path, 1_000_000)
    counter.write_text("unknown\n")
    meter, why = energy.meter(root=tmp_path)
    assert meter is None
    assert why.startswith(f"{counter.parent} cannot be read: ")


def jetson(root: Path, *channels: tuple[str, int, int]) -> None:
    """An INA3221 sensor with channels of a label, millivolts and milliamperes."""
    sensor = root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    sensor.mkdir(parents=True)
    for number, (label, mv, ma) in enumerate(channels, 1):
        (sensor / f"in{number}_label").write_text(f"{label}\n")
        (sensor / f"in{number}_input").write_text(f"{mv}\n")
        (sensor / f"curr{number}_input").write_text(f"{ma}\n")


def test_channels_that_none_is_the_board_s_input_are_added_up(tmp_path: Path):
    jetson(tmp_path, ("VDD_GPU", 5000, 1000), ("VDD_CPU", 5000, 600))
    assert energy.Power(energy._ina3221(tmp_path))._watts == pytest.approx(8)


def test_the_board_s_input_of_a_jetson_is_integrated_over_time(tmp_path: Path):
    jetson(tmp_path, ("VDD_IN", 5000, 2000), ("VDD_CPU_GPU_CV", 5000, 900))
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


class Nvml:
    """NVML with one GPU that has used `spent` millijoules; None: a GPU that does not count them."""

    def __init__(self, spent: int | None) -> None:
        self.spent = spent

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: int, handle: object) -> int:
        return 0 if number == 0 else 2  # NVML_ERROR_INVALID_ARGUMENT

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, spent: object) -> int:
        if self.spent is None:
            return 3  # NVML_ERROR_NOT_SUPPORTED
        spent._obj.value = self.spent
        return 0


def test_a_gpu_counts_in_millijoules(monkeypatch: pytest.MonkeyPatch):
    nvml = Nvml(5_000)
    monkeypatch.setattr(energy.ctypes, "CDLL", lambda library: nvml)
    meter, name = energy.meter("cuda")
    assert meter and name == "NVML"
    before = meter()
    nvml.spent = 7_500
    assert meter() - before == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("spent", "device", "why"), [(5_000, "cuda:1", "NVML finds no GPU 1"), (None, "cuda:0", "GPU 0 counts no energy")]
)
def test_a_gpu_that_cannot_tell_says_why(monkeypatch: pytest.MonkeyPatch, spent: int | None, device: str, why: str):
    monkeypatch.setattr(energy.ctypes, "CDLL", lambda library: Nvml(spent))
    assert energy.meter(device) == (None, why)
