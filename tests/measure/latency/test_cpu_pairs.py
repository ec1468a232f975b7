"""Pairs: their order, their ratios, and work that is really injected; with scripted clocks and with real ones."""

from __future__ import annotations

import math
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from builders import null_weights

from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.machine.child import Child
from harness.measure.latency.cpu_pairs import (
    TARGET,
    PairsJob,
    Slowed,
    fit_repeats,
    log_ratios,
    measure_pairs,
    on_device,
    slow,
)
from harness.measure.latency.references import SINGLE_THREAD


class Clockwork:
    """Calls of known duration and the clock that they move."""

    def __init__(self) -> None:
        self.now, self.log = 0, []

    def call(self, name: str, duration: int):
        def run() -> None:
            self.now += duration
            self.log.append(name)

        return run

    def __call__(self) -> int:
        return self.now


def test_a_target_stands_between_its_references_and_the_order_turns_round():
    clock = Clockwork()
    calls = {name: clock.call(name, 10) for name in ("network", TARGET, "numpy")}
    measure_pairs(calls, {}, 2, clock, clock)
    assert clock.log == ["network", TARGET, "numpy", "numpy", TARGET, "network"]


def test_ratios_are_logarithms_of_turns_by_both_clocks():
    clock = Clockwork()
    calls = {"network": clock.call("network", 50), TARGET: clock.call(TARGET, 220)}
    readings = measure_pairs(calls, {"network": 4}, 3, clock, lambda: 2 * clock.now)
    assert readings[TARGET] == [(220, 440)] * 3
    assert readings["network"] == [(200, 400)] * 3
    cpu, wall = log_ratios(readings)
    assert cpu["network"] == pytest.approx(math.log(1.1))
    assert wall == cpu


def test_one_disturbed_pair_does_not_move_the_median():
    readings = {"network": [(100, 100)] * 5, TARGET: [(100, 100)] * 4 + [(900, 900)]}
    assert log_ratios(readings)[0] == {"network": 0.0}


def test_repeats_last_about_as_long_as_the_target_and_never_less_than_once():
    clock = Clockwork()
    calls = {TARGET: clock.call("", 1000), "network": clock.call("", 90), "numpy": clock.call("", 5000)}
    assert fit_repeats(calls, clock) == {"network": 11, "numpy": 1}


def test_a_device_is_timed_by_its_own_clock():
    class Session:
        def __init__(self, ms: float) -> None:
            self.ms = ms

        def infer(self, batch: object) -> None:
            time.sleep(0.001)  # the host's time, which does not count

        def device_ms(self) -> float:
            return self.ms

    calls, clock = on_device({"network": (Session(2.0), None), TARGET: (Session(3.0), None)})
    cpu, _ = log_ratios(measure_pairs(calls, {}, 2, clock))
    assert cpu["network"] == pytest.approx(math.log(1.5))


def work() -> None:
    factor = np.ones((64, 64), np.float32)
    for _ in range(200):
        _ = factor @ factor


def took(call, clock) -> float:
    samples = []
    for _ in range(15):
        start = clock()
        call()
        samples.append(clock() - start)
    return statistics.median(samples)


def test_injected_work_is_real_cpu_time():
    more = took(slow(work, Slowed(0.5), time.process_time_ns), time.process_time_ns)
    assert 1.25 < more / took(work, time.process_time_ns) < 1.9


def test_injected_sleep_costs_wall_clock_only():
    sleepy = slow(work, Slowed(2.0, asleep=True), time.process_time_ns)
    assert took(sleepy, time.perf_counter_ns) > 2 * took(work, time.perf_counter_ns)
    assert took(sleepy, time.process_time_ns) < 1.5 * took(work, time.process_time_ns)


def test_a_fresh_process_gives_one_number_a_reference(tmp_path: Path):
    weights = null_weights(tmp_path / "model.json", work=300)
    np.save(tmp_path / "pixels.npy", np.zeros((1, 32, 32, 3), np.uint8))
    cell = Cell("model", "fp32", "null", imgsz=32)
    artifact = Artifact(str(weights), "key", 1)
    job = PairsJob(cell, artifact, str(tmp_path / "pixels.npy"), repeats={"network": 3})
    with Child(job, tmp_path / "log", 60, SINGLE_THREAD) as child:
        child.answer()
        child.send("start")
        observed = child.answer()
    assert observed.repeats["network"] == 3
    assert observed.cpu["network"] == pytest.approx(0.0, abs=0.2)  # 300 products against 3 × 100
    assert observed.cpu.keys() == {"network", "numpy"}
    assert len(observed.samples_ms) == 40
