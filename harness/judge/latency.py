"""Gated latency against a baseline: which reference may judge, what the processes say, what a recording adds. Pure.

A measurement carries its processes as samples, one number per process (`log_ratio_network`, `wall_log_ratio_numpy`, …),
and what they measured as `provenance["gated"]`. A baseline carries both, of all its occasions. An occasion is one
recording: a handful of processes, at least ten minutes after the last occasion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from harness.core.measurement import Measurement, Observation
from harness.core.processes import REFERENCES, Identity, Replicate
from harness.core.status import Status
from harness.core.suite import Gate
from harness.core.verdict import Verdict
from harness.judge import machine_state, stop_rule

OCCASION = 5  # processes of one occasion
MIN_PROCESSES, MIN_OCCASIONS = 10, 2  # a baseline with fewer may not judge
APART = timedelta(minutes=10)  # the shortest time between two occasions
KEPT = 6  # occasions in a baseline; older ones are dropped
WALL_LIMIT = 0.10  # of latency_wall, where the suite has no gate of this name; a share
CREEP_LIMIT = 0.10  # of latency_creep, where the suite has no gate of this name; a share
NONE = "no"  # the name of the reference where the time itself is judged
STAMP = "%Y-%m-%dT%H:%MZ"  # of the time of an occasion, UTC
MINUTE = timedelta(minutes=1)


def provenance(identity: Identity, repeats: Mapping[str, int], processes: int, now: datetime) -> dict[str, Any]:
    """The value of `provenance["gated"]` for one occasion of so many `processes`; `now` is in UTC."""
    return {
        "artifact": identity.artifact,
        "references": dict(identity.references),
        "repeats": dict(repeats),
        "occasions": [{"recorded": now.strftime(STAMP), "processes": processes}],
    }


def samples(replicates: Sequence[Replicate]) -> dict[str, list[float]]:
    """The samples of a measurement: one natural logarithm per process, by clock and reference."""
    kept: dict[str, list[float]] = {}
    for name in replicates[0].cpu:
        kept[f"log_ratio_{name}"] = [round(one.cpu[name], 5) for one in replicates]
        kept[f"wall_log_ratio_{name}"] = [round(one.wall[name], 5) for one in replicates]
        kept[f"log_level_{name}"] = [round(one.levels[name], 4) for one in replicates]
    return kept


def is_gated_sample(name: str) -> bool:
    """Whether a name of samples is one that `samples` gives."""
    return "log_ratio_" in name or "log_level_" in name


def gated(measured: Observation | None) -> Mapping[str, Any]:
    """What the processes of a measurement measured, as `provenance` gives it; empty where it has no processes."""
    return (measured.provenance.get("gated") or {}) if measured else {}


def usable(accepted: Observation | None, identity: Identity) -> tuple[str, str]:
    """The reference by which a baseline may judge a target of this `identity`: (its name, ""), or ("", why none may).

    The network judges where it is one file on one version of the runtime. Where the runtime was upgraded, numpy's
    matrix product judges, and the version and BLAS of numpy must then be equal.
    """
    known = gated(accepted)
    if not known:
        return "", "the baseline has no gated processes: record them with --qg-baseline-update"
    before, now = known["references"], identity.references
    for name in REFERENCES:
        if before.get(name) == now.get(name) and _values(accepted, name):
            return name, ""
    differing = (
        f"{name} reference: the baseline has {before.get(name)}, this run {now.get(name)}" for name in REFERENCES
    )
    return "", "; ".join(differing)


def common(base: Identity, now: Identity) -> tuple[str, str]:
    """The first reference that both sides of one run have: (its name, ""), or ("", how the references differ)."""
    there, here = base.references, now.references
    for name in REFERENCES:
        if there.get(name) == here.get(name):
            return name, ""
    return "", "; ".join(f"{name}: {there.get(name)} on the base, {here.get(name)} here" for name in REFERENCES)


def without_reference(one: Replicate) -> Replicate:
    """A process of one reference, with the logarithms of its times in place of its ratios; its reference is NONE.

    Where the processes of two sides alternate, both meet one machine: a reference makes the answer sharper, and two
    environments need not have one in common. What the machine does between processes is in their spread.
    """
    ((name, level),) = one.levels.items()
    return replace(one, cpu={NONE: one.cpu[name] + level}, wall={NONE: one.wall[name] + level}, levels={NONE: 0.0})


def immature(accepted: Observation) -> str:
    """What a baseline lacks before it may judge, in words; empty where it may."""
    occasions = gated(accepted)["occasions"]
    processes = process_count(occasions)
    if processes >= MIN_PROCESSES and len(occasions) >= MIN_OCCASIONS:
        return ""
    return (
        f"the baseline has {processes} processes of {_count(len(occasions), 'occasion')} and needs {MIN_PROCESSES} of "
        f"{MIN_OCCASIONS}: run again with --qg-baseline-update, at least {APART // MINUTE} minutes after the last"
    )


def limits(gates: Sequence[Gate]) -> dict[str, float]:
    """The limit of each gated metric, a share. Waiting and creep are judged wherever `latency` has a gate."""
    declared = {gate.metric: gate.max_rise for gate in gates if gate.max_rise is not None}
    latency = declared.get("latency")
    if latency is None:
        return {}
    return {
        "latency": latency,
        "latency_wall": declared.get("latency_wall", max(WALL_LIMIT, latency)),
        "latency_creep": declared.get("latency_creep", CREEP_LIMIT),
    }


def judge_latency(
    metric: str, now: Sequence[Replicate], accepted: Observation, reference: str, limit: float, cells: int,
    recorded: bool = True,
) -> Verdict:  # fmt: skip
    """The verdict of one gate after one look.

    Args:
        metric: `latency` or `latency_creep`, which judge CPU time, or `latency_wall`, which judges waiting.
        now: the processes so far, at least two.
        accepted: what they are held against, with its processes as samples.
        reference: the name of the reference that judges, or NONE.
        limit: by which share the cell may be slower; 0.05 is 5 %.
        cells: how many cells the run judges by the stop rule.
        recorded: whether `accepted` is a baseline, to which occasions can be added.
    """
    waiting = metric == "latency_wall"
    fresh = [one.wall[reference] - one.cpu[reference] if waiting else one.cpu[reference] for one in now]
    seen = stop_rule.compare_processes(fresh, _values(accepted, reference, waiting), cells)
    status: Status = stop_rule.decide(seen, limit, last=len(now) >= stop_rule.LOOKS[-1])
    detail = (
        f"{_percent(seen.estimate)} ± {math.expm1(seen.passing):.1%} by {_count(len(now), 'process', 'es')} against "
        f"{seen.accepted}, {reference} reference"
    )
    if waiting:
        detail = f"waiting {detail}"
        doubt = machine_state.busy(now)
    else:
        slower = machine_state.slowed(now, accepted, reference)
        doubt = machine_state.another_state(seen.estimate, limit, slower)
    if status == "regressed" and doubt:
        status, detail = "inconclusive", f"{detail}; nobody is convicted while {doubt}: run it again on a quiet machine"
    elif status == "inconclusive":
        detail = f"{detail}; {stop_rule.remedy(seen, limit, recorded)}"
    interval = (math.exp(seen.estimate - seen.passing), math.exp(seen.estimate + seen.passing))
    expected = f"≤ {1 + limit:g} × baseline"
    return Verdict(metric, "baseline", status, math.exp(seen.estimate), 1.0, expected, detail, interval)


def extended(accepted: Observation | None, new: Measurement, limit: float) -> tuple[Measurement, str]:
    """The baseline after a recording, and what happened, in words.

    The recording adds an occasion where artifact and references are equal and the stop rule finds no change by `limit`.
    Anything else is a new level, whose baseline begins anew. A recording too soon after the last occasion adds nothing.

    Args:
        accepted: the baseline so far, or None.
        new: the recording.
        limit: by which share the cell may be slower; 0.05 is 5 %.
    """
    before, fresh = gated(accepted), gated(new)
    if not fresh:
        return new, ""
    if accepted is None or not before:
        return new, "occasion 1"
    if other := _new_level(accepted, new, limit):
        return new, other
    age = _stamp(fresh["occasions"][0]) - _stamp(before["occasions"][-1])
    if age < APART:
        minutes = max(age, timedelta()) // MINUTE
        unchanged = _with_gated(new, before, _gated_samples(accepted))
        return unchanged, f"no occasion added: the last is {minutes} min old, two lie {APART // MINUTE} min apart"
    occasions = [*before["occasions"], *fresh["occasions"]]
    dropped = process_count(occasions[:-KEPT])
    together = {key: [*values, *new.samples.get(key, ())][dropped:] for key, values in _gated_samples(accepted).items()}
    kept = occasions[-KEPT:]
    added = _with_gated(new, {**fresh, "occasions": kept}, together)
    return added, f"occasion {len(kept)}, {process_count(kept)} processes"


def _new_level(accepted: Observation, new: Measurement, limit: float) -> str:
    """Why the baseline of a recording begins anew, in words; empty where an occasion can be added."""
    for part in ("artifact", "references", "repeats"):
        if gated(accepted)[part] != gated(new)[part]:
            return f"occasion 1: another {part.removesuffix('s')} than the baseline's"
    name = next(name for name in REFERENCES if _values(new, name))
    seen = stop_rule.compare_processes(_values(new, name), _values(accepted, name))
    decision = stop_rule.decide(seen, limit, last=True)
    moved = decision in ("regressed", "improved")
    return f"occasion 1 of a new level: {decision} against the baseline" if moved else ""


def _with_gated(new: Measurement, traced: Mapping[str, Any], values: Mapping[str, Sequence[float]]) -> Measurement:
    """The measurement with these occasions: `traced` is its `provenance["gated"]`, `values` are their samples."""
    return replace(new, samples={**new.samples, **values}, provenance={**new.provenance, "gated": traced})


def _values(measured: Observation | None, reference: str, waiting: bool = False) -> list[float]:
    """One number per process: its log ratio of CPU time or, for `waiting`, by how much its wall clock's is larger.

    The wall clock's log ratio alone would count every change of CPU time twice and scatter as CPU time does. Its excess
    is sleep, locks and preemption, in which the processes of a quiet machine agree to 0.3 %.
    """
    if measured is None:
        return []
    cpu = measured.samples.get(f"log_ratio_{reference}", ())
    if not waiting:
        return list(cpu)
    return [wall - busy for wall, busy in zip(measured.samples[f"wall_log_ratio_{reference}"], cpu, strict=True)]


def _gated_samples(measured: Observation) -> dict[str, Sequence[float]]:
    return {key: values for key, values in measured.samples.items() if is_gated_sample(key)}


def process_count(occasions: Sequence[Mapping[str, Any]]) -> int:
    """How many processes the occasions of a gated latency have together."""
    return sum(one["processes"] for one in occasions)


def _stamp(occasion: Mapping[str, Any]) -> datetime:
    return datetime.strptime(occasion["recorded"], STAMP)


def _percent(log: float) -> str:
    return f"{math.expm1(log):+.1%}".replace("-", "−")


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{plural if number != 1 else ''}"
