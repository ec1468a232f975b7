"""Time siblings interleaved: a child each, started side by side, asked in turns in one exclusive section."""

from __future__ import annotations

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
from harness.measure.latency.wall_clock import IMAGES, Opened, Sides, TimeJob, summarize, take_turns

Failed = dict[Cell, Measurement]


@dataclass(frozen=True)
class Timing:
    """What a timed section observed of one cell."""

    opened: Opened
    blocks: list[list[int]]  # nanoseconds by round and call
    sides: Sides
    energy_mj: float | None  # of a call, of everything on the machine or device
    meter: str  # what measured it, or why nothing did


def time_siblings(
    suite: Suite, inputs: Mapping[Cell, CellInputs], lock: MachineLock, log: Callable[[str], Path], limit_s: float
) -> Sequence[Measurement]:
    """One measurement for each cell, a failure where it failed."""
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
    share = (time.monotonic() - start) / max(1, len(timed))
    measured = [
        _measurement(suite, cell, inputs[cell], timing, None if cell.precision == "fp32" else reference, share)
        for cell, timing in timed.items()
    ]
    return [*measured, *failed.values()]


def _job(suite: Suite, cell: Cell, inputs: CellInputs) -> TimeJob:
    images, pixels = inputs.data.images[:IMAGES], str(inputs.pixels)
    return TimeJob(cell, inputs.artifact, images, pixels, suite.decoding, threads(suite.threads), suite.warmup)


def _measurement(
    suite: Suite, cell: Cell, inputs: CellInputs, timing: Timing, reference: list[list[int]] | None, share: float
) -> Measurement:
    metrics = {
        **summarize(timing.blocks, reference, cell.batch),
        **{name: value for name, value in timing.sides.__dict__.items() if value is not None},
        "energy_mj": timing.energy_mj,
        "load_ms": timing.opened.load_ms,
        "first_inference_ms": timing.opened.first_ms,
        "peak_rss_bytes": timing.opened.peak_rss_bytes,
        "runtime_rss_bytes": timing.opened.peak_rss_bytes - timing.opened.bare_rss_bytes,
    }
    samples = {"latency_ms": [round(ns / 1e6, 4) for block in timing.blocks for ns in block]}
    provenance = {**inputs.provenance, "threads": threads(suite.threads), "energy": timing.meter}
    timings = {"build_s": inputs.build_s, "latency_s": share}
    return Measurement(cell, metrics=metrics, samples=samples, provenance=provenance, timings=timings)


def _section(suite: Suite, children: Mapping[Cell, Child], failed: Failed, lock: MachineLock) -> dict[Cell, Timing]:
    """The timed section: nothing else heavy runs on the machine, and this process sleeps."""

    def ask(cell: Cell, command: Any) -> Any:
        if cell in failed:
            return []
        try:
            children[cell].send(command)
            return children[cell].answer()
        except QuantgateError as error:
            failed[cell] = failure(cell, error)
            return []

    device = next((cell.device for cell in children), "cpu")
    meter, why = energy.meter(device)
    spent = dict.fromkeys(children, 0.0)

    def block(cell: Cell, calls: int) -> Any:
        before = meter() if meter else 0.0
        answer = ask(cell, calls)
        spent[cell] += (meter() if meter else 0.0) - before
        return answer

    with lock.timed(device):
        opened = {cell: ask(cell, READY) for cell in children}
        blocks = take_turns({cell: functools.partial(block, cell) for cell in children}, suite.calls)
        sides = {cell: ask(cell, None) for cell in children}
    # A block runs one call more than it counts.
    made = {cell: sum(len(counted) + 1 for counted in blocks[cell]) for cell in children}
    millijoules = {cell: spent[cell] / made[cell] * 1e3 if meter else None for cell in children if made[cell]}
    return {
        cell: Timing(opened[cell], blocks[cell], sides[cell], millijoules[cell], why)
        for cell in children
        if cell not in failed
    }
