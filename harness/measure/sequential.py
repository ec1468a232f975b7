"""Measure fresh processes of a cell until the stop rule has judged them, or as many as a recording needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from harness.core.measurement import Measurement, Observation
from harness.core.processes import REFERENCES, Identity, Replicate, Side, Target
from harness.core.status import Status
from harness.core.verdict import Verdict
from harness.judge import latency
from harness.judge.stop_rule import in_looks
from harness.measure.place import Place

Judged = tuple[Measurement, tuple[Verdict, ...]]
"""What was measured, and the verdicts about it."""


def record(place: Place, own: Target, accepted: Observation | None) -> Measurement:
    """Measure one occasion for a baseline, with both references.

    The references are repeated as often as in the accepted baseline, where the baseline has the same artifact.
    Otherwise the first process fits the numbers of repeats.

    Args:
        place: where the processes run.
        own: what the processes open.
        accepted: the baseline that the occasion is for, where there is one.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    known = latency.gated(accepted)
    repeats = known["repeats"] if known.get("artifact") == own.artifact.key else {}
    turn = (own, Side())
    first = place.replicates([turn], REFERENCES, repeats)
    rest = place.replicates([turn] * (latency.OCCASION - 1), REFERENCES, first[0].repeats)
    return _measurement(own, [*first, *rest])


def against_baseline(
    place: Place, own: Target, rules: Mapping[str, float], accepted: Observation, anchor: Observation | None, cells: int
) -> Judged:  # fmt: skip
    """Judge a cell against its stored baseline. Nothing is measured where the baseline cannot judge.

    Args:
        place: where the processes run.
        own: what the processes open.
        rules: limit of each gated metric, a share: 0.05 for 5 %.
        accepted: the baseline.
        anchor: the baseline as it was at the last release, for `latency_creep`.
        cells: number of cells of the suite whose latency is gated; the alarm rate is divided by it.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    nothing = Measurement(own.cell)
    reference, why = latency.usable(accepted, own.identity)
    if not reference:
        return nothing, (without("incomparable" if latency.gated(accepted) else "no-baseline", rules, why),)
    if young := latency.immature(accepted):
        return nothing, (without("inconclusive", rules, young),)
    repeats = latency.gated(accepted)["repeats"]
    opponents, unusable = _opponents(rules, _Opponent(accepted, reference), anchor, own.identity)
    references = {opponent.reference for opponent in opponents.values()}
    wanted = [name for name in REFERENCES if name in references]
    now: list[Replicate] = []

    def measure(processes: int) -> None:
        now.extend(place.replicates([(own, Side())] * (processes - len(now)), wanted, repeats))

    def judge(metric: str) -> Verdict:
        opponent = opponents[metric]
        return latency.judge_latency(metric, now, opponent.observation, opponent.reference, rules[metric], cells)

    verdicts = in_looks(opponents, measure, judge, _undecided)
    return _measurement(own, now), (*verdicts.values(), *unusable)


def against_base(
    place: Place, own: Target, base: Target, side: Side, rules: Mapping[str, float], cells: int
) -> Judged:  # fmt: skip
    """Judge a cell against a base revision, whose processes alternate with the cell's own. No baseline is needed.

    The stop rule is the same as in `against_baseline`; the base runs as many processes as the candidate.

    Args:
        place: where the processes run.
        own: what the processes of the candidate open.
        base: what the processes of the base open.
        side: how the processes of the base are started.
        rules: limit of each gated metric, a share.
        cells: number of cells of the suite whose latency is gated.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    if own.same(base):
        why = "the base's artifact, runtime and quantgate: nothing to measure"
        return Measurement(own.cell), tuple(without("unchanged", {name: limit}, why) for name, limit in rules.items())
    reference, why = latency.common(base.identity, own.identity)
    measured_by = [reference or REFERENCES[-1]]
    old = place.replicates([(base, side)], measured_by, {})  # fits the number of repeats
    new: list[Replicate] = []

    def measure(processes: int) -> None:
        turns = alternating(processes)[len(old) + len(new) :]
        started = [(base, side) if of_base else (own, Side()) for of_base in turns]
        observed = place.replicates(started, measured_by, old[0].repeats)
        for of_base, replicate in zip(turns, observed, strict=True):
            (old if of_base else new).append(replicate)

    def judge(metric: str) -> Verdict:
        before, after = old, new
        if not reference:
            before, after = ([latency.without_reference(one) for one in made] for made in (old, new))
        accepted = Observation(samples=latency.samples(before))
        used = reference or latency.NONE
        return latency.judge_latency(metric, after, accepted, used, rules[metric], cells, recorded=False)

    verdicts = in_looks(rules, measure, judge, _undecided)
    told = tuple(replace(one, detail=f"{one.detail} ({why})" if why else one.detail) for one in verdicts.values())
    return _measurement(own, new), told


def alternating(pairs: int) -> list[bool]:
    """Return whose turn it is in `pairs` pairs of processes, True for the base.

    The base goes first in every other pair, so that a drift of the machine cancels out.
    """
    turns: list[bool] = []
    for pair in range(pairs):
        turns += (True, False) if pair % 2 == 0 else (False, True)
    return turns


def without(status: Status, rules: Mapping[str, float], detail: str) -> Verdict:
    """Return the verdict where nothing was measured, for the first metric of `rules`; `detail` says why."""
    metric, limit = next(iter(rules.items()))
    return Verdict(metric, "baseline", status, None, None, f"≤ {1 + limit:g} × baseline", detail)


@dataclass(frozen=True)
class _Opponent:
    """What a metric is held against."""

    observation: Observation  # the baseline, or the anchor
    reference: str  # name of the reference by which both are comparable


def _opponents(
    rules: Mapping[str, float], baseline: _Opponent, anchor: Observation | None, identity: Identity
) -> tuple[dict[str, _Opponent], list[Verdict]]:
    """What each metric of `rules` is held against, and the verdict about an anchor that cannot be used."""
    opponents = {metric: baseline for metric in rules if metric != "latency_creep"}
    if not latency.gated(anchor) or anchor is None:
        return opponents, []
    reference, why = latency.usable(anchor, identity)
    if reference and latency.gated(anchor)["repeats"] != latency.gated(baseline.observation)["repeats"]:
        reference, why = "", "repeats of the references differ"
    if not reference:
        creep = {"latency_creep": rules["latency_creep"]}
        detail = f"anchor: {why}; set a new one: quantgate anchor set RELEASE"
        return opponents, [without("incomparable", creep, detail)]
    return {**opponents, "latency_creep": _Opponent(anchor, reference)}, []


def _undecided(verdict: Verdict) -> bool:
    return verdict.status == "inconclusive"


def _measurement(own: Target, replicates: Sequence[Replicate]) -> Measurement:
    """The measurement of a cell from its fresh processes, stamped with the time of now."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    traced = latency.provenance(own.identity, replicates[0].repeats, len(replicates), now)
    busy = sorted({one.interference.high for one in replicates} - {""})
    notes = (f"busy while latency was gated: {busy[0]}",) if busy else ()
    return Measurement(own.cell, samples=latency.samples(replicates), provenance={"gated": traced}, notes=notes)
