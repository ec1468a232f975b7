"""Trials of the whole latency rule on this machine, for `quantgate selfcheck aa` and `power`.

A trial is a fresh baseline (two occasions of five processes) and a fresh candidate (3, 5 or 7 processes, as the rule
asks for). Every process is used once. Trials run in blocks: the first occasion of all trials of a block, then their
second, then their candidates. So minutes lie between them, as they do between a recording and a pull request.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
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
"""The precision and the backend of the cells that take turns."""

LIMIT_S = 120.0  # a child without a sign of life for so long is killed


@dataclass(frozen=True)
class Subject:
    """A cell that trials measure, built."""

    cell: Cell
    artifact: Artifact
    pixels: str  # .npy of letterboxed images, uint8 [N, 3, H, W]


@dataclass(frozen=True)
class Trial:
    """One run of the rule."""

    cell: str  # id
    baseline: tuple[Replicate, ...]
    candidate: tuple[Replicate, ...]
    decision: Status  # regressed, unchanged or inconclusive


def subjects(folder: Path, cache: Path, run_job: Callable[..., object], wanted: Sequence[str] = ()) -> list[Subject]:
    """Build the cells of the bundled detector whose runtimes are installed.

    Args:
        folder: temporary, for logs.
        cache: the artifact cache.
        run_job: runs a job in a child process and returns its answer.
        wanted: names of backends; empty for all.
    """
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
    """Measure pairs of the subject and the reference in one fresh process.

    `repeats` are the calls of the reference per call of the subject, empty where the process is to find them out. `log`
    takes the output of the process. `slowed` adds work to every call of the subject.

    Raises:
        CellError: the process died.
    """
    job = PairsJob(subject.cell, subject.artifact, subject.pixels, (reference,), repeats, slowed)
    with Child(job, log, LIMIT_S, SINGLE_THREAD) as child:
        child.answer()  # its runtime is imported
        child.send("start")
        observed: Replicate = child.answer()
    return observed


@dataclass(frozen=True)
class TrialPlan:
    """What `run_trials` is to do."""

    subjects: Sequence[Subject]
    log: Path  # takes the output of all processes
    trials: int
    limit: float  # of the gate, as a share: 0.05 is 5 %
    block: int = 100  # trials in a block, and so between a trial's first occasion and its second
    jobs: int = 1  # trials at a time; above 1 they disturb each other
    reference: str = "network"  # what CPU time is divided by
    wall: bool = False  # judge the wall clock instead of CPU time
    slowed: Slowed | None = None  # extra work in every call of the candidate
    baselines: Sequence[tuple[str, tuple[Replicate, ...]]] = ()  # cell and baseline of earlier trials, to be used again

    @property
    def metric(self) -> str:
        """The gated metric that is judged."""
        return "latency_wall" if self.wall else "latency"


def run_trials(plan: TrialPlan, lock: MachineLock) -> Iterator[list[Trial]]:
    """Yield blocks of finished trials, in which the subjects take turns.

    Nothing else of quantgate runs on the machine during a block. A trial takes the next earlier baseline of its cell
    from `plan.baselines` as long as there is one, and records a fresh one otherwise.
    """
    turns = itertools.cycle(plan.subjects)
    left = [next(turns) for _ in range(plan.trials)]
    earlier: dict[str, list[list[Replicate]]] = defaultdict(list)
    for cell, baseline in plan.baselines:
        earlier[cell].append(list(baseline))
    with ThreadPoolExecutor(plan.jobs) as pool:
        while left:
            block, left = left[: plan.block], left[plan.block :]
            with lock.timed():
                accepted = [earlier[one.cell.id].pop(0) if earlier[one.cell.id] else [] for one in block]
                for _ in range(MIN_OCCASIONS):
                    list(pool.map(partial(_record, plan), block, accepted))
                done = list(pool.map(partial(_judge, plan), block, accepted))
            yield done


def _record(plan: TrialPlan, subject: Subject, accepted: list[Replicate]) -> None:
    """Add the processes of one occasion to a baseline, unless it is whole."""
    if len(accepted) >= OCCASION * MIN_OCCASIONS:
        return
    for _ in range(OCCASION):
        repeats = accepted[0].repeats if accepted else {}
        accepted.append(process(subject, plan.log, plan.reference, repeats, None))


def _judge(plan: TrialPlan, subject: Subject, accepted: Sequence[Replicate]) -> Trial:
    """Measure the candidate, in as many processes as the rule asks for, and judge it."""
    now: list[Replicate] = []

    def measure(processes: int) -> None:
        while len(now) < processes:
            now.append(process(subject, plan.log, plan.reference, accepted[0].repeats, plan.slowed))

    decided = in_looks(
        [plan.metric],
        measure,
        lambda metric: verdict(plan, accepted, now),
        lambda status: status == "inconclusive",
    )
    return Trial(subject.cell.id, tuple(accepted), tuple(now), decided[plan.metric])


def verdict(plan: TrialPlan, accepted: Sequence[Replicate], now: Sequence[Replicate]) -> Status:
    """The verdict of a run whose gate has `plan.limit`, of the processes `now` against the processes `accepted`."""
    baseline = Observation(samples=latency.samples(accepted))
    return latency.judge_latency(plan.metric, now, baseline, plan.reference, plan.limit, cells=1).status


def thinned_trial(trial: Trial) -> Trial:
    """The trial without the calls of all but the first process of each side: no rule reads them, and they are many."""
    return replace(trial, baseline=_thinned(trial.baseline), candidate=_thinned(trial.candidate))


def _thinned(side: tuple[Replicate, ...]) -> tuple[Replicate, ...]:
    return side[:1] + tuple(replace(one, samples_ms=()) for one in side[1:])
