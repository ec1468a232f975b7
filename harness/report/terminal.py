"""The table at the end of a run, and the lines under it that say what failed and how to repeat it."""

from __future__ import annotations

import io
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.explain import from_json
from harness.metrics import METRICS
from harness.report import explanation
from harness.report.explanation import NONE
from harness.results import CellResult, Plan
from harness.types import Status
from harness.verdicts import say

if TYPE_CHECKING:
    from harness.session import Session

WIDTH = 100  # columns where the terminal does not tell
WALL_CLOCK_SHOWN = 0.05  # smaller changes of a stored p50 are not worth a line
STYLES: dict[Status, str] = {
    "error": "bold red",
    "regressed": "bold red",
    "missed": "bold red",
    "missing": "bold red",
    "incomparable": "yellow",
    "no-baseline": "yellow",
    "inconclusive": "yellow",
    "unavailable": "dim",
    "unchanged": "green",
    "met": "green",
    "improved": "bold green",
}
LOUD: tuple[Status, ...] = ("incomparable", "no-baseline", "inconclusive")
SHORT = {
    "fp32": "f32",
    "fp16": "f16",
    "bf16": "bf16",
    "int8": "i8",
    "int8-dynamic": "i8",
    "int8-qat": "i8",
    "w8a16": "i16",
}


def summary(session: Session, width: int, colour: bool) -> str:
    """Everything under pytest's own output."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, no_color=not colour, highlight=False)
    for plan in session.plans:
        results = [result for result in session.results if result.suite == plan.suite]
        console.print(table(plan, results))
    for result in session.results:
        if result.explanation:
            for part in explanation.render(from_json(result.explanation)):
                console.print(part, soft_wrap=isinstance(part, str))
    for line in _lines(session):
        console.print(line, soft_wrap=True)
    return stream.getvalue()


def table(plan: Plan, results: Sequence[CellResult]) -> Table:
    """One suite: size, latency and mAP of every cell, and what its gates say."""
    images = next(
        (r.measured.provenance["images"] for r in results if r.measured and "images" in r.measured.provenance), None
    )
    title = f"{plan.suite}: {images or 'no'} images, p50 on {plan.threads} thread{'s' * (plan.threads > 1)}"
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0))
    for name in ("model", "backend", "precision"):
        drawn.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("MB", "×fp32", "p50 ms", "speed", "mAP", "Δ base", "Δ fp32"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    siblings = {result.cell: result for result in results if result.cell}
    previous = None
    for result in results:
        shown = _row(result, siblings.get(result.cell.sibling("fp32")) if result.cell else None)
        group = (result.cell.model, result.cell.backend) if result.cell else (result.id, "")
        drawn.add_row(
            "" if previous and previous[0] == group[0] else group[0], "" if previous == group else group[1], *shown
        )
        previous = group
    return drawn


def _row(result: CellResult, fp32: CellResult | None) -> list[Text | str]:
    size, p50, score = (result.metric(name) for name in ("size_bytes", "latency_p50_ms", "map"))
    before = (result.baseline or {}).get("map")
    reference = fp32.metric("map") if fp32 else None
    ratio = result.metric("latency_ratio")
    return [
        _precision(result),
        _number(size and size / 1e6, "{:.1f}" if size and size >= 1e8 else "{:.2f}"),
        _number(_divided(size, fp32.metric("size_bytes") if fp32 else None), "{:.2f}"),
        _number(p50, "{:.1f}" if p50 and p50 >= 100 else "{:.2f}"),
        _number(_divided(1.0, ratio), "{:.2f}×"),
        _number(score, "{:.4f}"),
        _change(score, before),
        _change(score, reference) if fp32 is not result else Text(NONE),
        Text(result.status, STYLES[result.status]),
    ]


def _precision(result: CellResult) -> str:
    """The precision, and what executed where that is another type: `fp16 (f32)`. Of a ready file also what it is."""
    if result.cell is None:
        return NONE
    measured = result.measured
    found = measured.provenance.get("precision") if measured else None
    executed = measured.executed if measured else {}
    ran = max(executed, key=lambda kind: executed[kind], default=None)
    named = f"{result.cell.precision}: {found}" if found else result.cell.precision
    return f"{named} ({ran})" if ran not in (None, SHORT.get(found or result.cell.family)) else named


def _number(value: float | None, form: str) -> str:
    return NONE if value is None else form.format(value)


def _divided(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None


def _change(now: float | None, before: float | None) -> Text:
    if now is None or before is None:
        return Text(NONE)
    change = round(now - before, 4)
    return Text(f"{change:+.4f}".replace("-", "−") if change else "0.0000", "red" if change < 0 else "")


# Lines under the tables


def _lines(session: Session) -> Iterable[Text]:
    yield from _wall_clocks(session.results)
    yield from _reasons(session.results)
    yield from _notes(session.results)
    if session.stability and any(result.metric("latency_p50_ms") for result in session.results):
        yield Text(f"latency here is unreliable: {'; '.join(session.stability)}", "yellow")
    yield from _loud(session.results)
    yield from _failures(session)
    yield Text(_tally(session))
    if session.updated is not None:
        written, same = session.updated["written"], session.updated["unchanged"]
        for happened, cells in session.recorded.items():
            yield Text(f"gated latency: {happened}: {_some(cells)}")
        yield Text(f"baselines: {len(written)} written, {len(same)} unchanged, in {session.baselines}")
    if session.problem:
        yield Text(session.problem, "bold red")
    else:
        yield Text(f"results: {session.settings.run.parent.parent / 'results.json'}")


def _reasons(results: Sequence[CellResult]) -> Iterable[Text]:
    """Why cells are unavailable, each reason once."""
    reasons = Counter(
        (r.reason or "", r.cell.backend, r.cell.precision) for r in results if r.status == "unavailable" and r.cell
    )
    grouped: dict[str, list[str]] = {}
    for reason, backend, precision in reasons:
        grouped.setdefault(reason, []).append(f"{backend} {precision}")
    for reason, cells in grouped.items():
        yield Text(f"unavailable: {', '.join(cells)}: {reason}", "dim")


def _wall_clocks(results: Sequence[CellResult]) -> Iterable[Text]:
    """What moved most against the stored wall clock; another day's machine is no basis for a gate."""
    moved = []
    for result in results:
        now, before = result.metric("latency_p50_ms"), (result.baseline or {}).get("latency_p50_ms")
        if now and before and abs(now / before - 1) >= WALL_CLOCK_SHOWN:
            moved.append((abs(math.log(now / before)), f"{result.id} {before:.2f} → {now:.2f} ms"))
    if moved:
        shown = [text for _, text in sorted(moved, reverse=True)]
        rest = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        yield Text(f"p50 against the stored wall clock (shown, not gated): {', '.join(shown[:3])}{rest}", "dim")


def _notes(results: Sequence[CellResult]) -> Iterable[Text]:
    grouped: dict[str, list[str]] = {}
    for result in results:
        for note in result.measured.notes if result.measured else ():
            grouped.setdefault(note, []).append(result.id)
    for note, cells in grouped.items():
        yield Text(f"note: {_some(cells)}: {note}", "yellow")


def _some(cells: Sequence[str]) -> str:
    """The first few of many."""
    return ", ".join(cells[:3]) + (f" and {len(cells) - 3} more" if len(cells) > 3 else "")


def _loud(results: Sequence[CellResult]) -> Iterable[Text]:
    """What is neither green nor red, once per cause."""
    for status in LOUD:
        grouped: dict[str, set[str]] = {}
        for result in results:
            for verdict in result.verdicts:
                if verdict.status == status:
                    grouped.setdefault(verdict.detail, set()).add(result.id)
        for detail, cells in grouped.items():
            named = _some(sorted(cells))
            yield Text(f"{status.upper()}: {len(cells)} cell{'s' * (len(cells) > 1)} ({named}): {detail}", "yellow")


def _failures(session: Session) -> Iterable[Text]:
    """One line per failing gate or distinct error: observed, expected, and how to repeat that cell alone."""
    errors: dict[str, list[CellResult]] = {}
    for result in session.results:
        if result.status in ("error", "missing") and result.reason:
            errors.setdefault(result.reason, []).append(result)
        for verdict in result.verdicts:
            if verdict.status in session.failing:
                again = repeat(result, [METRICS[verdict.metric].phase], session.again)
                yield Text(
                    f"{result.suite}: {result.id}: {say(verdict)}; repeat: {again}",
                    STYLES[verdict.status],
                )
    for reason, cells in errors.items():
        first = cells[0]
        named = f"{first.suite}: {first.id}" + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")
        again = f"; repeat: {repeat(first, ('accuracy', 'latency'), session.again)}" if first.cell else ""
        yield Text(f"{named}: {first.status}: {reason}{again}", STYLES[first.status])


def repeat(result: CellResult, phases: Sequence[str], again: Sequence[str]) -> str:
    """The command that runs this cell alone, from the same folder. By test id, since `-k` knows no `~`."""
    return shlex.join([*again, *(f"{result.file}::test_{phase}[{result.id}]" for phase in phases)])


def _tally(session: Session) -> str:
    """Counts of statuses and of builds."""
    counts = Counter(result.status for result in session.results)
    timings = [
        result.measured.timings
        for result in session.results
        if result.measured and "build_s" in result.measured.timings
    ]
    built = sum(timing["build_s"] > 0 for timing in timings)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"cells: {statuses}; artifacts: {built} built, {len(timings) - built} from the cache"
