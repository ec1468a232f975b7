"""A run in one line that can be pasted into a chat: what, where, how many, the worst, the best. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from harness.core.status import FINE, Status, severity
from harness.core.verdict import Verdict
from harness.report.common.numbers import difference, divided, megabytes, milliseconds, number
from harness.report.common.tables import NONE
from harness.report.common.wording import counts
from harness.store.results import CellResult


def chat_line(suite: str, results: Sequence[CellResult], failing: Set[Status], machine: str, revision: str) -> str:
    """`machine` is its class; `revision` names the commit, and may be empty."""
    place = f"{suite} on {machine}" + (f" at {revision}" if revision else "")
    return "; ".join([f"quantgate {place}: {counts(results)}", *_worst(results, failing), *_best(results)])


def _worst(results: Sequence[CellResult], failing: Set[Status]) -> Iterator[str]:
    """The error, or else the gate that is missed by most of its reference; how sure stands in the verdict's detail."""
    broken = [one for one in results if one.reason and one.status in failing]
    if broken:
        yield f"worst: {broken[0].id} {broken[0].status}: {broken[0].reason}"
        return
    missed = [(one, verdict) for one in results for verdict in one.verdicts if verdict.status in failing]
    if missed:
        cell, verdict = min(missed, key=lambda pair: (severity(pair[1].status), -_distance(pair[1])))
        gate = verdict.metric + " against fp32" * (verdict.against == "fp32")
        yield f"worst: {cell.id} {gate} {verdict.status}: {_seen(verdict)}, allowed {verdict.expected}"


def _seen(verdict: Verdict) -> str:
    """The change with its interval, as far as the verdict tells one."""
    told = verdict.detail.partition(";")[0]
    observed = "nothing" if verdict.observed is None else f"{verdict.observed:.4g}"
    return told if told[:1] in "+−" and told else f"{observed}, {told}" if told else observed


def _distance(verdict: Verdict) -> float:
    if verdict.observed is None or not verdict.reference:
        return float("inf")
    return abs(verdict.observed / verdict.reference - 1)


def _best(results: Sequence[CellResult]) -> Iterator[str]:
    """The fastest cell that passed, against its fp32 sibling; the smallest where nothing was timed."""
    siblings = {one.cell: one for one in results}
    for metric, word in (("latency_p50_ms", "fastest"), ("size_bytes", "smallest")):
        passed = [(value, one) for one in results if one.status in FINE and (value := one.metric(metric)) is not None]
        if passed:
            _, one = min(passed, key=lambda pair: pair[0])
            fp32 = siblings.get(one.cell.sibling("fp32")) if one.cell else None
            yield f"{word} that passes: {one.id}: {_figures(one, fp32 if fp32 is not one else None)}"
            return


def _figures(one: CellResult, fp32: CellResult | None) -> str:
    score, size = one.metric("map"), one.metric("size_bytes")
    own = {
        "mAP {}": number(score, ".4f"),
        "{} ms": milliseconds(one.metric("latency_p50_ms")),
        "{} MB": megabytes(size),
    }
    to_fp32 = {
        "{}": difference(score, fp32.metric("map") if fp32 else None),
        "{}× as fast": number(divided(1.0, one.metric("latency_ratio")), ".2f"),
        "{}× the size": number(divided(size, fp32.metric("size_bytes") if fp32 else None), ".2f"),
    }
    shown, relative = (
        ", ".join(form.format(value) for form, value in parts.items() if value != NONE) for parts in (own, to_fp32)
    )
    return shown + (f" (against fp32: {relative})" if relative else "")
