"""The clock. Warm-up, then blocks of calls; sessions of several cells take turns, block by block.

A block's first call is not counted: the caches belong to the neighbour until then. The ratio of a cell to its fp32
sibling is the median over rounds of the ratio of block medians, so that a slow second of the machine hits both sides.
"""

from __future__ import annotations

import itertools
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.backends.base import DeviceSession
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Image
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.machine.worker import READY, Channel
from harness.tasks.decode import decode
from harness.tasks.outputs import content, read_outputs
from harness.tasks.preprocess import letterbox, normalize

IMAGES = 8  # distinct images that the timed loop cycles through
SIDES = 3  # of them, to time pre- and post-processing on
BLOCK = 20  # counted calls per block
P99_CALLS = 662  # MLPerf: queries that a 99th percentile needs (FACTS.md, "Published anchors")

Clock = Callable[[], int]


@dataclass(frozen=True)
class Opened:
    """A session's start, seen from its process."""

    load_ms: float  # open the artifact in a fresh process, the runtime's modules imported
    first_ms: float  # the first inference
    peak_rss_bytes: int  # peak resident set of the process after it
    bare_rss_bytes: int  # the same before the runtime was loaded


@dataclass(frozen=True)
class Sides:
    """What there is beside the clocked calls; times are medians in milliseconds."""

    preprocess_ms: float  # of an image: decoded image → network input
    postprocess_ms: float  # of an image: raw output → detections
    device_p50_ms: float | None = None  # of a call, by the clock of the device, where the runtime has one
    device_memory_bytes: int | None = None  # the same


@dataclass(frozen=True)
class TimeJob:
    """Import the runtime and say READY; then, in the timed section: open and warm up, time blocks of calls, end.

    Commands: anything opens, a number times a block of that many calls, None ends.
    """

    cell: Cell
    artifact: Artifact
    images: Sequence[Image]
    pixels: str  # .npy of letterboxed bytes, its first rows are `images`
    decoding: Decoding
    threads: int
    warmup: int

    def run(self, channel: Channel) -> Sides:
        runtime = backend(self.cell.backend)
        pixels = np.load(self.pixels, mmap_mode="r")
        batch = self.cell.batch
        first = normalize(np.take(pixels, range(batch), axis=0, mode="wrap"))
        bare = peak_rss()
        runtime.load()
        channel.reply(READY)
        channel.receive()
        start = time.perf_counter()
        session = runtime.open(self.artifact, self.cell, self.threads)
        opened = time.perf_counter()
        session.infer(first)
        done = time.perf_counter()
        peak = peak_rss()
        batches = [
            normalize(np.take(pixels, range(i, i + batch), axis=0, mode="wrap")) for i in range(len(self.images))
        ]
        turn = itertools.cycle(batches)
        for _ in range(self.warmup):
            session.infer(next(turn))
        channel.reply(Opened((opened - start) * 1e3, (done - opened) * 1e3, peak, bare))
        on_device: list[float] = []
        after = None
        if isinstance(session, DeviceSession):
            clock = session.device_ms
            after = lambda: on_device.append(clock())  # noqa: E731
        while (calls := channel.receive()) is not None:
            channel.reply(timed(session.infer, turn, calls, after=after))
        memory = session.device_memory_bytes() if isinstance(session, DeviceSession) else None
        sides = replace(
            self._sides(session),
            device_p50_ms=statistics.median(on_device) if on_device else None,
            device_memory_bytes=memory,
        )
        session.close()
        return sides

    def _sides(self, session: Any) -> Sides:
        """Timed after everything else, since OpenCV's memory is not the runtime's."""
        import cv2

        cv2.setNumThreads(self.threads)
        pre, post = [], []
        said = content(self.artifact.meta)
        for image in self.images[:SIDES]:
            picture: Any = cv2.imread(image.path)
            start = time.perf_counter()
            batch = normalize(letterbox(picture, self.cell.imgsz)[None])
            pre.append(time.perf_counter() - start)
            outputs = session.infer(np.repeat(batch, self.cell.batch, axis=0))
            reading = read_outputs([o.shape for o in outputs], said, self.cell.imgsz, self.cell.head)
            start = time.perf_counter()
            decode(outputs, reading, self.decoding, self.cell.imgsz, [(image.width, image.height)])
            post.append(time.perf_counter() - start)
        return Sides(statistics.median(pre) * 1e3, statistics.median(post) * 1e3)


def timed(
    infer: Callable[[Any], Any],
    batches: Any,
    calls: int,
    clock: Clock = time.perf_counter_ns,
    after: Callable[[], None] | None = None,
) -> list[int]:
    """Nanoseconds of each of `calls` inferences, after one that is not counted; `after` each, unclocked."""
    samples = [0] * calls
    infer(next(batches))
    for i in range(calls):
        batch = next(batches)
        start = clock()
        infer(batch)
        samples[i] = clock() - start
        if after:
            after()
    return samples


def take_turns(ask: Mapping[Cell, Callable[[int], list[int]]], calls: int) -> dict[Cell, list[list[int]]]:
    """Blocks of calls, every cell once a round, in alternating order; nanoseconds by cell, round and call."""
    rounds = -(-calls // BLOCK)
    blocks: dict[Cell, list[list[int]]] = {cell: [] for cell in ask}
    for number in range(rounds):
        for cell in list(ask) if number % 2 == 0 else list(ask)[::-1]:
            blocks[cell].append(ask[cell](BLOCK))
    return blocks


def summarize(
    blocks: Sequence[Sequence[int]], reference: Sequence[Sequence[int]] | None, batch: int
) -> dict[str, float | None]:
    """Milliseconds per call and images per second; `latency_ratio` to the interleaved fp32 sibling."""
    ms = np.concatenate([np.asarray(block, np.float64) for block in blocks]) / 1e6
    p50, p90, p99 = np.percentile(ms, (50, 90, 99))
    ratio = None
    if reference is not None:
        ratio = statistics.median(
            statistics.median(ours) / statistics.median(theirs) for ours, theirs in zip(blocks, reference, strict=True)
        )
    return {
        "latency_p50_ms": float(p50),
        "latency_p90_ms": float(p90),
        "latency_p99_ms": float(p99) if len(ms) >= P99_CALLS else None,
        "latency_mean_ms": float(ms.mean()),
        "latency_calls": len(ms),
        "throughput_ips": float(batch * 1e3 / p50),
        "latency_ratio": ratio,
    }


def peak_rss() -> int:
    """Peak resident set of this process, bytes. Not getrusage on Linux: there it includes the parent before exec."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
