"""The gated clock: CPU time of the target against references of about the same duration, pair by pair, on one thread.

A fresh process gives one number per reference: the median of the log ratios of its pairs. The process is the replicate,
because calls within a process agree far better than processes do (between processes the spread was 2 to 7 times the
error within one). CPU time does not see the neighbours' share of the machine, the ratio does not see the machine's
frequency and caches, and one thread has no pool that could spin. The wall clock of the same calls is kept beside it,
because CPU time does not see sleep.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.backends.base import DeviceSession, Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.processes import REFERENCES, Replicate
from harness.machine import noise
from harness.machine.worker import READY, Channel
from harness.measure.latency.references import network_input, numpy_product, open_network
from harness.tasks.preprocess import normalize

PAIRS = 40  # pairs per process; more would narrow the error within a process, which is the smaller one
WARMUP = 3  # calls of target and references that are not measured
FIT = 7  # calls whose median tells how long a call lasts
TARGET = "target"
SMALL = 32  # side of the square matrices whose products are injected as extra work: a few microseconds each

Call = Callable[[], object]
Clock = Callable[[], int]
"""A clock in nanoseconds."""


@dataclass(frozen=True)
class Slowed:
    """Extra work that `quantgate selfcheck power` adds to every call of the target."""

    share: float  # how much, as a share of the duration of the call
    asleep: bool = False  # sleep instead of CPU work


@dataclass(frozen=True)
class PairsJob:
    """Import the runtime and say READY; on a command, which comes in the timed section, open everything and measure."""

    cell: Cell
    artifact: Artifact
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W]
    references: Sequence[str] = REFERENCES
    repeats: Mapping[str, int] = field(
        default_factory=dict
    )  # by reference, as the baseline has them; others are fitted
    slowed: Slowed | None = None

    def run(self, channel: Channel) -> Replicate:
        """Measure target and references in pairs, and return what the process has seen.

        Raises:
            Unavailable: the device is absent.
        """
        stay_on_this_core()
        runtime = backend(self.cell.backend)
        pixels = np.load(self.pixels, mmap_mode="r")
        batch = normalize(np.take(pixels, range(self.cell.batch), axis=0, mode="wrap"))
        runtime.load()
        channel.reply(READY)
        channel.receive()
        session = runtime.open(self.artifact, self.cell, 1)
        calls, cpu = self._calls(session, batch)
        for call in calls.values():
            for _ in range(WARMUP):
                call()
        if self.slowed:
            calls[TARGET] = slow(calls[TARGET], self.slowed, cpu)
        repeats = {**fit_repeats(calls, cpu), **{name: n for name, n in self.repeats.items() if name in calls}}
        gc.collect()
        gc.disable()
        before = noise.read_counters()
        readings = measure_pairs(calls, repeats, PAIRS, cpu)
        meanwhile = before.until(noise.read_counters())
        session.close()
        cpu_ratios, wall_ratios = log_ratios(readings)
        return Replicate(
            cpu=cpu_ratios,
            wall=wall_ratios,
            levels=levels(readings),
            repeats=repeats,
            interference=meanwhile,
            samples_ms=[round(wall / 1e6, 4) for _, wall in readings[TARGET]],
        )

    def _calls(self, session: Session, batch: Any) -> tuple[dict[str, Call], Clock]:
        """The target between its references, and the clock that counts their work."""
        network, images = open_network(self.cell), network_input()
        if isinstance(session, DeviceSession):
            calls, cpu = on_device({"network": (network, images), TARGET: (session, batch)})
        else:
            calls = {
                "network": lambda: network.infer(images),
                TARGET: lambda: session.infer(batch),
                "numpy": numpy_product(),
            }
            cpu = time.process_time_ns
        return {name: call for name, call in calls.items() if name in (TARGET, *self.references)}, cpu


def stay_on_this_core() -> None:
    """Pin the process to the CPU that it is on, so that all threads of target and references meet one core (Linux).

    OpenVINO infers in a thread of its own, numpy in ours, and two cores of a rented machine differ.
    """
    if sys.platform == "linux":
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})


def on_device(sessions: Mapping[str, tuple[Any, Any]]) -> tuple[dict[str, Call], Clock]:
    """Return calls by name, and a clock that counts the time which the device itself has spent on them.

    `sessions` holds a `DeviceSession` and its batch for each name.
    """
    spent_ms = [0.0]

    def call(session: Any, batch: Any) -> None:
        session.infer(batch)
        spent_ms[0] += session.device_ms()

    calls = {name: functools.partial(call, session, batch) for name, (session, batch) in sessions.items()}
    return dict(calls), lambda: round(spent_ms[0] * 1e6)


def fit_repeats(calls: Mapping[str, Call], clock: Clock) -> dict[str, int]:
    """Return how often each reference has to be repeated to last as long as the target; at least once."""
    took = {name: _median(call, clock) for name, call in calls.items()}
    return {name: max(1, round(took[TARGET] / max(1, took[name]))) for name in calls if name != TARGET}


def slow(call: Call, slowed: Slowed, cpu: Clock) -> Call:
    """Return the call with real extra work behind it, whose amount is fitted to the call in this process."""
    if slowed.asleep:
        pause = slowed.share * _median(call, time.perf_counter_ns) / 1e9

        def sleepy() -> None:
            call()
            time.sleep(pause)

        return sleepy
    factor = np.ones((SMALL, SMALL), np.float32)
    out = np.empty_like(factor)

    def burn(times: int) -> None:
        for _ in range(times):
            np.matmul(factor, factor, out)

    unit = _median(lambda: burn(100), cpu) / 100
    times = round(slowed.share * _median(call, cpu) / unit)

    def busy() -> None:
        call()
        burn(times)

    return busy


def measure_pairs(
    calls: Mapping[str, Call],
    repeats: Mapping[str, int],
    pairs: int,
    cpu: Clock,
    wall: Clock = time.perf_counter_ns,
) -> dict[str, list[tuple[int, int]]]:
    """Return the CPU and wall nanoseconds of every turn, by name; each name has one turn per pair.

    The names take their turns in order, and in the next pair in reverse order. A target in the middle is therefore next
    to both references. One reading of the clocks ends a turn and begins the next.

    Args:
        calls: target and references by name.
        repeats: number of calls in a turn, by name; 1 where the name is absent.
        pairs: number of pairs.
        cpu: clock of CPU time, or of a device.
        wall: the wall clock.
    """
    order = list(calls)
    readings: dict[str, list[tuple[int, int]]] = {name: [] for name in order}
    for number in range(pairs):
        was = cpu(), wall()
        for name in order if number % 2 == 0 else order[::-1]:
            call = calls[name]
            for _ in range(repeats.get(name, 1)):
                call()
            now = cpu(), wall()
            readings[name].append((now[0] - was[0], now[1] - was[1]))
            was = now
    return readings


def log_ratios(readings: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return log(target / reference) by reference, the median over pairs: of CPU time, and of the wall clock."""

    def medians(clock: int) -> dict[str, float]:
        return {
            name: statistics.median(
                math.log(max(1, target[clock]) / max(1, reference[clock]))
                for target, reference in zip(readings[TARGET], turns, strict=True)
            )
            for name, turns in readings.items()
            if name != TARGET
        }

    return medians(0), medians(1)


def levels(readings: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, float]:
    """Return the logarithm of the median CPU time of a turn, in nanoseconds, for each reference."""
    return {
        name: math.log(max(1, statistics.median(cpu for cpu, _ in turns)))
        for name, turns in readings.items()
        if name != TARGET
    }


def _median(call: Call, clock: Clock) -> float:
    """The median duration of a call, nanoseconds."""
    took = []
    for _ in range(FIT):
        start = clock()
        call()
        took.append(clock() - start)
    return statistics.median(took)
