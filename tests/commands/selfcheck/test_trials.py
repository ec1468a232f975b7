"""Trials: how many processes each has, in which order they run, and which baselines are used again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from builders import FP32, INT8
from gated import QUIET

from harness import Unavailable
from harness.commands.selfcheck import trials
from harness.commands.selfcheck.trials import Subject, Trial, TrialPlan, run_trials, subjects, thinned_trial, verdict
from harness.core.measurement import Artifact
from harness.core.processes import Replicate
from harness.inputs.finder import Finder

A, B = (Subject(cell, Artifact("path", "key", 1, {}), "pixels") for cell in (FP32, INT8))
NOISE = (-0.002, 0.002, 0.0, -0.001, 0.001)


def replicate(number: int, shift: float = 0.0, waiting: float = 0.0) -> Replicate:
    """One of a row of processes, all slightly different; `waiting` is wall clock without CPU time."""
    value = NOISE[number % len(NOISE)] + shift
    return Replicate({"network": value}, {"network": value + waiting}, {"network": 15.0}, {"network": 7}, QUIET, (1.0,))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """Every process that would have run: its cell, its part in the trial, and whether the machine was locked."""
    ran: list[tuple[str, str, bool]] = []

    def process(subject, file, reference, repeats, slowed) -> Replicate:
        shift = slowed.share if slowed else 0.0
        part = "slowed" if slowed else "again" if repeats else "first"
        ran.append((subject.cell.id, part, LOCK.held))
        return replicate(len(ran), shift)

    monkeypatch.setattr(trials, "process", process)
    return ran


class Lock:
    """A machine lock that says whether it is held."""

    held = False

    @contextlib.contextmanager
    def timed(self):
        self.held = True
        yield
        self.held = False


LOCK = Lock()


def plan(count: int, **options) -> TrialPlan:
    return TrialPlan([A, B], Path("log"), count, 0.05, **options)


def run(wanted: TrialPlan) -> list[list[Trial]]:
    return list(run_trials(wanted, LOCK))


def test_unchanged_code_is_decided_by_three_processes_against_two_occasions_of_five(log) -> None:
    ((first, second, third),) = run(plan(3))
    assert [one.cell for one in (first, second, third)] == [FP32.id, INT8.id, FP32.id], "cells take turns"
    assert {(len(one.baseline), len(one.candidate), one.decision) for one in (first, second)} == {(10, 3, "unchanged")}
    assert len(log) == 3 * 13
    assert all(held for _, _, held in log) and not LOCK.held


def test_only_the_first_process_of_a_trial_finds_out_how_often_to_repeat_the_reference(log) -> None:
    run(plan(1))
    assert [part for _, part, _ in log] == ["first"] + ["again"] * 12


def test_work_that_is_injected_slows_the_candidate_and_is_convicted_by_seven(log) -> None:
    ((trial,),) = run(plan(1, slowed=trials.Slowed(0.2)))
    assert (trial.decision, len(trial.candidate)) == ("regressed", 7)
    assert [part for _, part, _ in log].count("slowed") == 7


def test_in_a_block_occasions_of_all_trials_come_before_the_next_ones(log) -> None:
    blocks = run(plan(4, block=2))
    assert [len(block) for block in blocks] == [2, 2]
    cells = [cell for cell, _, _ in log[:26]]
    once = [FP32.id] * 5 + [INT8.id] * 5
    assert cells == once + once + [FP32.id] * 3 + [INT8.id] * 3


def test_earlier_baselines_are_used_once_each_and_only_by_their_cell(log) -> None:
    old = tuple(replicate(number) for number in range(10))
    ((first, second, third),) = run(plan(3, baselines=[(FP32.id, old), ("another cell", old)]))
    assert first.baseline == old
    assert len(second.baseline) == len(third.baseline) == 10
    assert third.baseline != old
    assert len(log) == 3 + 13 + 13


def test_the_wall_clock_is_judged_only_where_asked() -> None:
    accepted = [replicate(number) for number in range(10)]
    waited = [replicate(number, waiting=0.3) for number in range(7)]
    assert verdict(plan(1), accepted, waited) == "unchanged"
    assert verdict(plan(1, wall=True), accepted, waited) != "unchanged"


def test_the_calls_of_the_first_process_alone_are_kept() -> None:
    rows = tuple(replicate(number) for number in range(3))
    thin = thinned_trial(Trial("cell", rows, rows[:1], "unchanged"))
    assert [one.samples_ms for one in thin.baseline] == [(1.0,), (), ()]
    assert [one.samples_ms for one in thin.candidate] == [(1.0,)]
    assert [one.cpu for one in thin.baseline] == [one.cpu for one in rows]
    assert thinned_trial(Trial("cell", (), (), "unchanged")).baseline == ()


def test_subjects_are_the_cells_whose_runtimes_are_here_and_wanted(tmp_path: Path, monkeypatch) -> None:
    def inputs(self, suite, home, cell):
        if cell.backend == "openvino":
            raise Unavailable("openvino is not installed")
        return SimpleNamespace(artifact=A.artifact, pixels=tmp_path / "pixels.npy")

    monkeypatch.setattr(Finder, "inputs", inputs)
    found = subjects(tmp_path, tmp_path, lambda job, label: None)
    assert [(one.cell.backend, one.cell.precision) for one in found] == [("onnxruntime", "fp32"), ("litert", "int8")]
    assert found[0].pixels == str(tmp_path / "pixels.npy")
    assert [one.cell.backend for one in subjects(tmp_path, tmp_path, lambda job, label: None, ["litert"])] == ["litert"]
