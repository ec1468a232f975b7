"""`quantgate selfcheck`: the error rates of the latency gate, measured on this machine by whoever asks."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
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

QUICK = 6  # trials
CALLS = 20_000  # of the no-op session
Rate = tuple[str, int, int]  # what, how often, of how many


@dataclass(frozen=True)
class SelfcheckOptions:
    """What was asked for on the command line."""

    kind: str  # aa | power
    trials: int
    limit: float  # share
    neighbours: int = 0
    jobs: int = 1
    inject: float = 0.0  # share
    asleep: bool = False
    wall: bool = False
    backends: Sequence[str] = ()
    baselines: Path | None = None  # JSON of an earlier selfcheck, whose baselines are used again
    out: Path = Path("selfcheck.json")


def run_selfcheck(wanted: SelfcheckOptions, cache: Path, say: Any = print) -> list[Trial]:
    """All trials, kept in `wanted.out` after every block."""
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
        plan = TrialPlan(chosen, log, wanted.trials, wanted.limit, jobs=wanted.jobs, wall=wanted.wall, slowed=slowed,
                    baselines=old)  # fmt: skip
        with Crowd(wanted.neighbours):
            for block in trials.run_trials(plan, MachineLock()):
                done += map(thinned_trial, block)
                write_text(wanted.out, selfcheck_to_json(wanted, done), "--out")
                say(f"{len(done)} of {wanted.trials} trials")
    return done


def rates(done: Sequence[Trial], wanted: SelfcheckOptions) -> list[Rate]:
    """How often the rule and its peers called a regression, and how often the rule was inconclusive."""
    total = len(done)
    word = "caught" if wanted.inject else "false alarms"
    counts = Counter(one.decision for one in done)
    found: list[Rate] = [
        (f"quantgate: {word}", counts["regressed"], total),
        ("quantgate: inconclusive", counts["inconclusive"], total),
    ]
    for name, rule in other_rules.RULES.items():
        hits = sum(rule(one.baseline[0].samples_ms, one.candidate[0].samples_ms, wanted.limit) for one in done)
        found.append((f"{name}: {word}", hits, total))
    return found


def rate_table(found: Sequence[Rate], title: str) -> Table:
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    drawn.add_column("rule")
    for name in ("count", "rate", "95 % bound"):
        drawn.add_column(name, justify="right")
    for name, hits, total in found:
        missed = name.endswith("caught")
        edge = f"≥ {1 - upper_bound(total - hits, total):.1%}" if missed else f"≤ {upper_bound(hits, total):.1%}"
        drawn.add_row(name, f"{hits} of {total}", f"{hits / total:.1%}", edge)
    return drawn


def selfcheck_to_json(wanted: SelfcheckOptions, done: Sequence[Trial]) -> str:
    content = {
        "schema": 1,
        "command": command_line(),
        "environment": dataclasses.asdict(fingerprint.this_machine()),
        "wanted": {**dataclasses.asdict(wanted), "baselines": str(wanted.baselines or ""), "out": str(wanted.out)},
        "rates": [
            {"what": what, "count": hits, "trials": total, "bound": upper_bound(hits, total)}
            for what, hits, total in rates(done, wanted)
        ],
        "trials": [dataclasses.asdict(one) for one in done],
    }
    return json.dumps(content) + "\n"


def read_baselines(file: Path) -> list[tuple[str, tuple[Replicate, ...]]]:
    """The baselines of an earlier selfcheck, by cell."""
    try:
        kept = json.loads(file.read_text())["trials"]
        return [(one["cell"], tuple(map(_replicate, one["baseline"]))) for one in kept]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is not the JSON of a selfcheck: {type(error).__name__} {error}") from None


def _replicate(kept: dict[str, Any]) -> Replicate:
    return Replicate(**{**kept, "interference": Interference(**kept["interference"])})


def overhead(calls: int = CALLS) -> dict[str, float]:
    """Microseconds that recording adds to a call of a session which does nothing: both loops less a bare loop."""

    def nothing(batch: object = None) -> None:
        pass

    def bare() -> None:
        for _ in range(calls):
            nothing()

    def loop(run: Any) -> float:  # in CPU time, so that neighbours do not count
        start = time.process_time_ns()
        run()
        return (time.process_time_ns() - start) / calls / 1e3

    floor = min(loop(bare) for _ in range(5))
    clocks = (time.process_time_ns, time.perf_counter_ns)
    endless = iter(lambda: None, 0)
    return {
        "reported latency (wall clock)": min(loop(lambda: timed(nothing, endless, calls)) for _ in range(5)) - floor,
        "gated latency (CPU time and wall clock)": min(
            loop(lambda: measure_pairs({"network": nothing, "target": nothing}, {}, calls // 2, *clocks))
            for _ in range(5)
        )
        - floor,
    }


def write_selfcheck(out: Path, content: dict[str, Any]) -> None:
    """The JSON of a check that has no trials."""
    whole = {
        "schema": 1,
        "command": command_line(),
        "environment": dataclasses.asdict(fingerprint.this_machine()),
        **content,
    }
    write_text(out, json.dumps(whole, indent=1) + "\n", "--out")


def command_line() -> str:
    return shlex.join(["quantgate", *sys.argv[1:]])
