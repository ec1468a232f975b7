"""Measure fresh processes of a cell until the stop rule has judged them, or as many as a recording wants."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from harness.core.measurement import Measurement, Observation
from harness.core.processes import NAMES, Identity, Replicate, Side, Target
from harness.core.status import Status
from harness.core.verdict import Verdict
from harness.judge import latency
from harness.judge.stop_rule import in_looks
from harness.measure.place import Place

Judged = tuple[Measurement, tuple[Verdict, ...]]
"""What was measured, and a verdict for each rule."""


def record(place: Place, own: Target, accepted: Observation | None) -> Measurement:
    """One occasion with both references. Repeats are the baseline's where the artifact is the same.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    known = latency.gated(accepted)
    repeats = known["repeats"] if known.get("artifact") == own.artifact.key else {}
    turn = (own, Side())
    first = place.replicates([turn], NAMES, repeats)  # says how often the references repeat
    rest = place.replicates([turn] * (latency.OCCASION - 1), NAMES, first[0].repeats)
    return _measurement(own, [*first, *rest])


def against_baseline(
    place: Place, own: Target, rules: Mapping[str, float], accepted: Observation | None, anchor: Observation | None,
    cells: int,
) -> Judged:  # fmt: skip
    """Judge a cell against its stored baseline; nothing is measured that could not be judged.

    Args:
        place: where the processes run.
        own: what they open.
        rules: limit of each gated metric, a share: 0.05 for 5 %.
        accepted: the baseline.
        anchor: the baseline at the last release, for `latency_creep`.
        cells: how many cells of the suite are gated so; it divides the alarm rate.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    nothing = Measurement(own.cell)
    if accepted is None:
        return nothing, (without("no-baseline", rules, "accept this one with --qg-baseline-update"),)
    reference, why = latency.usable(accepted, own.identity)
    if not reference:
        return nothing, (without("incomparable" if latency.gated(accepted) else "no-baseline", rules, why),)
    if young := latency.immature(accepted):
        return nothing, (without("inconclusive", rules, young),)
    repeats = latency.gated(accepted)["repeats"]
    held, unheld = _held(rules, accepted, anchor, own.identity, reference, repeats)
    wanted = sorted({used for _, used in held.values()}, key=NAMES.index)
    now: list[Replicate] = []

    def measure(processes: int) -> None:
        now.extend(place.replicates([(own, Side())] * (processes - len(now)), wanted, repeats))

    def judge(metric: str) -> Verdict:
        against, used = held[metric]
        return latency.judge_latency(metric, now, against, used, rules[metric], cells)

    verdicts = in_looks(held, measure, judge, _undecided)
    return _measurement(own, now), (*verdicts.values(), *unheld)


def against_base(
    place: Place, own: Target, base: Target, side: Side, rules: Mapping[str, float], cells: int
) -> Judged:  # fmt: skip
    """Judge a cell against a base revision, whose processes alternate with the cell's own; no baseline is stored.

    The stop rule is the rule of `against_baseline`; the base makes as many processes as the candidate. `base` is what
    the base's processes open, `side` how they are started.

    Raises:
        Unavailable, ConfigError, CellError: a process failed.
    """
    if own.same(base):
        why = "the base's artifact, runtime and quantgate: nothing to measure"
        return Measurement(own.cell), tuple(without("unchanged", {name: limit}, why) for name, limit in rules.items())
    reference, why = latency.common(base.identity, own.identity)
    measured_by = [reference or NAMES[-1]]
    old = place.replicates([(base, side)], measured_by, {})  # says how often the reference repeats
    new: list[Replicate] = []

    def measure(processes: int) -> None:
        turns = alternating(processes)[len(old) + len(new) :]
        sides = [(base, side) if of_base else (own, Side()) for of_base in turns]
        observed = place.replicates(sides, measured_by, old[0].repeats)
        old.extend(itertools.compress(observed, turns))
        new.extend(itertools.compress(observed, map(operator.not_, turns)))

    def judge(metric: str) -> Verdict:
        before, after = ([one if reference else latency.without_reference(one) for one in made] for made in (old, new))
        accepted = Observation(samples=latency.samples(before))
        used = reference or latency.NONE
        return latency.judge_latency(metric, after, accepted, used, rules[metric], cells, recorded=False)

    verdicts = in_looks(rules, measure, judge, _undecided)
    told = tuple(replace(one, detail=f"{one.detail} ({why})" if why else one.detail) for one in verdicts.values())
    return _measurement(own, new), told


def alternating(pairs: int) -> list[bool]:
    """Turns of `pairs` pairs, True for the base: it goes first in every other pair, so that drift cancels."""
    return [of_base for pair in range(pairs) for of_base in ((True, False) if pair % 2 == 0 else (False, True))]


def without(status: Status, rules: Mapping[str, float], detail: str) -> Verdict:
    """The verdict of the first of `rules` where nothing was measured; `detail` says why."""
    metric, limit = next(iter(rules.items()))
    return Verdict(metric, "baseline", status, None, None, f"≤ {1 + limit:g} × baseline", detail)


def _undecided(verdict: Verdict) -> bool:
    return verdict.status == "inconclusive"


Held = dict[str, tuple[Observation, str]]
"""By metric: what it is held against, and by which reference."""


def _held(
    rules: Mapping[str, float], accepted: Observation, anchor: Observation | None, identity: Identity,
    reference: str, repeats: Mapping[str, int],
) -> tuple[Held, list[Verdict]]:  # fmt: skip
    """What each gate is held against, and the verdict of an anchor that cannot be used."""
    held: Held = {metric: (accepted, reference) for metric in rules if metric != "latency_creep"}
    if not latency.gated(anchor) or anchor is None:
        return held, []
    of_anchor, why = latency.usable(anchor, identity)
    if of_anchor and latency.gated(anchor)["repeats"] != repeats:
        of_anchor, why = "", "repeats of the references differ"
    if not of_anchor:
        creep = {"latency_creep": rules["latency_creep"]}
        return held, [without("incomparable", creep, f"anchor: {why}; set a new one: quantgate anchor set RELEASE")]
    return {**held, "latency_creep": (anchor, of_anchor)}, []


def _measurement(own: Target, replicates: Sequence[Replicate]) -> Measurement:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    traced = latency.provenance(own.identity, replicates[0].repeats, len(replicates), now)
    busy = sorted({one.interference.high for one in replicates} - {""})
    notes = (f"busy while latency was gated: {busy[0]}",) if busy else ()
    return Measurement(own.cell, samples=latency.samples(replicates), provenance={"gated": traced}, notes=notes)
