"""The verdict that a report begins with: what failed, how sure that is, and what could not be judged. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.metrics import GATED, METRICS
from harness.core.status import FAILING, TABLE, UNDECIDED, Status, Tone, severity
from harness.core.suite import Gate
from harness.core.verdict import Verdict
from harness.report.common.wording import repeat
from harness.report.html.chart_rows import limit_of
from harness.store.results import CellResult

EXACT = {"size_bytes": "exact: the bytes of the artifact", "attested_share": "exact: counted, not sampled"}
AGAINST = {"baseline": "baseline", "fp32": "fp32", "limit": ""}


@dataclass(frozen=True)
class Gauge:
    """Where value, interval, limit and reference of a verdict lie between 0 and 100; None: not known."""

    value: float
    low: float | None
    high: float | None
    limit: float | None
    reference: float | None


@dataclass(frozen=True)
class Finding:
    """One verdict, or one cell that did not run, in words."""

    index: int  # of the cell
    cell: str
    status: Status
    metric: str
    observed: str
    against: str  # what `observed` is a ratio to; empty where it is none
    limit: str
    reference: str
    why: str  # how sure
    repeat: str
    gauge: Gauge | None = None


@dataclass(frozen=True)
class Group:
    """Cells of which the same is to be said."""

    status: Status
    text: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Headline:
    text: str
    tone: Tone


def page_headline(results: Sequence[CellResult]) -> Headline:
    """The run in one line."""
    counts = Counter(TABLE[result.status].tone for result in results)
    ran = len(results) - counts["none"]
    if counts["bad"]:
        verb = "fails its gates" if counts["bad"] == 1 else "fail their gates"
        return Headline(f"{counts['bad']} of {_cells(ran)} {verb}", "bad")
    if not ran:
        return Headline("Nothing could run here" if results else "No cells", "warn")
    if counts["warn"]:
        return Headline(f"Nothing failed; {counts['warn']} of {_cells(ran)} could not be judged", "warn")
    return Headline(f"All {_cells(ran)} pass" if ran > 1 else "The cell passes", "good")


def findings(results: Sequence[CellResult], gates: Sequence[Gate], first: int = 0) -> list[Finding]:
    """What fails, the worst status first; then as the suite orders its cells."""
    found: list[Finding] = []
    for index, result in enumerate(results, first):
        if result.status in ("error", "missing") and result.reason:
            again = repeat(result, ("accuracy", "latency"), ["pytest"]) if result.cell else ""
            found.append(Finding(index, result.id, result.status, "", "", "", "", "", result.reason, again))
        found += [_finding(index, result, v, gates) for v in result.verdicts if v.status in FAILING]
    return sorted(found, key=lambda one: severity(one.status))


def _finding(index: int, result: CellResult, verdict: Verdict, gates: Sequence[Gate]) -> Finding:
    against = AGAINST[verdict.against]
    known = verdict.reference if against and not ratio(verdict) else None
    return Finding(
        index, result.id, verdict.status, verdict.metric,
        quantity(verdict.metric, verdict.observed), against if ratio(verdict) else "",
        allowed(verdict, result, gates),
        f"{against} {quantity(verdict.metric, known)}" if known is not None else "",
        verdict.detail or EXACT.get(verdict.metric, "no interval: one number against a fixed limit"),
        repeat(result, [METRICS[verdict.metric].phase], ["pytest"]),
        _gauge(verdict, limit_of(verdict, result, gates)),
    )  # fmt: skip


def _gauge(verdict: Verdict, limit: float | None) -> Gauge | None:
    """None where there is nothing to see the value against."""
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
    """What the gate lets pass, with its unit where the suite's gate of that name is known."""
    limit = limit_of(verdict, result, gates)
    sign = next((mark for mark in "≤≥" if verdict.expected.startswith(mark)), "")
    return f"{sign} {quantity(verdict.metric, limit)}" if limit is not None and sign else verdict.expected


def ratio(verdict: Verdict) -> bool:
    """Whether `observed` is a ratio already, and the reference 1 by definition."""
    return verdict.metric in GATED and verdict.reference == 1.0


def quantity(metric: str, value: float | None) -> str:
    """A number of a metric with its unit."""
    if value is None:
        return "nothing"
    unit = METRICS[metric].unit
    if unit == "B":
        return f"{value / 1e6:.2f} MB"
    if metric in (*GATED, "latency_ratio"):
        return f"{value:.3f} ×"
    form = {"": ".4f", "ms": ".2f", "calls": ".0f"}.get(unit, ".1f")
    return f"{value:{form}} {unit}".strip().replace("-", "−")


def undecided(results: Sequence[CellResult]) -> list[Group]:
    """What is neither green nor red, once per cause."""
    return _grouped(
        (v.status, v.detail, r.id) for status in UNDECIDED for r in results for v in r.verdicts if v.status == status
    )


def unavailable(results: Sequence[CellResult]) -> list[Group]:
    """What cannot run here, each reason once."""
    return _grouped((r.status, r.reason or "", r.id) for r in results if r.status == "unavailable")


def note_groups(results: Sequence[CellResult]) -> list[Group]:
    """What a reader must know of cells that ran, each note once."""
    return _grouped((r.status, note, r.id) for r in results if r.measured for note in r.measured.notes)


def _grouped(said: Iterable[tuple[Status, str, str]]) -> list[Group]:
    groups: dict[str, tuple[Status, dict[str, None]]] = {}
    for status, text, cell in said:
        groups.setdefault(text, (status, {}))[1][cell] = None
    return [Group(status, text, list(cells)) for text, (status, cells) in groups.items()]


def _cells(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"
