"""The lines under the tables: why, what is unsure, what failed and how to repeat it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import TABLE, UNDECIDED
from harness.core.verdict import verdict_line
from harness.measure.accuracy.score_cache import REUSED
from harness.report.common.wording import counts, repeat
from harness.report.outcome import Outcome
from harness.store.results import CellResult

WALL_CLOCK_SHOWN = 0.05  # smaller changes of a stored p50 are not worth a line


def message_lines(outcome: Outcome) -> Iterator[Text]:
    """From what explains the table to what the reader has to act on."""
    yield from _wall_clocks(outcome.results)
    yield from _reasons(outcome.results)
    yield from _notes(outcome.results)
    if outcome.stability and any(result.metric("latency_p50_ms") for result in outcome.results):
        yield Text(f"latency here is unreliable: {'; '.join(outcome.stability)}", "yellow")
    yield from _loud(outcome.results)
    yield from _failures(outcome)
    yield Text(_tally(outcome))
    if accepted := outcome.accepted:
        for happened, cells in accepted.occasions.items():
            yield Text(f"gated latency: {happened}: {_some(cells)}")
        yield Text(f"baselines: {accepted.written} written, {accepted.unchanged} unchanged, in {accepted.folder}")


def _reasons(results: Sequence[CellResult]) -> Iterator[Text]:
    """Why cells are unavailable, each reason once."""
    reasons = Counter(
        (r.reason or "", r.cell.backend, r.cell.precision) for r in results if r.status == "unavailable" and r.cell
    )
    grouped: dict[str, list[str]] = {}
    for reason, backend, precision in reasons:
        grouped.setdefault(reason, []).append(f"{backend} {precision}")
    for reason, cells in grouped.items():
        yield Text(f"unavailable: {', '.join(cells)}: {reason}", "dim")


def _wall_clocks(results: Sequence[CellResult]) -> Iterator[Text]:
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


def _notes(results: Sequence[CellResult]) -> Iterator[Text]:
    grouped: dict[str, list[str]] = {}
    for result in results:
        for note in result.measured.notes if result.measured else ():
            grouped.setdefault(note, []).append(result.id)
    for note, cells in grouped.items():
        yield Text(f"note: {_some(cells)}: {note}", "dim" if note == REUSED else "yellow")


def _some(cells: Sequence[str]) -> str:
    """The first few of many."""
    return ", ".join(cells[:3]) + (f" and {len(cells) - 3} more" if len(cells) > 3 else "")


def _loud(results: Sequence[CellResult]) -> Iterator[Text]:
    """What is neither green nor red, once per cause."""
    for status in UNDECIDED:
        grouped: dict[str, set[str]] = {}
        for result in results:
            for verdict in result.verdicts:
                if verdict.status == status:
                    grouped.setdefault(verdict.detail, set()).add(result.id)
        for detail, cells in grouped.items():
            named = _some(sorted(cells))
            yield Text(f"{status.upper()}: {len(cells)} cell{'s' * (len(cells) > 1)} ({named}): {detail}", "yellow")


def _failures(outcome: Outcome) -> Iterator[Text]:
    """Per failing gate or distinct error: observed, expected, and below it how to repeat that cell alone."""
    errors: dict[str, list[CellResult]] = {}
    for result in outcome.results:
        if result.status in ("error", "missing") and result.reason:
            errors.setdefault(result.reason, []).append(result)
        for verdict in result.verdicts:
            if verdict.status in outcome.failing:
                yield Text(f"{result.suite}: {result.id}: {verdict_line(verdict)}", TABLE[verdict.status].colour)
                yield _repeated(repeat(result, [METRICS[verdict.metric].phase], outcome.again))
    for reason, cells in errors.items():
        first = cells[0]
        named = f"{first.suite}: {first.id}" + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")
        yield Text(f"{named}: {first.status}: {reason}", TABLE[first.status].colour)
        if first.cell:
            yield _repeated(repeat(first, ("accuracy", "latency"), outcome.again))


def _repeated(command: str) -> Text:
    return Text(f"  repeat: {command}", no_wrap=True)


def _tally(outcome: Outcome) -> str:
    """Counts of statuses and of builds."""
    timings = [
        result.measured.timings
        for result in outcome.results
        if result.measured and "build_s" in result.measured.timings
    ]
    built = sum(timing["build_s"] > 0 for timing in timings)
    return f"cells: {counts(outcome.results)}; artifacts: {built} built, {len(timings) - built} from the cache"
