"""Time siblings interleaved: one child per cell, all started side by side, asked in turns within one timed section."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import QuantgateError
from harness.core.measurement import Measurement, failure
from harness.core.suite import Suite
from harness.inputs.finder import CellInputs
from harness.machine import energy
from harness.machine.child import Child, heavy_answers
from harness.machine.fingerprint import threads
from harness.machine.locks import MachineLock
from harness.machine.worker import READY
from harness.measure.latency.wall_clock import IMAGES, ExtraFigures, Opened, TimeJob, summarize, take_turns

Failed = dict[Cell, Measurement]
"""The measurements of the cells that have failed; a cell is added when it fails."""


@dataclass(frozen=True)
class Timing:
    """What a timed section has seen of one cell."""

    opened: Opened
    blocks: list[list[int]]  # nanoseconds by round and call
    extra: ExtraFigures
    energy_mj: float | None  # millijoules per call, of everything that runs on the machine or device; None: no meter
    meter: str  # name of the energy meter, or why there is none


def time_siblings(
    suite: Suite, inputs: Mapping[Cell, CellInputs], lock: MachineLock, log: Callable[[str], Path], limit_s: float
) -> Sequence[Measurement]:
    """Time cells against each other, and return one measurement for each; a cell that fails costs the others nothing.

    Args:
        suite: says how many calls, warm-ups and threads.
        inputs: the cells of one group of siblings, built.
        lock: the lock of the machine.
        log: label of a child → the file to which it prints.
        limit_s: seconds after which a child without a sign of life is given up.
    """
    start = time.monotonic()
    failed: Failed = {}
    with ExitStack() as stack:
        children = {
            cell: stack.enter_context(Child(_job(suite, cell, found), log(f"time {cell}"), limit_s))
            for cell, found in inputs.items()
        }
        for cell, answer in zip(inputs, heavy_answers(list(children.values()), lock), strict=True):
            if answer != READY:
                failed[cell] = failure(cell, answer)
                del children[cell]
        timed = _section(suite, children, failed, lock)
    reference = next((timing.blocks for cell, timing in timed.items() if cell.precision == "fp32"), None)
    share_s = (time.monotonic() - start) / max(1, len(timed))
    measured = [
        _measurement(suite, cell, inputs[cell], timing, None if cell.precision == "fp32" else reference, share_s)
        for cell, timing in timed.items()
    ]
    return [*measured, *failed.values()]


def _job(suite: Suite, cell: Cell, inputs: CellInputs) -> TimeJob:
    images, pixels = inputs.data.images[:IMAGES], str(inputs.pixels)
    return TimeJob(
        cell, inputs.artifact, images, pixels, suite.decoding, threads(suite.threads), suite.warmup,
        len(inputs.data.categories),
    )  # fmt: skip


def _measurement(
    suite: Suite, cell: Cell, inputs: CellInputs, timing: Timing, reference: list[list[int]] | None, share_s: float
) -> Measurement:
    """The measurement of one cell; `share_s` is its share of the seconds that the whole group took."""
    metrics = {
        **summarize(timing.blocks, reference, cell.batch),
        **{name: value for name, value in dataclasses.asdict(timing.extra).items() if value is not None},
        "energy_mj": timing.energy_mj,
        "load_ms": timing.opened.load_ms,
        "first_inference_ms": timing.opened.first_ms,
        "peak_rss_bytes": timing.opened.peak_rss_bytes,
        "runtime_rss_bytes": timing.opened.peak_rss_bytes - timing.opened.bare_rss_bytes,
    }
    samples = {"latency_ms": [round(ns / 1e6, 4) for block in timing.blocks for ns in block]}
    provenance = {**inputs.provenance, "threads": threads(suite.threads), "energy": timing.meter}
    timings = {"build_s": inputs.build_s, "latency_s": share_s}
    return Measurement(cell, metrics=metrics, samples=samples, provenance=provenance, timings=timings)


def _section(suite: Suite, children: Mapping[Cell, Child], failed: Failed, lock: MachineLock) -> dict[Cell, Timing]:
    """The timed section: nothing else heavy runs on the machine, and this process sleeps while a child works."""

    def ask(cell: Cell, command: Any) -> Any:
        """The answer of a child; an empty list of calls where it has failed, now or before."""
        if cell in failed:
            return []
        try:
            children[cell].send(command)
            return children[cell].answer()
        except QuantgateError as error:
            failed[cell] = failure(cell, error)
            return []

    device = next((cell.device for cell in children), "cpu")
    meter, meter_name = energy.meter(device)
    joules = dict.fromkeys(children, 0.0)

    def block(cell: Cell, calls: int) -> Any:
        """Time a block of calls, and add up what it used."""
        before = meter() if meter else 0.0
        answer = ask(cell, calls)
        joules[cell] += (meter() if meter else 0.0) - before
        return answer

    with lock.timed(device):
        opened = {cell: ask(cell, READY) for cell in children}
        blocks = take_turns({cell: functools.partial(block, cell) for cell in children}, suite.calls)
        extra = {cell: ask(cell, None) for cell in children}
    # A block runs one call more than it counts.
    made = {cell: sum(len(counted) + 1 for counted in blocks[cell]) for cell in children}
    millijoules = {cell: joules[cell] / made[cell] * 1e3 if meter else None for cell in children}
    return {
        cell: Timing(opened[cell], blocks[cell], extra[cell], millijoules[cell], meter_name)
        for cell in children
        if cell not in failed
    }
