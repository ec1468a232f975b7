"""Trials of the whole latency rule on this machine, for `quantgate selfcheck aa` and `power`.

A trial is a fresh baseline (two occasions of five processes) and a fresh candidate (3, 5 or 7, as the rule asks for);
every process is used once. Trials go in blocks: the first occasion of all trials of a block, then their second, then
their candidates, so that minutes lie between them as they do between a recording and a pull request.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.cell import Cell
from harness.core.errors import Unavailable
from harness.core.measurement import Artifact, Observation
from harness.core.processes import Replicate
from harness.core.status import Status
from harness.core.suite import Suite
from harness.inputs.finder import Finder, Settings
from harness.judge import latency
from harness.judge.latency import MIN_OCCASIONS, OCCASION
from harness.judge.stop_rule import in_looks
from harness.machine.child import Child
from harness.machine.locks import MachineLock
from harness.matrix import matrix
from harness.measure.latency.cpu_pairs import PairsJob, Slowed
from harness.measure.latency.references import SINGLE_THREAD

CELLS = (("fp32", "onnxruntime"), ("int8", "openvino"), ("int8", "litert"))
LIMIT_S = 120.0  # of a child without a sign of life


@dataclass(frozen=True)
class Subject:
    """What is measured: a cell, built."""

    cell: Cell
    artifact: Artifact
    pixels: str


@dataclass(frozen=True)
class Trial:
    """One run of the rule."""

    cell: str
    baseline: tuple[Replicate, ...]
    candidate: tuple[Replicate, ...]
    decision: Status


def subjects(folder: Path, cache: Path, run_job: Callable[..., object], wanted: Sequence[str] = ()) -> list[Subject]:
    """Cells of the bundled detector on the runtimes that are here; `wanted` are names of backends."""
    finder = Finder(Settings(folder, cache), run_job)
    found = []
    for precision, name in CELLS:
        (cell,) = matrix("yolo26n-digits", precision, name, imgsz=256)
        if wanted and name not in wanted:
            continue
        try:
            inputs = finder.inputs(Suite("selfcheck", "digits", [cell]), Path(), cell)
        except Unavailable:
            continue
        found.append(Subject(cell, inputs.artifact, str(inputs.pixels)))
    return found


def process(
    subject: Subject, log: Path, reference: str, repeats: Mapping[str, int], slowed: Slowed | None
) -> Replicate:
    """One fresh process."""
    job = PairsJob(subject.cell, subject.artifact, subject.pixels, (reference,), repeats, slowed)
    with Child(job, log, LIMIT_S, SINGLE_THREAD) as child:
        child.answer()  # its runtime is imported
        child.send("start")
        observed: Replicate = child.answer()
    return observed


@dataclass(frozen=True)
class TrialPlan:
    """What `run` does."""

    subjects: Sequence[Subject]
    log: Path
    trials: int
    limit: float  # share
    block: int = 100  # trials between the first occasion of one and its second
    jobs: int = 1  # trials at a time; above 1 they are each other's neighbours
    reference: str = "network"
    wall: bool = False  # judge the wall clock instead of CPU time
    slowed: Slowed | None = None
    baselines: Sequence[tuple[str, tuple[Replicate, ...]]] = ()  # of earlier trials, instead of fresh ones


def run_trials(plan: TrialPlan, lock: MachineLock) -> Iterator[list[Trial]]:
    """Blocks of trials, cells in turn; nothing else of quantgate runs on the machine meanwhile."""
    turns = itertools.cycle(plan.subjects)
    left = [next(turns) for _ in range(plan.trials)]
    known = {
        subject.cell.id: [list(old) for cell, old in plan.baselines if cell == subject.cell.id]
        for subject in plan.subjects
    }
    with ThreadPoolExecutor(plan.jobs) as pool:
        while left:
            block, left = left[: plan.block], left[plan.block :]
            with lock.timed():
                accepted: list[list[Replicate]] = [
                    known[one.cell.id].pop(0) if known[one.cell.id] else [] for one in block
                ]
                for _ in range(MIN_OCCASIONS):
                    missing = [len(old) < OCCASION * MIN_OCCASIONS for old in accepted]
                    list(pool.map(lambda one, old, go: _record(plan, one, old) if go else None,
                                  block, accepted, missing))  # fmt: skip
                done = list(pool.map(lambda one, old: _judge(plan, one, old), block, accepted))
            yield done


def _record(plan: TrialPlan, subject: Subject, accepted: list[Replicate]) -> None:
    """One occasion."""
    for _ in range(OCCASION):
        repeats = accepted[0].repeats if accepted else {}
        accepted.append(process(subject, plan.log, plan.reference, repeats, None))


def _judge(plan: TrialPlan, subject: Subject, accepted: Sequence[Replicate]) -> Trial:
    """The candidate, as many processes as the rule wants."""
    now: list[Replicate] = []

    def measure(processes: int) -> None:
        while len(now) < processes:
            now.append(process(subject, plan.log, plan.reference, accepted[0].repeats, plan.slowed))

    metric = "latency_wall" if plan.wall else "latency"
    decided = in_looks([metric], measure, lambda name: verdict(plan, accepted, now), "inconclusive".__eq__)
    return Trial(subject.cell.id, tuple(accepted), tuple(now), decided[metric])


def verdict(plan: TrialPlan, accepted: Sequence[Replicate], now: Sequence[Replicate]) -> Status:
    """What a run would say of these processes."""
    metric = "latency_wall" if plan.wall else "latency"
    baseline = Observation(samples=latency.samples(accepted))
    return latency.judge_latency(metric, now, baseline, plan.reference, plan.limit, cells=1).status


def thinned_trial(trial: Trial) -> Trial:
    """Without the samples that nobody replays: those of all processes but the first on each side."""

    def first(side: tuple[Replicate, ...]) -> tuple[Replicate, ...]:
        return tuple(replace(one, samples_ms=one.samples_ms if n == 0 else ()) for n, one in enumerate(side))

    return replace(trial, baseline=first(trial.baseline), candidate=first(trial.candidate))
