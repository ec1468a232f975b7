"""Fresh processes: how they are started, in which order they measure, and whose fault an error is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from gated import processes

from harness.core.cell import Cell
from harness.core.errors import CellError, Unavailable
from harness.core.measurement import Artifact
from harness.core.processes import Side, Target
from harness.machine.worker import READY
from harness.measure.latency import fresh_processes
from harness.measure.latency.references import SINGLE_THREAD

REPLICATE = processes()[0]


def target(model, device="cpu"):
    return Target(Cell(model, "fp32", "null", device), Artifact(f"{model}.json", model, 1), f"{model}.npy", {})


OWN, BASE = (target("own"), Side()), (target("base"), Side("base v1", "/base/python", {"PYTHONPATH": "/base"}))


def ready(job, command):
    return READY if command is None else REPLICATE


def measure(stage, turns, references=("network",), repeats=None):
    return fresh_processes.measure_replicates(turns, references, repeats or {}, stage, Path, 60)


def test_processes_measure_one_after_the_other_in_one_timed_section(play):
    stage = play(fresh_processes, ready)
    assert measure(stage, [OWN, BASE, OWN]) == [REPLICATE] * 3
    assert stage.log == [
        "timed section on cpu",
        ("own-fp32-null-cpu", READY), ("base-fp32-null-cpu", READY), ("own-fp32-null-cpu", READY),
        "end of section",
    ]  # fmt: skip


def test_the_section_is_on_the_device_of_the_cell(play):
    stage = play(fresh_processes, ready)
    measure(stage, [(target("own", "cuda:1"), Side())])
    assert stage.log[0] == "timed section on cuda:1"


def test_every_process_runs_on_one_thread_and_as_its_side_says(play):
    stage = play(fresh_processes, ready)
    measure(stage, [OWN, BASE])
    own, base = stage.children
    assert (own.environment, own.python) == (SINGLE_THREAD, sys.executable)
    assert (base.environment, base.python) == ({**SINGLE_THREAD, "PYTHONPATH": "/base"}, "/base/python")


def test_a_process_opens_its_target_and_gets_references_and_repeats(play):
    stage = play(fresh_processes, ready)
    measure(stage, [BASE], ("numpy",), {"numpy": 7})
    (child,) = stage.children
    assert (child.job.cell, child.job.artifact, child.job.pixels) == (BASE[0].cell, BASE[0].artifact, "base.npy")
    assert (child.job.references, child.job.repeats) == (("numpy",), {"numpy": 7})
    assert (child.log, child.limit_s) == (Path("pairs base-fp32-null-cpu 0"), 60)


def test_an_error_of_the_own_side_is_raised_as_it_is(play):
    stage = play(fresh_processes, lambda job, command: Unavailable("no such device"))
    with pytest.raises(Unavailable, match=r"^no such device$"):
        measure(stage, [OWN])
    assert stage.log == [], "the machine was not kept waiting"


@pytest.mark.parametrize("at", [None, READY])
def test_an_error_of_a_side_with_a_name_begins_with_the_name(play, at):
    def answer(job, command):
        failed = job.cell.model == "base" and command == at
        return Unavailable("no openvino") if failed else ready(job, command)

    with pytest.raises(CellError, match=r"^base v1: no openvino$"):
        measure(play(fresh_processes, answer), [OWN, BASE])


def test_when_one_fails_the_others_are_ended(play):
    def answer(job, command):
        return CellError("its process died") if command == READY else READY

    stage = play(fresh_processes, answer)
    with pytest.raises(CellError):
        measure(stage, [OWN, OWN, OWN])
    assert [child.ended for child in stage.children] == [True] * 3
