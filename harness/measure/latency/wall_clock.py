"""The reported clock: warm-up, then blocks of calls. Sessions of several cells take turns, block by block.

The first call of a block is not counted, because the caches still belong to the cell before. The ratio of a cell to its
fp32 sibling is the median over rounds of the ratio of block medians, so that a slow second of the machine hits both.
"""

from __future__ import annotations

import itertools
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import DeviceMemory, DeviceSession, Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Image
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.inputs.image_files import decode_image
from harness.machine.worker import READY, Channel
from harness.tasks.decode import decode
from harness.tasks.outputs import content, read_outputs
from harness.tasks.preprocess import letterbox, normalize

IMAGES = 8  # different images that the timed loop cycles through
PROCESSED = 3  # how many of them pre- and post-processing are timed on
BLOCK = 20  # counted calls per block
P99_CALLS = 662  # the fewest calls that a 99th percentile needs, as in MLPerf

Batch = NDArray[np.float32]
Clock = Callable[[], int]
"""A clock in nanoseconds."""


@dataclass(frozen=True)
class Opened:
    """How a session started, as its process saw it."""

    load_ms: float  # opening the artifact in a fresh process, with the modules of the runtime imported
    first_ms: float  # the first inference
    peak_rss_bytes: int  # peak resident set of the process after the first inference
    bare_rss_bytes: int  # peak resident set of the process before the runtime was loaded


@dataclass(frozen=True)
class ExtraFigures:
    """The figures of a timed cell besides the timed calls. Times are medians in milliseconds."""

    preprocess_ms: float  # per image: decoded image → network input
    postprocess_ms: float  # per image: raw output → detections
    device_p50_ms: float | None = None  # per call, by the clock of the device; None: the runtime has none
    device_memory_bytes: int | None = None  # memory of the artifact on the device; None: the runtime does not tell


@dataclass(frozen=True)
class TimeJob:
    """Import the runtime and say READY; in the timed section, follow commands.

    The first command, whatever it is, opens and warms up; the answer is `Opened`. A number times a block of as many
    calls; the answer is the nanoseconds of each. None ends; the answer is `ExtraFigures`.
    """

    cell: Cell
    artifact: Artifact
    images: Sequence[Image]  # at least one
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W], whose first rows are `images`
    decoding: Decoding
    threads: int
    warmup: int  # calls after the first, before anything is timed

    def run(self, channel: Channel) -> ExtraFigures:
        """Follow the commands of the parent.

        Raises:
            Unavailable: the device is absent.
            ConfigError: the outputs fit no family.
        """
        runtime = backend(self.cell.backend)
        pixels = np.load(self.pixels, mmap_mode="r")
        first = self._batch(pixels, 0)
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
        turn = itertools.cycle([self._batch(pixels, number) for number in range(len(self.images))])
        for _ in range(self.warmup):
            session.infer(next(turn))
        channel.reply(Opened((opened - start) * 1e3, (done - opened) * 1e3, peak, bare))
        on_device = self._time_blocks(session, turn, channel)
        memory = session.device_memory_bytes() if isinstance(session, DeviceMemory) else None
        figures = replace(
            self._extra_figures(session),
            device_p50_ms=statistics.median(on_device) if on_device else None,
            device_memory_bytes=memory,
        )
        session.close()
        return figures

    def _batch(self, pixels: NDArray[np.uint8], first: int) -> Batch:
        """The batch that begins with image `first`; after the last image of the data set comes the first one again."""
        return normalize(np.take(pixels, range(first, first + self.cell.batch), axis=0, mode="wrap"))

    def _time_blocks(self, session: Session, batches: Iterator[Batch], channel: Channel) -> list[float]:
        """Time one block for each number that the parent sends; the milliseconds of the calls by the device's clock."""
        on_device: list[float] = []
        device_ms = session.device_ms if isinstance(session, DeviceSession) else None

        def read_device_clock() -> None:
            assert device_ms is not None
            on_device.append(device_ms())

        while (calls := channel.receive()) is not None:
            channel.reply(timed(session.infer, batches, calls, after=read_device_clock if device_ms else None))
        return on_device

    def _extra_figures(self, session: Session) -> ExtraFigures:
        """Time pre- and post-processing, after everything else: OpenCV's memory is not the runtime's."""
        import cv2

        cv2.setNumThreads(self.threads)
        pre, post = [], []
        said = content(self.artifact.meta)
        for image in self.images[:PROCESSED]:
            picture: Any = decode_image(image.path)
            start = time.perf_counter()
            batch = normalize(letterbox(picture, self.cell.imgsz)[None])
            pre.append(time.perf_counter() - start)
            outputs = session.infer(np.repeat(batch, self.cell.batch, axis=0))
            layout = read_outputs([output.shape for output in outputs], said, self.cell.imgsz, self.cell.head)
            start = time.perf_counter()
            decode(outputs, layout, self.decoding, self.cell.imgsz, [(image.width, image.height)])
            post.append(time.perf_counter() - start)
        return ExtraFigures(statistics.median(pre) * 1e3, statistics.median(post) * 1e3)


def timed(
    infer: Callable[[Any], Any],
    batches: Iterator[Any],
    calls: int,
    clock: Clock = time.perf_counter_ns,
    after: Callable[[], None] | None = None,
) -> list[int]:
    """Return the nanoseconds of each of `calls` inferences, which follow one that is not counted.

    Args:
        infer: the call.
        batches: its arguments; fetching the next one is not timed.
        calls: number of counted calls.
        clock: read before and after each counted call.
        after: called after each counted call, outside the time.
    """
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
    """Ask every cell for one block of calls per round, and turn the order of the cells round after each round.

    Args:
        ask: by cell, a function from a number of calls to the nanoseconds of each.
        calls: how many calls to make at least; the last block is a whole one too.

    Returns:
        Nanoseconds by cell, round and call.
    """
    rounds = -(-calls // BLOCK)
    blocks: dict[Cell, list[list[int]]] = {cell: [] for cell in ask}
    for number in range(rounds):
        for cell in list(ask) if number % 2 == 0 else list(ask)[::-1]:
            blocks[cell].append(ask[cell](BLOCK))
    return blocks


def summarize(
    blocks: Sequence[Sequence[int]], reference: Sequence[Sequence[int]] | None, batch: int
) -> dict[str, float | None]:
    """Return the latency metrics of a cell: milliseconds per call, images per second, and the ratio to fp32.

    Args:
        blocks: nanoseconds by round and call.
        reference: nanoseconds of the fp32 sibling in the same rounds; None: there is none, or the cell is it.
        batch: images per call.
    """
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
    """Return the peak resident set of this process, bytes.

    On Linux not from getrusage(2), whose figure includes the parent before exec.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
