"""The lines under the tables: why, what is unsure, what failed and how to repeat it. Pure."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import Status
from harness.judge.gates import say
from harness.measure.accuracy.score_cache import REUSED
from harness.report.common.tables import STYLES
from harness.report.common.view import severity
from harness.store.results import CellResult

if TYPE_CHECKING:
    from harness.plugin.session import Session

WALL_CLOCK_SHOWN = 0.05  # smaller changes of a stored p50 are not worth a line
LOUD: tuple[Status, ...] = ("incomparable", "no-baseline", "inconclusive")


def lines(session: Session) -> Iterator[Text]:
    """From what explains the table to what the reader has to act on."""
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
    for status in LOUD:
        grouped: dict[str, set[str]] = {}
        for result in results:
            for verdict in result.verdicts:
                if verdict.status == status:
                    grouped.setdefault(verdict.detail, set()).add(result.id)
        for detail, cells in grouped.items():
            named = _some(sorted(cells))
            yield Text(f"{status.upper()}: {len(cells)} cell{'s' * (len(cells) > 1)} ({named}): {detail}", "yellow")


def _failures(session: Session) -> Iterator[Text]:
    """Per failing gate or distinct error: observed, expected, and below it how to repeat that cell alone."""
    errors: dict[str, list[CellResult]] = {}
    for result in session.results:
        if result.status in ("error", "missing") and result.reason:
            errors.setdefault(result.reason, []).append(result)
        for verdict in result.verdicts:
            if verdict.status in session.failing:
                yield Text(f"{result.suite}: {result.id}: {say(verdict)}", STYLES[verdict.status])
                yield _repeated(repeat(result, [METRICS[verdict.metric].phase], session.again))
    for reason, cells in errors.items():
        first = cells[0]
        named = f"{first.suite}: {first.id}" + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")
        yield Text(f"{named}: {first.status}: {reason}", STYLES[first.status])
        if first.cell:
            yield _repeated(repeat(first, ("accuracy", "latency"), session.again))


def _repeated(command: str) -> Text:
    return Text(f"  repeat: {command}", no_wrap=True)


def repeat(result: CellResult, phases: Sequence[str], again: Sequence[str]) -> str:
    """The command that runs this cell alone, from the same folder. By test id, since `-k` knows no `~`."""
    return shlex.join([*again, *(f"{result.file}::test_{phase}[{result.id}]" for phase in phases)])


def _tally(session: Session) -> str:
    """Counts of statuses and of builds."""
    timings = [
        result.measured.timings
        for result in session.results
        if result.measured and "build_s" in result.measured.timings
    ]
    built = sum(timing["build_s"] > 0 for timing in timings)
    return f"cells: {counts(session.results)}; artifacts: {built} built, {len(timings) - built} from the cache"


def counts(results: Sequence[CellResult]) -> str:
    """`1 regressed, 12 unchanged`, the worst first."""
    found = Counter(result.status for result in results)
    return ", ".join(f"{found[status]} {status}" for status in sorted(found, key=severity))
