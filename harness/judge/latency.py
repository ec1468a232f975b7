"""Gated latency against a baseline: which reference may judge, what the processes say, what a recording adds. Pure.

A measurement carries its processes as samples (`log_ratio_network`, `wall_log_ratio_numpy`, …, one number a process)
and what they were measured with as `provenance["gated"]`. A baseline carries the same of all its occasions.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from harness.core.measurement import Measurement, Observation
from harness.core.processes import NAMES, Identity, Replicate
from harness.core.status import Status
from harness.core.suite import Gate
from harness.core.verdict import Verdict
from harness.judge import stop_rule

OCCASION = 5  # processes that one recording adds
MIN_PROCESSES, MIN_OCCASIONS = 10, 2  # of a baseline that may judge
APART = timedelta(minutes=10)  # between two occasions
KEPT = 6  # occasions; older ones go
WALL_LIMIT = 0.10  # of the second gate, where the suite does not say another
BLAMED = 0.1  # share of what the reference has slowed or gained that is not held against the target
ELSEWHERE, BLAMED_ELSEWHERE = 1.5, 0.25  # from this factor on it is as good as another machine, and the share larger
CREEP_LIMIT = 0.10  # since the anchor, the same
NONE = "no"  # reference: the time itself is judged
STAMP = "%Y-%m-%dT%H:%MZ"


def provenance(identity: Identity, repeats: Mapping[str, int], processes: int, now: datetime) -> dict[str, Any]:
    """`provenance["gated"]` of one occasion."""
    return {
        "artifact": identity.artifact,
        "references": dict(identity.references),
        "repeats": dict(repeats),
        "occasions": [{"recorded": now.strftime(STAMP), "processes": processes}],
    }


def samples(replicates: Sequence[Replicate]) -> dict[str, list[float]]:
    """One number a process, by clock and reference; natural logarithms."""
    names = replicates[0].cpu
    kept: dict[str, list[float]] = {}
    for name in names:
        kept[f"log_ratio_{name}"] = [round(one.cpu[name], 5) for one in replicates]
        kept[f"wall_log_ratio_{name}"] = [round(one.wall[name], 5) for one in replicates]
        kept[f"log_level_{name}"] = [round(one.levels[name], 4) for one in replicates]
    return kept


def gated(measured: Observation | None) -> Mapping[str, Any]:
    """What the processes of a measurement were measured with; empty where it has none."""
    return (measured.provenance.get("gated") or {}) if measured else {}


def usable(accepted: Observation | None, identity: Identity) -> tuple[str, str]:
    """The reference that may judge, and why there is none: ("network", "") or ("", reason).

    The network judges where it is the same file on the same version of the runtime. Where the runtime was upgraded,
    numpy's product judges, whose own version and BLAS must then be the same.
    """
    known = gated(accepted)
    if not known:
        return "", "the baseline has no gated processes: record them with --qg-baseline-update"
    for name in NAMES:
        if known["references"].get(name) == identity.references.get(name) and _values(accepted, name):
            return name, ""
    differing = [
        f"{name} reference: the baseline has {known['references'].get(name)}, this run {identity.references.get(name)}"
        for name in NAMES
    ]
    return "", "; ".join(differing)


def common(base: Identity, now: Identity) -> tuple[str, str]:
    """The reference that judges two sides of one run: ("network", ""), or ("", how they differ)."""
    for name in NAMES:
        if base.references.get(name) == now.references.get(name):
            return name, ""
    here, there = now.references, base.references
    return "", "; ".join(f"{name}: {there.get(name)} on the base, {here.get(name)} here" for name in NAMES)


def without_reference(one: Replicate) -> Replicate:
    """The process with its time instead of a ratio.

    Where the processes of two sides alternate, both meet the same machine: a reference makes the answer sharper, and
    two environments need not have one in common. What the machine does between processes is in their spread.
    """
    ((name, level),) = one.levels.items()
    return replace(one, cpu={NONE: one.cpu[name] + level}, wall={NONE: one.wall[name] + level}, levels={NONE: 0.0})


def immature(accepted: Observation) -> str:
    """What a baseline lacks before it may judge; empty where nothing."""
    occasions = gated(accepted)["occasions"]
    processes = sum(one["processes"] for one in occasions)
    if processes >= MIN_PROCESSES and len(occasions) >= MIN_OCCASIONS:
        return ""
    return (
        f"the baseline has {processes} processes of {_count(len(occasions), 'occasion')} and needs {MIN_PROCESSES} of "
        f"{MIN_OCCASIONS}: run again with --qg-baseline-update, at least {APART.seconds // 60} minutes after the last"
    )


def limits(gates: Sequence[Gate]) -> dict[str, float]:
    """Limit of each gated metric, a share; the wall clock and the creep are watched wherever latency is gated."""
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
    """One gate after one look. `metric` is latency or latency_creep (CPU time), or latency_wall (waiting).

    `recorded`: the baseline is one of earlier occasions, to which more can be added.
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
    doubt = _busiest(now) if waiting else _another_state(seen.estimate, limit, _slowed(now, accepted, reference))
    if status == "regressed" and doubt:
        status, detail = "inconclusive", f"{detail}; nobody is convicted while {doubt}: run it again on a quiet machine"
    elif status == "inconclusive":
        detail = f"{detail}; {_remedy(seen, limit, recorded)}"
    low, high = (math.exp(seen.estimate + sign * seen.passing) for sign in (-1, 1))
    expected = f"≤ {1 + limit:g} × baseline"
    return Verdict(metric, "baseline", status, math.exp(seen.estimate), 1.0, expected, detail, (low, high))


def _remedy(seen: stop_rule.Comparison, limit: float, recorded: bool) -> str:
    """What would resolve it."""
    now, more = stop_rule.resolvable(seen), stop_rule.resolvable(seen, 3 * seen.accepted)
    scatter = f"processes scatter by {seen.spread:.1%}, which resolves {now:.1%}"
    if now <= limit:
        return f"{scatter}: the change is close to the limit, run it again"
    if recorded and more <= limit:
        return f"{scatter}: a baseline of {3 * seen.accepted} processes would resolve {more:.1%}, record more occasions"
    return f"{scatter}: quieten the machine, or gate at {now:.0%} or more"


def extended(accepted: Observation | None, new: Measurement, limit: float) -> tuple[Measurement, str]:
    """The baseline after a recording, and what happened, in words.

    An occasion is added where artifact and references are the same and the stop rule finds no change; anything else is
    a new level, whose baseline begins anew.
    """
    before, fresh = gated(accepted), gated(new)
    if not fresh:
        return new, ""
    if accepted is None or not before:
        return new, "occasion 1"
    for part in ("artifact", "references", "repeats"):
        if before[part] != fresh[part]:
            return new, f"occasion 1: another {part.removesuffix('s')} than the baseline's"
    name = next(name for name in NAMES if _values(new, name))
    decision = stop_rule.decide(
        stop_rule.compare_processes(_values(new, name), _values(accepted, name)), limit, last=True
    )
    if decision in ("regressed", "improved"):
        return new, f"occasion 1 of a new level: {decision} against the baseline"
    age = _stamp(fresh["occasions"][0]) - _stamp(before["occasions"][-1])
    if age < APART:
        minutes = max(0, age.seconds // 60) if age > timedelta() else 0
        kept = replace(new, samples={**new.samples, **_gated_samples(accepted)},
                       provenance={**new.provenance, "gated": before})  # fmt: skip
        return kept, f"no occasion added: the last is {minutes} min old, two lie {APART.seconds // 60} min apart"
    occasions = [*before["occasions"], *fresh["occasions"]]
    dropped = sum(one["processes"] for one in occasions[:-KEPT])
    together = {key: [*values, *new.samples.get(key, ())][dropped:] for key, values in _gated_samples(accepted).items()}
    merged = {**fresh, "occasions": occasions[-KEPT:]}
    added = replace(new, samples={**new.samples, **together}, provenance={**new.provenance, "gated": merged})
    processes = sum(one["processes"] for one in merged["occasions"])
    return added, f"occasion {len(merged['occasions'])}, {processes} processes"


def _values(measured: Observation | None, reference: str, waiting: bool = False) -> list[float]:
    """One number a process: its log ratio of CPU time or, for `waiting`, what the wall clock's has above that.

    The wall clock's alone would count every change of CPU time twice and scatter as it does. What it has above CPU
    time is sleep, locks and preemption, in which processes of a quiet machine agree to 0.3 %.
    """
    if measured is None:
        return []
    cpu = measured.samples.get(f"log_ratio_{reference}", ())
    if not waiting:
        return list(cpu)
    return [wall - busy for wall, busy in zip(measured.samples[f"wall_log_ratio_{reference}"], cpu, strict=True)]


def _gated_samples(measured: Observation) -> dict[str, Sequence[float]]:
    return {key: values for key, values in measured.samples.items() if is_gated_sample(key)}


def is_gated_sample(name: str) -> bool:
    """Whether these samples are one number a process, as `samples` names them."""
    return "log_ratio_" in name or "log_level_" in name


def _busiest(now: Sequence[Replicate]) -> str:
    busy = next((one.interference.high for one in now if one.interference.high), "")
    return f"the machine is busy ({busy})" if busy else ""


def _slowed(now: Sequence[Replicate], accepted: Observation, reference: str) -> float:
    """By how much the reference itself is slower than for the baseline, as a logarithm."""
    levels = accepted.samples.get(f"log_level_{reference}")
    return statistics.fmean(one.levels[reference] for one in now) - statistics.fmean(levels) if levels else 0.0


def _another_state(estimate: float, limit: float, slower: float) -> str:
    """Why the machine may be to blame; empty where it is not.

    A neighbour on the same physical core takes more from int8 than from float code: OpenVINO's ratio rose by up to 9 %
    while the reference itself slowed by 17 %. A tenth of what the reference has slowed is therefore not held against
    the target: more would cost power, and less let false alarms through (replayed on 5,000 pairs of recordings).
    Likewise where it has gained. On a host 2.3 times as fast as the baseline's (its cores were no longer shared) ONNX
    Runtime's int8 was 18 % slower against the reference, LiteRT 10 %, OpenVINO's int8 15 % faster: a fifth of it.
    """
    share = BLAMED if abs(slower) < math.log(ELSEWHERE) else BLAMED_ELSEWHERE
    if estimate - share * abs(slower) > math.log1p(limit):
        return ""
    word = "slower" if slower > 0 else "faster"
    return f"the machine is {math.expm1(abs(slower)):.0%} {word} than it was for the baseline"


def _stamp(occasion: Mapping[str, Any]) -> datetime:
    return datetime.strptime(occasion["recorded"], STAMP)


def _percent(log: float) -> str:
    return f"{math.expm1(log):+.1%}".replace("-", "−")


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{plural if number != 1 else ''}"
