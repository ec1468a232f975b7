"""Measure fresh processes of a cell until the stop rule has judged them, or as many as a recording wants."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.core.status import Status
from harness.core.suite import Suite
from harness.core.verdict import Verdict
from harness.judge import latency
from harness.judge.latency import Identity
from harness.judge.stop_rule import LOOKS
from harness.measure.latency.cpu_pairs import Replicate
from harness.measure.latency.references import NAMES
from harness.measure.runner import Runner
from harness.store.base_revision import Base, Side, Target


def record(runner: Runner, suite: Suite, home: Path, cell: Cell, accepted: Measurement | None) -> Measurement:
    """One occasion, with both references; repeats are those of the baseline where the artifact is the same."""
    own = runner.target(suite, home, cell)
    known = latency.gated(accepted)
    repeats = known["repeats"] if known.get("artifact") == own.artifact.key else {}
    turn = (own, Side())
    first = runner.replicates([turn], NAMES, repeats)  # says how often the references repeat
    rest = runner.replicates([turn] * (latency.OCCASION - 1), NAMES, first[0].repeats)
    return _measurement(own, [*first, *rest])


def judge(
    runner: Runner, suite: Suite, home: Path, cell: Cell,
    rules: Mapping[str, float], accepted: Measurement | None, anchor: Measurement | None, cells: int,
) -> tuple[Measurement, tuple[Verdict, ...]]:  # fmt: skip
    """What was measured, and a verdict for each of `rules` (metric → limit, a share); nothing is measured in vain."""
    nothing = Measurement(cell)
    if accepted is None:
        return nothing, (_without("no-baseline", rules, "accept this one with --qg-baseline-update"),)
    own = runner.target(suite, home, cell)
    reference, why = latency.usable(accepted, own.identity)
    if not reference:
        return nothing, (_without("incomparable" if latency.gated(accepted) else "no-baseline", rules, why),)
    if young := latency.immature(accepted):
        return nothing, (_without("inconclusive", rules, young),)
    repeats = latency.gated(accepted)["repeats"]
    held, unheld = _against(rules, accepted, anchor, own.identity, reference, repeats)
    now: list[Replicate] = []
    verdicts: dict[str, Verdict] = {}
    for look in LOOKS:
        wanted = sorted({used for _, _, used in held}, key=NAMES.index)
        now += runner.replicates([(own, Side())] * (look - len(now)), wanted, repeats)
        verdicts |= {
            metric: latency.judge(metric, now, of, used, rules[metric], cells)
            for metric, of, used in held
            if metric not in verdicts or verdicts[metric].status == "inconclusive"  # what is decided stays
        }
        if all(verdict.status != "inconclusive" for verdict in verdicts.values()):
            break
    return _measurement(own, now), (*verdicts.values(), *unheld)


def against_base(
    runner: Runner, suite: Suite, home: Path, cell: Cell, rules: Mapping[str, float], revision: Base, cells: int
) -> tuple[Measurement, tuple[Verdict, ...]]:
    """The same against a base revision, whose processes alternate with the cell's own; no baseline is stored.

    The stop rule is that of `judge`; the base makes as many processes as the candidate.
    """
    base, side = revision.target(suite.name, cell), revision.side
    if base is None:
        return Measurement(cell), (_without("no-baseline", rules, revision.lacks(suite.name, cell)),)
    own = runner.target(suite, home, cell)
    if own.same(base):
        why = "the base's artifact, runtime and quantgate: nothing to measure"
        return Measurement(cell), tuple(_without("unchanged", {name: limit}, why) for name, limit in rules.items())
    reference, why = latency.common(base.identity, own.identity)
    measured_by = [reference or NAMES[-1]]
    old = runner.replicates([(base, side)], measured_by, {})  # says how often the reference repeats
    new: list[Replicate] = []
    verdicts: dict[str, Verdict] = {}
    for look in LOOKS:
        turns = alternating(look)[len(old) + len(new) :]
        sides = [(base, side) if of_base else (own, Side()) for of_base in turns]
        observed = runner.replicates(sides, measured_by, old[0].repeats)
        old += itertools.compress(observed, turns)
        new += itertools.compress(observed, map(operator.not_, turns))
        before, after = ([one if reference else latency.plain(one) for one in made] for made in (old, new))
        accepted = Measurement(base.cell, samples=latency.samples(before))
        verdicts |= {
            metric: latency.judge(metric, after, accepted, reference or latency.NONE, limit, cells, recorded=False)
            for metric, limit in rules.items()
            if metric not in verdicts or verdicts[metric].status == "inconclusive"  # what is decided stays
        }
        if all(verdict.status != "inconclusive" for verdict in verdicts.values()):
            break
    told = tuple(replace(one, detail=f"{one.detail} ({why})" if why else one.detail) for one in verdicts.values())
    return _measurement(own, new), told


def alternating(pairs: int) -> list[bool]:
    """Turns of so many pairs, True for the base's: it goes first in every other pair, so that drift cancels."""
    return [of_base for pair in range(pairs) for of_base in ((True, False) if pair % 2 == 0 else (False, True))]


Held = tuple[str, Measurement, str]  # metric, what it is held against, by which reference


def _against(
    rules: Mapping[str, float], accepted: Measurement, anchor: Measurement | None, identity: Identity,
    reference: str, repeats: Mapping[str, int],
) -> tuple[list[Held], list[Verdict]]:  # fmt: skip
    """What each gate is held against, and the verdict of an anchor that cannot be."""
    held: list[Held] = [(metric, accepted, reference) for metric in rules if metric != "latency_creep"]
    if not latency.gated(anchor) or anchor is None:
        return held, []
    of_anchor, why = latency.usable(anchor, identity)
    if of_anchor and latency.gated(anchor)["repeats"] != repeats:
        of_anchor, why = "", "repeats of the references differ"
    if not of_anchor:
        creep = {"latency_creep": rules["latency_creep"]}
        return held, [_without("incomparable", creep, f"anchor: {why}; set a new one: quantgate anchor set RELEASE")]
    return [*held, ("latency_creep", anchor, of_anchor)], []


def _measurement(own: Target, replicates: Sequence[Replicate]) -> Measurement:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    traced = latency.provenance(own.identity, replicates[0].repeats, len(replicates), now)
    busy = sorted({one.interference.high for one in replicates} - {""})
    notes = (f"busy while latency was gated: {busy[0]}",) if busy else ()
    return Measurement(own.cell, samples=latency.samples(replicates), provenance={"gated": traced}, notes=notes)


def _without(status: Status, rules: Mapping[str, float], detail: str) -> Verdict:
    """The verdict of a gate for which nothing was measured."""
    metric, limit = next(iter(rules.items()))
    return Verdict(metric, "baseline", status, None, None, f"≤ {1 + limit:g} × baseline", detail)
