"""The lines below the tables: why cells could not run, what is undecided, what failed and how to repeat it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import TABLE, UNDECIDED
from harness.core.verdict import verdict_line
from harness.core.words import counted
from harness.measure.accuracy.score_cache import REUSED
from harness.report.common.wording import repeat_command, status_counts
from harness.report.outcome import Outcome
from harness.store.results import CellResult

WALL_CLOCK_SHOWN = 0.05  # a share; smaller changes against a stored p50 are not worth a line


def message_lines(outcome: Outcome) -> Iterator[Text]:
    """All lines, from what explains the tables to what the reader has to act on."""
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
        if accepted.refused:
            named = f"{counted(len(accepted.refused), 'cell')} ({_some(accepted.refused)})"
            yield Text(f"baselines: {named} refused: there is no mAP to accept", "yellow")
        yield Text(f"baselines: {accepted.written} written, {accepted.unchanged} unchanged, in {accepted.folder}")


def _reasons(results: Sequence[CellResult]) -> Iterator[Text]:
    """A line for each reason why cells are unavailable."""
    grouped: dict[str, dict[str, None]] = {}
    for result in results:
        if result.status == "unavailable" and result.cell:
            kind = f"{result.cell.backend} {result.cell.precision}"
            grouped.setdefault(result.reason or "", {})[kind] = None
    for reason, kinds in grouped.items():
        yield Text(f"unavailable: {', '.join(kinds)}: {reason}", "dim")


def _wall_clocks(results: Sequence[CellResult]) -> Iterator[Text]:
    """A line with the three cells whose p50 moved most against the stored wall clock.

    It is shown and not gated: how fast the machine was on another day is no basis for a gate.
    """
    moved = []
    for result in results:
        now, before = result.metric("latency_p50_ms"), (result.baseline or {}).get("latency_p50_ms")
        if now and before and abs(now / before - 1) >= WALL_CLOCK_SHOWN:
            moved.append((abs(math.log(now / before)), f"{result.id} {before:.2f} → {now:.2f} ms"))
    if moved:
        shown = [text for _, text in sorted(moved, reverse=True)]
        yield Text(f"p50 against the stored wall clock (shown, not gated): {_some(shown)}", "dim")


def _notes(results: Sequence[CellResult]) -> Iterator[Text]:
    """A line for each note on cells that ran."""
    grouped: dict[str, list[str]] = {}
    for result in results:
        for note in result.measured.notes if result.measured else ():
            grouped.setdefault(note, []).append(result.id)
    for note, cells in grouped.items():
        yield Text(f"note: {_some(cells)}: {note}", "dim" if note == REUSED else "yellow")


def _some(texts: Sequence[str]) -> str:
    """The first three texts, and how many there are besides."""
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _loud(results: Sequence[CellResult]) -> Iterator[Text]:
    """A line for each cause why verdicts are undecided, or cells not run."""
    absent: dict[str, list[str]] = {}
    for result in results:
        if result.status == "not-run" and result.reason:
            absent.setdefault(result.reason, []).append(result.id)
    for reason, ids in absent.items():
        yield Text(f"NOT RUN: {counted(len(ids), 'cell')} ({_some(ids)}): {reason}", "yellow")
    for status in UNDECIDED:
        grouped: dict[str, set[str]] = {}
        for result in results:
            for verdict in result.verdicts:
                if verdict.status == status:
                    grouped.setdefault(verdict.detail, set()).add(result.id)
        for detail, cells in grouped.items():
            named = _some(sorted(cells))
            yield Text(f"{status.upper()}: {counted(len(cells), 'cell')} ({named}): {detail}", "yellow")


def _failures(outcome: Outcome) -> Iterator[Text]:
    """What failed, and below it the command that repeats the cell alone.

    Each failing gate has a line with what was observed and expected. Cells with one and the same error share a line.
    """
    errors: dict[str, list[CellResult]] = {}
    for result in outcome.results:
        if result.status in ("error", "missing") and result.reason:
            errors.setdefault(result.reason, []).append(result)
        for verdict in result.verdicts:
            if verdict.status in outcome.failing:
                yield Text(f"{result.suite}: {result.id}: {verdict_line(verdict)}", TABLE[verdict.status].colour)
                yield _repeated(repeat_command(result, [METRICS[verdict.metric].phase], outcome.again))
    for reason, cells in errors.items():
        first = cells[0]
        named = f"{first.suite}: {first.id}" + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")
        yield Text(f"{named}: {first.status}: {reason}", TABLE[first.status].colour)
        if first.cell:
            yield _repeated(repeat_command(first, ("accuracy", "latency"), outcome.again))


def _repeated(command: str) -> Text:
    return Text(f"  repeat: {command}", no_wrap=True)


def _tally(outcome: Outcome) -> str:
    """How many cells have which status, and how many artifacts were built."""
    timings = [
        result.measured.timings
        for result in outcome.results
        if result.measured and "build_s" in result.measured.timings
    ]
    built = sum(timing["build_s"] > 0 for timing in timings)
    return f"cells: {status_counts(outcome.results)}; artifacts: {built} built, {len(timings) - built} from the cache"
