"""How busy the machine was between two readings, from recorded counters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine import noise
from harness.machine.noise import Interference, Reading

BEFORE = Reading(10.0, (100, 10_000), 1_000_000, 50)


def test_shares_and_rates_between_two_readings():
    after = Reading(12.0, (110, 10_400), 1_500_000, 250)
    assert BEFORE.until(after) == Interference(steal=0.025, pressure=0.25, switches=100.0)


def test_what_the_system_does_not_tell_is_unknown_and_disturbs_nothing():
    after = replace(BEFORE, wall_s=12.0, steal=None, pressure_us=None)
    assert BEFORE.until(after) == Interference(None, None, 0.0)
    assert Interference(None, None, 0.0).high == ""


@pytest.mark.parametrize(
    ("seen", "high"),
    [
        (Interference(0.0, 0.01, 3.0), ""),
        (Interference(0.05, 0.0, 0.0), "steal 5.0%"),
        (Interference(0.0, 0.5, 40.0), "CPU pressure 50%, 40 involuntary context switches a second"),
    ],
)
def test_what_disturbed_is_named(seen, high):
    assert seen.high == high


def test_counters_are_read_as_linux_writes_them(tmp_path: Path):
    (tmp_path / "stat").write_text("cpu  879949 7070 103964 2340600 7023 0 487 802 0 0\ncpu0 1 2 3\n")
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/cpu").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1330541707\nfull total=0\n")
    reading = noise.read(tmp_path)
    assert reading.steal == (802, 3339895)
    assert reading.pressure_us == 1330541707


def test_a_system_without_them_is_no_error(tmp_path: Path):
    reading = noise.read(tmp_path)
    assert (reading.steal, reading.pressure_us) == (None, None)
