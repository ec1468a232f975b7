"""`quantgate selfcheck`: the error rates of the latency gate, measured on this machine by whoever asks."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from harness.commands.selfcheck import other_rules, trials
from harness.commands.selfcheck.noisy_neighbours import Crowd
from harness.commands.selfcheck.trials import Trial, TrialPlan, thinned_trial
from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.core.processes import Interference, Replicate
from harness.judge.stop_rule import upper_bound
from harness.machine import fingerprint
from harness.machine.child import Child
from harness.machine.locks import MachineLock
from harness.machine.worker import Job
from harness.measure.latency.cpu_pairs import Slowed, measure_pairs
from harness.measure.latency.wall_clock import timed

QUICK = 6  # trials of `--quick`
CALLS = 20_000  # of a session that does nothing, to measure the overhead of recording


@dataclass(frozen=True)
class Rate:
    """How often a rule said something."""

    what: str  # the rule and what it said: `quantgate: false alarms`
    count: int  # trials in which it said so
    trials: int  # all trials


@dataclass(frozen=True)
class SelfcheckOptions:
    """What the user asked for on the command line."""

    kind: str  # aa | power
    trials: int
    limit: float  # of the gate, as a share: 0.05 is 5 %
    neighbours: int = 0  # processes that use CPU and memory beside the trials
    jobs: int = 1  # trials at a time
    inject: float = 0.0  # extra work in every call of the candidate, as a share of the call
    asleep: bool = False  # the candidate sleeps instead of working
    wall: bool = False  # judge the wall clock instead of CPU time
    backends: Sequence[str] = ()  # empty: all that are installed
    baselines: Path | None = None  # JSON of an earlier selfcheck, whose baselines are used again
    out: Path = Path("selfcheck.json")  # everything that was measured


def run_selfcheck(wanted: SelfcheckOptions, cache: Path, say: Any = print) -> list[Trial]:
    """Run all trials. `wanted.out` is written anew after every block, `say` is told how far they are.

    Raises:
        ConfigError: no backend is installed, or a file cannot be read or written.
        CellError: a process died.
    """
    done: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")

        def run_job(job: Job, label: str) -> Any:
            with Child(job, log, trials.LIMIT_S * 5) as child:
                return child.answer()

        chosen = trials.subjects(Path(folder), cache, run_job, wanted.backends)
        if not chosen:
            raise ConfigError("none of onnxruntime, openvino, litert is installed: there is nothing to check")
        slowed = Slowed(wanted.inject, wanted.asleep) if wanted.inject else None
        old = read_baselines(wanted.baselines) if wanted.baselines else ()
        plan = TrialPlan(
            chosen, log, wanted.trials, wanted.limit, jobs=wanted.jobs, wall=wanted.wall, slowed=slowed, baselines=old
        )
        with Crowd(wanted.neighbours):
            for block in trials.run_trials(plan, MachineLock()):
                done += map(thinned_trial, block)
                write_text(wanted.out, selfcheck_to_json(wanted, done), "--out")
                say(f"{len(done)} of {wanted.trials} trials")
    return done


def rates(done: Sequence[Trial], wanted: SelfcheckOptions) -> list[Rate]:
    """How often quantgate and each of the other rules called a regression, and how often quantgate was inconclusive."""
    total = len(done)
    word = "caught" if wanted.inject else "false alarms"
    counts = Counter(one.decision for one in done)
    found: list[Rate] = [
        Rate(f"quantgate: {word}", counts["regressed"], total),
        Rate("quantgate: inconclusive", counts["inconclusive"], total),
    ]
    for name, rule in other_rules.RULES.items():
        hits = sum(rule(one.baseline[0].samples_ms, one.candidate[0].samples_ms, wanted.limit) for one in done)
        found.append(Rate(f"{name}: {word}", hits, total))
    return found


def rate_table(found: Sequence[Rate], title: str) -> Table:
    """A row for each rate with its 95 % bound: from below for work that was caught, from above for all else."""
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    drawn.add_column("rule")
    for name in ("count", "rate", "95 % bound"):
        drawn.add_column(name, justify="right")
    for one in found:
        if one.what.endswith("caught"):
            bound = f"≥ {1 - upper_bound(one.trials - one.count, one.trials):.1%}"
        else:
            bound = f"≤ {upper_bound(one.count, one.trials):.1%}"
        drawn.add_row(one.what, f"{one.count} of {one.trials}", f"{one.count / one.trials:.1%}", bound)
    return drawn


def selfcheck_to_json(wanted: SelfcheckOptions, done: Sequence[Trial]) -> str:
    """The JSON of a check with trials: what was asked for, the rates, and every trial."""
    content = {
        **_head(),
        "wanted": {**dataclasses.asdict(wanted), "baselines": str(wanted.baselines or ""), "out": str(wanted.out)},
        "rates": [
            {**dataclasses.asdict(one), "bound": upper_bound(one.count, one.trials)} for one in rates(done, wanted)
        ],
        "trials": [dataclasses.asdict(one) for one in done],
    }
    return json.dumps(content) + "\n"


def read_baselines(file: Path) -> list[tuple[str, tuple[Replicate, ...]]]:
    """The cell and the baseline of every trial of an earlier selfcheck.

    Raises:
        ConfigError: `file` is not the JSON of a selfcheck with trials.
    """
    try:
        kept = json.loads(file.read_text())["trials"]
        return [(one["cell"], tuple(map(_replicate, one["baseline"]))) for one in kept]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is not the JSON of a selfcheck: {type(error).__name__} {error}") from None


def _replicate(kept: dict[str, Any]) -> Replicate:
    """A process as `selfcheck_to_json` has written it."""
    return Replicate(**{**kept, "interference": Interference(**kept["interference"])})


def overhead(calls: int = CALLS) -> dict[str, float]:
    """Microseconds per call that recording costs, by the kind of latency that is recorded.

    Every loop calls a function that does nothing; a bare loop over the function is subtracted.
    """

    def nothing(batch: object = None) -> None:
        pass

    def bare() -> None:
        for _ in range(calls):
            nothing()

    def reported() -> None:
        timed(nothing, itertools.repeat(None), calls)

    def gated() -> None:
        calling = {"network": nothing, "target": nothing}
        measure_pairs(calling, {}, calls // 2, time.process_time_ns, time.perf_counter_ns)

    floor = _per_call(bare, calls)
    return {
        "reported latency (wall clock)": _per_call(reported, calls) - floor,
        "gated latency (CPU time and wall clock)": _per_call(gated, calls) - floor,
    }


def _per_call(loop: Callable[[], None], calls: int) -> float:
    """Microseconds of CPU time per call, the least of five loops. Neighbours do not count in CPU time."""
    spent = []
    for _ in range(5):
        start = time.process_time_ns()
        loop()
        spent.append(time.process_time_ns() - start)
    return min(spent) / calls / 1e3


def write_selfcheck(out: Path, content: dict[str, Any]) -> None:
    """Write the JSON of a check that has no trials.

    Raises:
        ConfigError: `out` cannot be written.
    """
    write_text(out, json.dumps({**_head(), **content}, indent=1) + "\n", "--out")


def _head() -> dict[str, Any]:
    """What every JSON of a selfcheck begins with."""
    return {
        "schema": 1,
        "command": command_line(),
        "environment": dataclasses.asdict(fingerprint.this_machine()),
    }


def command_line() -> str:
    """The command line of this process, as a shell takes it."""
    return shlex.join(["quantgate", *sys.argv[1:]])
