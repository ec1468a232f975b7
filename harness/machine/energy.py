"""The energy in joules that a machine or a GPU has used, where it can tell, or the reason why it cannot.

Two sources count energy: Linux powercap (RAPL, Documentation/power/powercap), summed over all packages, and NVML on
NVIDIA GPUs. The INA3221 sensor of a Jetson tells power only, so a thread reads it and integrates. Every source counts
everything that runs on the machine or GPU.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path

PERIOD_S = 0.01  # seconds between two readings of a power sensor

Meter = Callable[[], float]
"""Returns joules since an arbitrary moment: the difference of two readings is the energy used between them."""


def meter(device: str = "cpu", root: Path = Path("/")) -> tuple[Meter | None, str]:
    """Find a meter for a device.

    Args:
        device: `cpu` for the whole machine, `cuda` or `cuda:N` for one GPU.
        root: the folder in which `sys` lies.

    Returns:
        The meter and its name, or None and the reason why there is no meter.
    """
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
    """A meter that adds up the counters of CPU packages, given by their powercap folders; or None and the reason.

    AMD's counters have Intel's names. A counter starts again at 0 when it reaches its range.
    """
    try:
        ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in packages]
        last = [int((zone / "energy_uj").read_text()) for zone in packages]
    except PermissionError:
        counter = packages[0] / "energy_uj"
        return None, f"{counter} is readable by root only; to allow it: sudo chmod a+r {counter}"
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
    """The files with voltage (mV) and current (mA) of the channels to add up.

    They are the channels that measure the input of the whole board, or all channels where none is labelled as such.
    """
    found = []
    for voltage in sorted((root / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*/in[1-3]_input")):
        current = voltage.with_name(voltage.name.replace("in", "curr", 1))
        label = voltage.with_name(voltage.name.replace("input", "label"))
        if current.exists():
            found.append((label.read_text().strip() if label.exists() else "", (voltage, current)))
    board = [channel for label, channel in found if label in ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0")]
    return board or [channel for _, channel in found]


class Power:
    """Integrates the power of sensors over time, by the trapezoidal rule, on a thread of its own.

    `channels` are pairs of files: voltage in mV and current in mA.
    """

    def __init__(self, channels: list[tuple[Path, Path]]) -> None:
        self._channels, self._joules, self._guard = channels, 0.0, threading.Lock()
        self._was, self._watts = time.monotonic(), self._read()
        threading.Thread(target=self._follow, daemon=True).start()

    def joules(self) -> float:
        """Joules from the creation of this object until now."""
        with self._guard:
            now, watts = time.monotonic(), self._read()
            self._joules += (now - self._was) * (watts + self._watts) / 2
            self._was, self._watts = now, watts
            return self._joules

    def _follow(self) -> None:
        """Read the sensors forever, so that no change of power goes unseen between two calls of `joules`."""
        while True:
            time.sleep(PERIOD_S)
            self.joules()

    def _read(self) -> float:
        """Power in watts now, summed over the channels."""
        return sum(int(mv.read_text()) * int(ma.read_text()) for mv, ma in self._channels) / 1e6


def _nvml(number: int, library: str = "libnvidia-ml.so.1") -> tuple[Meter | None, str]:
    """A meter of GPU `number`, or None and the reason. Needs a GPU of the Volta generation or later.

    NVML's `nvmlDeviceGetTotalEnergyConsumption` returns millijoules since the driver was loaded.
    """
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
