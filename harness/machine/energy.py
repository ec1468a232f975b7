"""Joules that a machine or a device has used, where it can tell; otherwise None, with the reason.

Counters: Linux powercap (RAPL, Documentation/power/powercap) of all packages, NVML's total energy. Jetson's INA3221
tells power only; a thread reads it while something runs. All of them count everything that runs on the machine.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path

PERIOD_S = 0.01  # between two readings of a power sensor
Meter = Callable[[], float]  # joules since some moment; differences count


def meter(device: str = "cpu", root: Path = Path("/")) -> tuple[Meter | None, str]:
    """A meter of the machine, or of the GPU where the cell runs on one, and its name or why there is none."""
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        return _nvml(number)
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:[0-9]*"))
    packages = [zone for zone in zones if zone.name.count(":") == 1 and (zone / "energy_uj").exists()]
    if packages:
        return _rapl(packages)
    channels = _ina3221(root)
    if channels:
        return Power(channels).joules, "INA3221"
    return None, "no powercap (RAPL) counter and no INA3221 sensor on this machine"


def _rapl(packages: list[Path]) -> tuple[Meter | None, str]:
    """AMD's counters are there under the same name. A counter begins anew at its range."""
    try:
        ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in packages]
        last = [int((zone / "energy_uj").read_text()) for zone in packages]
    except PermissionError:
        return None, f"{packages[0] / 'energy_uj'} is readable by root only: sudo chmod a+r it"
    except (OSError, ValueError) as error:
        return None, f"{packages[0]} cannot be read: {error}"
    total = 0

    def joules() -> float:
        nonlocal total
        for number, zone in enumerate(packages):
            now = int((zone / "energy_uj").read_text())
            total += (now - last[number]) % (ranges[number] + 1)
            last[number] = now
        return total / 1e6

    return joules, "RAPL"


def _ina3221(root: Path) -> list[tuple[Path, Path]]:
    """Voltage (mV) and current (mA) of every channel that is the whole board's input, else of all."""
    found = []
    for voltage in sorted((root / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in[1-3]_input")):
        current = voltage.with_name(voltage.name.replace("in", "curr", 1))
        label = voltage.with_name(voltage.name.replace("input", "label"))
        if current.exists():
            found.append((label.read_text().strip() if label.exists() else "", (voltage, current)))
    board = [channel for label, channel in found if label in ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0")]
    return board or [channel for _, channel in found]


class Power:
    """Integrates the power of sensors from its first reading on."""

    def __init__(self, channels: list[tuple[Path, Path]]) -> None:
        self._channels, self._joules, self._guard = channels, 0.0, threading.Lock()
        self._was, self._watts = time.monotonic(), self._read()
        threading.Thread(target=self._follow, daemon=True).start()

    def joules(self) -> float:
        with self._guard:
            now, watts = time.monotonic(), self._read()
            self._joules += (now - self._was) * (watts + self._watts) / 2
            self._was, self._watts = now, watts
            return self._joules

    def _follow(self) -> None:
        while True:
            time.sleep(PERIOD_S)
            self.joules()

    def _read(self) -> float:
        return sum(int(mv.read_text()) * int(ma.read_text()) for mv, ma in self._channels) / 1e6


def _nvml(number: int, library: str = "libnvidia-ml.so.1") -> tuple[Meter | None, str]:
    """nvmlDeviceGetTotalEnergyConsumption: millijoules since the driver was loaded, Volta and later."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return None, f"{library} is not there"
    handle, spent = ctypes.c_void_p(), ctypes.c_ulonglong()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)):
        return None, f"NVML finds no GPU {number}"

    def joules() -> float:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(spent))
        return spent.value / 1e3

    if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(spent)):
        return None, f"GPU {number} counts no energy"
    return joules, "NVML"
