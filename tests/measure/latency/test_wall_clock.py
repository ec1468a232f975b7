"""The clock: what it counts, how cells take turns, and what it costs."""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from builders import FP32, INT8, picture

from harness.core.cell import Cell
from harness.core.dataset import Image
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.measure.latency.wall_clock import BLOCK, TimeJob, peak_rss, summarize, take_turns, timed

NS = 1_000_000  # a millisecond


def test_every_call_is_timed_exactly_and_the_first_is_not_counted():
    now, seen = [0], []

    def infer(batch):
        seen.append(batch)
        now[0] += 10 * len(seen)

    assert timed(infer, itertools.cycle("abc"), 4, clock=lambda: now[0]) == [20, 30, 40, 50]
    assert seen == ["a", "b", "c", "a", "b"]


def test_fetching_the_next_batch_is_not_timed():
    now = [0]

    def batches():
        while True:
            now[0] += 1000
            yield None

    assert timed(lambda batch: None, batches(), 3, clock=lambda: now[0]) == [0, 0, 0]


def test_another_clock_is_read_after_each_counted_call_and_is_not_timed():
    now, read = [0], []

    def after():
        read.append(now[0])
        now[0] += 1000

    def infer(batch):
        now[0] += 10

    assert timed(infer, itertools.cycle([None]), 3, clock=lambda: now[0], after=after) == [10, 10, 10]
    assert read == [20, 1030, 2040], "not after the call that is not counted"


def test_the_timed_loop_adds_less_than_five_microseconds_to_a_call():
    samples = timed(lambda batch: None, itertools.cycle([None]), 2000)
    assert statistics.median(samples) <= 5000
    start = time.perf_counter_ns()
    timed(lambda batch: None, itertools.cycle([None]), 2000)
    assert (time.perf_counter_ns() - start) / 2000 <= 5000


def test_cells_take_turns_in_alternating_order():
    asked = []

    def ask(cell):
        return lambda calls: asked.append(cell) or [len(asked)] * calls

    blocks = take_turns({FP32: ask(FP32), INT8: ask(INT8)}, 3 * BLOCK)
    assert asked == [FP32, INT8, INT8, FP32, FP32, INT8]
    assert blocks == {cell: [[n] * BLOCK for n in turns] for cell, turns in ((FP32, (1, 4, 5)), (INT8, (2, 3, 6)))}


def test_at_least_the_wanted_calls_are_made():
    blocks = take_turns({FP32: lambda calls: [0] * calls}, 3 * BLOCK + 1)
    assert sum(map(len, blocks[FP32])) == 4 * BLOCK


def test_a_summary_is_in_milliseconds_per_call_and_images_per_second():
    assert summarize([[1 * NS, 2 * NS], [3 * NS, 10 * NS]], None, batch=5) == {
        "latency_p50_ms": 2.5,
        "latency_p90_ms": pytest.approx(7.9),
        "latency_p99_ms": None,
        "latency_mean_ms": 4.0,
        "latency_calls": 4,
        "throughput_ips": 2000.0,
        "latency_ratio": None,
    }


def test_a_99th_percentile_needs_662_calls():
    calls = [[NS] * 20] * 33
    assert summarize(calls, None, 1)["latency_p99_ms"] is None
    assert summarize([*calls, [NS] * 2], None, 1)["latency_p99_ms"] == 1.0


def test_the_ratio_is_the_median_over_rounds_so_a_slow_second_of_the_machine_does_not_count():
    fp32 = [[10 * NS] * 3, [90 * NS] * 3, [10 * NS] * 3]
    int8 = [[5 * NS] * 3, [45 * NS] * 3, [5 * NS, 5 * NS, 400 * NS]]
    assert summarize(int8, fp32, 1)["latency_ratio"] == 0.5


def test_rounds_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match="zip"):
        summarize([[1], [1]], [[1]], 1)


def test_peak_memory_follows_what_the_process_touches():
    before = peak_rss()
    assert before > 10_000_000
    held = b"x" * (before + 50_000_000)
    assert peak_rss() > before + 20_000_000
    assert held


def test_pre_and_postprocessing_are_timed_in_the_family_that_the_suite_declares(tmp_path: Path) -> None:
    class FourScales:
        def infer(self, batch):
            return (np.zeros((1, 84, 34000), np.float32),)  # strides 4 to 32, of which no shape tells

    image = Image(1, str(picture(tmp_path / "a.png")), 64, 48, "")
    cell = Cell("mine:raw", "ready", "onnxruntime")
    pixels = tmp_path / "pixels.npy"
    np.save(pixels, np.zeros((1, 3, 640, 640), np.uint8))
    job = TimeJob(cell, Artifact("", "", 0, {"names": None}), [image], str(pixels), Decoding(), threads=1, warmup=0)
    figures = job._extra_figures(FourScales())
    assert figures.preprocess_ms > 0
    assert figures.postprocess_ms > 0
