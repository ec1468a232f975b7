"""A run in one line that can be pasted into a chat: suite, machine, how many cells of which status, worst and best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from harness.core.status import FINE, Status, severity
from harness.core.verdict import Verdict
from harness.report.common.numbers import NONE, difference, divided, megabytes, milliseconds, number
from harness.report.common.view import detects, fp32_siblings
from harness.report.common.wording import status_counts
from harness.store.results import CellResult


def chat_line(suite: str, results: Sequence[CellResult], failing: Set[Status], machine: str, revision: str) -> str:
    """The line of one suite.

    `failing` are the statuses that fail in this run. `machine` is the machine's class. `revision` names the commit;
    empty where there is none.
    """
    place = f"{suite} on {machine} at {revision}" if revision else f"{suite} on {machine}"
    return "; ".join([f"quantgate {place}: {status_counts(results)}", *_worst(results, failing), *_best(results)])


def _worst(results: Sequence[CellResult], failing: Set[Status]) -> Iterator[str]:
    """The first cell that fails with a reason, such as a crash, or else the gate that is missed by most.

    By how much a gate is missed is a share of its reference; how sure that is stands in the verdict's detail.
    """
    broken = [one for one in results if one.reason and one.status in failing]
    if broken:
        yield f"worst: {broken[0].id} {broken[0].status}: {broken[0].reason}"
        return
    missed = [(one, verdict) for one in results for verdict in one.verdicts if verdict.status in failing]
    if missed:
        cell, verdict = min(missed, key=lambda pair: (severity(pair[1].status), -_distance(pair[1])))
        gate = f"{verdict.metric} against fp32" if verdict.against == "fp32" else verdict.metric
        yield f"worst: {cell.id} {gate} {verdict.status}: {_seen(verdict)}, allowed {verdict.expected}"


def _seen(verdict: Verdict) -> str:
    """The change with its interval, where the verdict's detail begins with one, or else the value and the detail."""
    told = verdict.detail.partition(";")[0]
    if told.startswith(("+", "−")):
        return told
    observed = "nothing" if verdict.observed is None else f"{verdict.observed:.4g}"
    return f"{observed}, {told}" if told else observed


def _distance(verdict: Verdict) -> float:
    """How far a value is from its reference, as a share of the reference; infinite where one of them is not known."""
    if verdict.observed is None or not verdict.reference:
        return float("inf")
    return abs(verdict.observed / verdict.reference - 1)


def _best(results: Sequence[CellResult]) -> Iterator[str]:
    """The fastest cell that passed, against its fp32 sibling; the smallest where nothing was timed."""
    fp32_of = fp32_siblings(results)
    for metric, word in (("latency_p50_ms", "fastest"), ("size_bytes", "smallest")):
        fine = [one for one in results if one.status in FINE and detects(one)]
        passed = [(value, one) for one in fine if (value := one.metric(metric)) is not None]
        if passed:
            _, one = min(passed, key=lambda pair: pair[0])
            yield f"{word} that passes: {one.id}: {_figures(one, fp32_of(one))}"
            return


def _figures(one: CellResult, fp32: CellResult | None) -> str:
    """The numbers of a cell that are known, and in brackets how they compare with fp32."""
    score, size = one.metric("map"), one.metric("size_bytes")
    own = _known(
        {
            "mAP {}": number(score, ".4f"),
            "{} ms": milliseconds(one.metric("latency_p50_ms")),
            "{} MB": megabytes(size),
        }
    )
    to_fp32 = _known(
        {
            "{}": difference(score, fp32.metric("map") if fp32 else None),
            "{}× as fast": number(divided(1.0, one.metric("latency_ratio")), ".2f"),
            "{}× the size": number(divided(size, fp32.metric("size_bytes") if fp32 else None), ".2f"),
        }
    )
    return f"{own} (against fp32: {to_fp32})" if to_fp32 else own


def _known(parts: dict[str, str]) -> str:
    """The numbers in their forms, without the numbers that are not known."""
    return ", ".join(form.format(value) for form, value in parts.items() if value != NONE)
