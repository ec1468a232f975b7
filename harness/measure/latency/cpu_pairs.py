"""Gated latency: CPU time of the target against references of about the same duration, pair by pair, one thread.

One fresh process gives one number per reference, the median of its per-pair log ratios; the process is the replicate,
since calls within one agree with each other far better than processes do (FACTS.md, "Latency on a shared machine").
CPU time does not see the neighbours' share of the machine, the ratio does not see its frequency and its caches, and
one thread has no pool that could spin. The wall clock of the same calls is kept beside it: CPU time sees no sleep.
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

from harness.backends.base import DeviceSession
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.processes import NAMES, Replicate
from harness.machine import noise
from harness.machine.worker import READY, Channel
from harness.measure.latency.references import network_input, numpy_product, open_network
from harness.tasks.preprocess import normalize

PAIRS = 40  # per process; more would narrow the process's own error, which is not the one that matters (FACTS.md)
WARMUP = 3  # calls of each
FIT = 7  # calls of each that repeats are fitted on
TARGET = "target"
SMALL = 32  # side of the square matrices whose products are injected: a few microseconds

Call = Callable[[], object]
Clock = Callable[[], int]  # nanoseconds


@dataclass(frozen=True)
class Slowed:
    """What `quantgate selfcheck power` adds to every call of the target, as a share of its own duration."""

    share: float
    asleep: bool = False  # sleep instead of CPU work


@dataclass(frozen=True)
class PairsJob:
    """Import the runtime and say READY; then, in the timed section: open target and references, time the pairs."""

    cell: Cell
    artifact: Artifact
    pixels: str  # .npy of letterboxed bytes
    references: Sequence[str] = NAMES
    repeats: Mapping[str, int] = field(default_factory=dict)  # of the baseline; fitted where it has none
    slowed: Slowed | None = None

    def run(self, channel: Channel) -> Replicate:
        stay_on_this_core()
        runtime = backend(self.cell.backend)
        pixels = np.load(self.pixels, mmap_mode="r")
        batch = normalize(np.take(pixels, range(self.cell.batch), axis=0, mode="wrap"))
        runtime.load()
        channel.reply(READY)
        channel.receive()
        session = runtime.open(self.artifact, self.cell, 1)
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
        calls = {name: call for name, call in calls.items() if name in (TARGET, *self.references)}
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
        samples = [round(wall / 1e6, 4) for _, wall in readings[TARGET]]
        return Replicate(*log_ratios(readings), levels(readings), repeats, meanwhile, samples)


def stay_on_this_core() -> None:
    """Pin the process to the CPU it is on, so that every thread of target and references meets the same core.

    OpenVINO has a thread of its own for inference, numpy runs in ours; two cores of a rented machine differ.
    """
    if sys.platform == "linux":
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})


def on_device(sessions: Mapping[str, tuple[Any, Any]]) -> tuple[dict[str, Call], Clock]:
    """Calls, and a clock that counts the time which the device itself spent on them."""
    spent = [0.0]

    def call(session: Any, batch: Any) -> None:
        session.infer(batch)
        spent[0] += session.device_ms()

    calls = {name: functools.partial(call, session, batch) for name, (session, batch) in sessions.items()}
    return dict(calls), lambda: round(spent[0] * 1e6)


def fit_repeats(calls: Mapping[str, Call], clock: Clock) -> dict[str, int]:
    """How often each reference is repeated to last as long as the target, at least once."""
    took = {name: _median(call, clock) for name, call in calls.items()}
    return {name: max(1, round(took[TARGET] / max(1, took[name]))) for name in calls if name != TARGET}


def slow(call: Call, slowed: Slowed, cpu: Clock) -> Call:
    """The call with real extra work behind it; the amount is fitted to the call in this process."""
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


def _median(call: Call, clock: Clock) -> float:
    took = []
    for _ in range(FIT):
        start = clock()
        call()
        took.append(clock() - start)
    return statistics.median(took)


def measure_pairs(
    calls: Mapping[str, Call],
    repeats: Mapping[str, int],
    pairs: int,
    cpu: Clock,
    wall: Clock = time.perf_counter_ns,
) -> dict[str, list[tuple[int, int]]]:
    """CPU and wall nanoseconds of every turn, by name; a reference's turn is as many calls as `repeats` says.

    `calls` come in their order and back again, so a target in the middle is next to both references. Neighbours share a
    reading of the clocks: one a turn.
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
    """log(target / reference) by reference, of CPU time and of the wall clock: medians over pairs."""

    def of(clock: int) -> dict[str, float]:
        return {
            name: statistics.median(
                math.log(max(1, target[clock]) / max(1, reference[clock]))
                for target, reference in zip(readings[TARGET], turns, strict=True)
            )
            for name, turns in readings.items()
            if name != TARGET
        }

    return of(0), of(1)


def levels(readings: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, float]:
    """log of the median CPU time of each reference's turn, nanoseconds."""
    return {
        name: math.log(max(1, statistics.median(cpu for cpu, _ in turns)))
        for name, turns in readings.items()
        if name != TARGET
    }
