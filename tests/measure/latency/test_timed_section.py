"""Siblings in one timed section: how they take turns, what is made of it, and what a failure costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import FP32, INT8, dataset

from harness import Suite
from harness.core.errors import CellError
from harness.core.measurement import Artifact
from harness.inputs.finder import CellInputs
from harness.machine.worker import READY
from harness.measure.latency import timed_section
from harness.measure.latency.wall_clock import BLOCK, IMAGES, ExtraFigures, Opened
from harness.recipes.registry import recipe

MS = {FP32: 10, INT8: 5}  # of a call
CALLS = 100
ROUNDS = CALLS // BLOCK


def suite():
    """In a function: pytest would collect a suite that it finds in a module."""
    return Suite("demo", "data", [FP32, INT8], calls=CALLS, threads=1, warmup=2)


def inputs(*cells):
    return {
        cell: CellInputs(
            data=dataset(20), artifact=Artifact(f"{cell}.onnx", cell.id, 1), pixels=Path("pixels.npy"),
            provenance={"imgsz": 640}, notes=(), build_s=3.0, recipe=recipe(cell), runtime="1",
        )
        for cell in cells
    }  # fmt: skip


def answer(job, command):
    """A child of a quiet machine: every call takes as long as MS says."""
    if command is None:
        return READY
    if command == READY:
        return Opened(load_ms=20.0, first_ms=30.0, peak_rss_bytes=900, bare_rss_bytes=200)
    return [MS[job.cell] * 1_000_000] * command


EXTRA = ExtraFigures(1.0, 2.0)


def closing(extra=EXTRA, answer=answer):
    """The answers of children that are ended as well: the first None is their start, the second None their end."""
    begun = set()

    def answered(job, command):
        if command is None and job.cell in begun:
            return extra
        begun.add(job.cell)
        return answer(job, command)

    return answered


def time(stage, *cells):
    """One measurement by cell."""
    return {one.cell: one for one in timed_section.time_siblings(suite(), inputs(*cells), stage, Path, 60)}


@pytest.fixture(autouse=True)
def no_meter(monkeypatch):
    monkeypatch.setattr(timed_section.energy, "meter", lambda device: (None, "no meter here"))


def test_siblings_take_turns_in_one_timed_section(play):
    stage = play(timed_section, closing())
    time(stage, FP32, INT8)
    asked = [cell for cell, command in stage.log[1:-1] if command == BLOCK]
    assert asked[:4] == [FP32.id, INT8.id, INT8.id, FP32.id]
    assert len(asked) == 2 * ROUNDS
    assert (stage.log[0], stage.log[-1]) == ("timed section on cpu", "end of section")
    assert [command for _, command in stage.log[1:3]] == [READY, READY]
    assert [command for _, command in stage.log[-3:-1]] == [None, None]


def test_the_ratio_is_to_the_fp32_sibling_which_has_none(play):
    timed = time(play(timed_section, closing()), FP32, INT8)
    assert timed[INT8].metrics["latency_ratio"] == 0.5
    assert timed[FP32].metrics["latency_ratio"] is None
    assert time(play(timed_section, closing()), INT8)[INT8].metrics["latency_ratio"] is None


def test_a_measurement_has_the_calls_the_start_and_the_figures_besides(play):
    measured = time(play(timed_section, closing()), INT8)[INT8]
    assert measured.samples == {"latency_ms": [5.0] * ROUNDS * BLOCK}
    named = ("latency_p50_ms", "load_ms", "first_inference_ms", "peak_rss_bytes", "runtime_rss_bytes",
             "preprocess_ms", "postprocess_ms")  # fmt: skip
    assert [measured.metrics[name] for name in named] == [5.0, 20.0, 30.0, 900, 700, 1.0, 2.0]
    assert measured.provenance == {"imgsz": 640, "threads": 1, "energy": "no meter here"}
    assert measured.timings["build_s"] == 3.0


def test_only_a_device_has_a_clock_and_memory_of_its_own(play):
    assert "device_p50_ms" not in time(play(timed_section, closing()), INT8)[INT8].metrics
    on_device = closing(ExtraFigures(1.0, 2.0, 0.5, 1000))
    metrics = time(play(timed_section, on_device), INT8)[INT8].metrics
    assert (metrics["device_p50_ms"], metrics["device_memory_bytes"]) == (0.5, 1000)


def test_a_child_gets_the_first_images_and_the_suite_s_settings(play):
    stage = play(timed_section, closing())
    time(stage, INT8)
    job = stage.children[0].job
    assert [image.id for image in job.images] == list(range(1, IMAGES + 1))
    assert (job.threads, job.warmup, job.decoding) == (1, 2, suite().decoding)


def test_energy_is_millijoules_per_call_the_uncounted_calls_among_them(play, monkeypatch):
    joules = [0.0]

    def meter():
        return joules[0]

    def consuming(job, command):
        if isinstance(command, int):
            joules[0] += (command + 1) * {FP32: 0.004, INT8: 0.001}[job.cell]
        return answer(job, command)

    monkeypatch.setattr(timed_section.energy, "meter", lambda device: (meter, "RAPL"))
    timed = time(play(timed_section, closing(answer=consuming)), FP32, INT8)
    assert timed[FP32].metrics["energy_mj"] == pytest.approx(4)
    assert timed[INT8].metrics["energy_mj"] == pytest.approx(1)
    assert timed[INT8].provenance["energy"] == "RAPL"


def test_without_a_meter_there_is_no_energy_and_the_reason_is_kept(play):
    measured = time(play(timed_section, closing()), INT8)[INT8]
    assert measured.metrics["energy_mj"] is None
    assert measured.provenance["energy"] == "no meter here"


@pytest.mark.parametrize("at", [None, READY, BLOCK])
def test_a_child_that_fails_costs_its_own_cell_only(play, at):
    def failing(job, command):
        return CellError("its process died") if job.cell == INT8 and command == at else answer(job, command)

    stage = play(timed_section, closing(answer=failing))
    timed = time(stage, FP32, INT8)
    assert timed[INT8].failure == ("error", "its process died")
    assert timed[FP32].failure is None
    assert timed[FP32].metrics["latency_p50_ms"] == 10
    assert len([1 for cell, command in stage.log[1:-1] if (cell, command) == (INT8.id, at)]) == (at is not None)


def test_where_every_child_fails_there_are_failures_and_no_numbers(play):
    timed = time(play(timed_section, lambda job, command: CellError("gone")), FP32, INT8)
    assert {one.failure for one in timed.values()} == {("error", "gone")}
