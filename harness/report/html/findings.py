"""The verdict that the HTML report begins with: what failed, how sure that is, and what could not be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.metrics import GATED, METRICS
from harness.core.status import FAILING, TABLE, UNDECIDED, Status, Tone, severity
from harness.core.suite import Gate
from harness.core.verdict import Verdict
from harness.core.words import counted
from harness.report.common.numbers import quantity
from harness.report.common.wording import repeat_command
from harness.report.html.chart_rows import limit_of
from harness.store.results import CellResult

EXACT = {"size_bytes": "exact: the bytes of the artifact", "attested_share": "exact: counted, not sampled"}
"""Metric → why its value needs no interval."""
AGAINST = {"baseline": "baseline", "fp32": "fp32", "limit": ""}
"""What a gate holds a metric against → the word for it in a finding."""


@dataclass(frozen=True)
class Gauge:
    """Where the numbers of a verdict lie on a line from 0 to 100. None: the number is not known."""

    value: float  # observed
    low: float | None  # ends of the interval of `value`
    high: float | None
    limit: float | None
    reference: float | None


@dataclass(frozen=True)
class Finding:
    """One verdict, or one cell that did not run, in words. A text is empty where there is nothing to say."""

    index: int  # of the cell, among the cells of all suites
    cell: str  # its id
    status: Status
    metric: str
    observed: str
    against: str  # what `observed` is a ratio to; empty where it is no ratio
    limit: str
    reference: str
    why: str  # how sure that is, or why the cell did not run
    repeat: str  # the command that repeats the cell
    gauge: Gauge | None = None  # None where there is nothing to see the value against


@dataclass(frozen=True)
class Group:
    """Cells about which there is one thing to say."""

    status: Status
    text: str
    cells: Sequence[str]  # their ids


@dataclass(frozen=True)
class Headline:
    """The verdict on a whole run."""

    text: str
    tone: Tone


def page_headline(results: Sequence[CellResult]) -> Headline:
    """The verdict on the cells of all suites, in one line."""
    counts = Counter(TABLE[result.status].tone for result in results)
    ran = len(results) - counts["none"]
    if counts["bad"]:
        verb = "fails its gates" if counts["bad"] == 1 else "fail their gates"
        return Headline(f"{counts['bad']} of {counted(ran, 'cell')} {verb}", "bad")
    if not ran:
        return Headline("Nothing could run here" if results else "No cells", "warn")
    if counts["warn"]:
        return Headline(f"Nothing failed; {counts['warn']} of {counted(ran, 'cell')} could not be judged", "warn")
    return Headline(f"All {ran} cells pass" if ran > 1 else "The cell passes", "good")


def findings(results: Sequence[CellResult], gates: Sequence[Gate], first: int = 0) -> list[Finding]:
    """What fails in one suite, the worst status first, and cells of one status in the suite's order.

    `first` is the index of the suite's first cell among the cells of all suites.
    """
    found: list[Finding] = []
    for index, result in enumerate(results, first):
        if result.status in ("error", "missing") and result.reason:
            found.append(_failure(index, result, result.reason))
        found += [_finding(index, result, v, gates) for v in result.verdicts if v.status in FAILING]
    return sorted(found, key=lambda one: severity(one.status))


def _failure(index: int, result: CellResult, reason: str) -> Finding:
    """A cell that did not run."""
    return Finding(
        index,
        result.id,
        result.status,
        metric="",
        observed="",
        against="",
        limit="",
        reference="",
        why=reason,
        repeat=repeat_command(result, ("accuracy", "latency"), ["pytest"]) if result.cell else "",
    )


def _finding(index: int, result: CellResult, verdict: Verdict, gates: Sequence[Gate]) -> Finding:
    """A verdict in words."""
    against = AGAINST[verdict.against]
    known = verdict.reference if against and not _is_ratio(verdict) else None
    return Finding(
        index,
        result.id,
        verdict.status,
        verdict.metric,
        observed=quantity(verdict.metric, verdict.observed),
        against=against if _is_ratio(verdict) else "",
        limit=allowed(verdict, result, gates),
        reference=f"{against} {quantity(verdict.metric, known)}" if known is not None else "",
        why=verdict.detail or EXACT.get(verdict.metric, "no interval: one number against a fixed limit"),
        repeat=repeat_command(result, [METRICS[verdict.metric].phase], ["pytest"]),
        gauge=_gauge(verdict, limit_of(verdict, result, gates)),
    )


def _gauge(verdict: Verdict, limit: float | None) -> Gauge | None:
    """The gauge of a verdict; None where there is nothing to see the value against."""
    low, high = verdict.interval or (None, None)
    ends = [end for end in (verdict.observed, low, high, limit, verdict.reference) if end is not None]
    if verdict.observed is None or max(ends) == min(ends):
        return None
    span, start = max(ends) - min(ends), min(ends)

    def place(value: float | None) -> float | None:
        return None if value is None else round(4 + 92 * (value - start) / span, 2)

    value = place(verdict.observed)
    assert value is not None
    return Gauge(value, place(low), place(high), place(limit), place(verdict.reference))


def allowed(verdict: Verdict, result: CellResult, gates: Sequence[Gate]) -> str:
    """What the gate lets pass: the bound of the suite's gate with its unit, or else the verdict's own words."""
    limit = limit_of(verdict, result, gates)
    sign = next((mark for mark in "≤≥" if verdict.expected.startswith(mark)), "")
    return f"{sign} {quantity(verdict.metric, limit)}" if limit is not None and sign else verdict.expected


def _is_ratio(verdict: Verdict) -> bool:
    """Whether `observed` is a ratio already, so that its reference is 1 by definition."""
    return verdict.metric in GATED and verdict.reference == 1.0


def undecided(results: Sequence[CellResult]) -> list[Group]:
    """Verdicts that are undecided, in groups with one cause each."""
    return _grouped(
        (v.status, v.detail, r.id) for status in UNDECIDED for r in results for v in r.verdicts if v.status == status
    )


def unavailable(results: Sequence[CellResult]) -> list[Group]:
    """Cells that cannot run here, in groups with one reason each."""
    return _grouped((r.status, r.reason or "", r.id) for r in results if r.status == "unavailable")


def note_groups(results: Sequence[CellResult]) -> list[Group]:
    """What a reader must know about cells that ran, in groups with one note each."""
    return _grouped((r.status, note, r.id) for r in results if r.measured for note in r.measured.notes)


def _grouped(said: Iterable[tuple[Status, str, str]]) -> list[Group]:
    """Groups with one text each, from triples of status, text and id of the cell. A cell is in a group once."""
    groups: dict[str, tuple[Status, dict[str, None]]] = {}
    for status, text, cell in said:
        groups.setdefault(text, (status, {}))[1][cell] = None
    return [Group(status, text, list(cells)) for text, (status, cells) in groups.items()]
