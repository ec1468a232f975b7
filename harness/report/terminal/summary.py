"""What the terminal shows at the end of a run: tables that fit its width, and lines that say what to do."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from harness.core.status import TABLE
from harness.measure.explain.explain import from_json
from harness.report.common.tables import draw, fitted, pages
from harness.report.common.view import chosen, in_vain, pareto_front
from harness.report.outcome import Outcome
from harness.report.terminal import cells, details, explanation
from harness.report.terminal.headline import chat_line
from harness.report.terminal.messages import message_lines
from harness.store.results import CellResult

WIDTH = 100  # columns of an output that does not tell its width


def summary(outcome: Outcome, width: int, colour: bool, folded: bool) -> str:
    """Everything below pytest's own output, for a terminal of `width` columns.

    `folded`: sentences are broken between words, as a terminal needs it and a pipe does not. A line that is made to be
    copied (`Text.no_wrap`) is never broken.
    """
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, no_color=not colour, highlight=False)
    show(console, outcome, folded)
    return "".join(line.rstrip(" ") + "\n" for line in stream.getvalue().splitlines())


def show(console: Console, outcome: Outcome, folded: bool) -> None:
    """Print tables, reasons and the line for the chat; with `-q`, verdicts and the line for the chat.

    `folded` is described at `summary`.
    """
    for part in _verdicts(outcome) if outcome.view.verbosity < 0 else _everything(outcome, console.width):
        if folded and isinstance(part, Text) and not part.no_wrap and part.cell_len > console.width:
            part = Text("\n  ").join(part.wrap(console, console.width - 2))
        console.print(part, soft_wrap=isinstance(part, str | Text))
    if outcome.problem:
        console.print(Text(outcome.problem, "bold red"), soft_wrap=True)


def _verdicts(outcome: Outcome) -> Iterator[RenderableType]:
    """What `-q` leaves: a line for each cell, and the lines for the chat."""
    for result in chosen(outcome.results, outcome.view):
        yield Text.assemble((f"{result.status:<12} ", TABLE[result.status].colour), result.id)
    yield from _in_vain(outcome)
    yield from _headlines(outcome)


def _everything(outcome: Outcome, width: int) -> Iterator[RenderableType]:
    """Tables, explanations and messages; the lines for the chat come last."""
    for plan, results in outcome.suites():
        yield from draw(fitted(cells.suite_sheet(plan, results, outcome.view), width), width)
        if pareto_front(results) & {one.id for one in chosen(results, outcome.view)}:
            cheaper = "faster" if any(one.metric("latency_p50_ms") for one in results) else "smaller"
            yield Text(f"{cells.MARK}no other cell is both {cheaper} and more accurate", "dim")
        yield ""
        if outcome.view.verbosity > 0:
            yield from _details(outcome, results, width)
    for result in outcome.results:
        if result.explanation:
            yield from explanation.render_explanation(from_json(result.explanation))
    yield from _in_vain(outcome)
    yield from message_lines(outcome)
    if not outcome.problem:
        yield Text(f"results: {outcome.results_file}", no_wrap=True)
    yield ""
    yield from _headlines(outcome)


def _details(outcome: Outcome, results: Sequence[CellResult], width: int) -> Iterator[RenderableType]:
    """What `-v` adds for one suite."""
    for sheet in details.sheets(results, outcome.view):
        for page in pages(sheet, width):
            yield from draw(page, width)
            yield ""
    yield from details.column_notes(results)
    yield from details.judged(results, outcome.view)
    yield ""


def _in_vain(outcome: Outcome) -> Iterator[Text]:
    yield from (Text(line, "yellow") for line in in_vain(outcome.results, outcome.view))


def _headlines(outcome: Outcome) -> Iterator[Text]:
    """The line for the chat, for each suite."""
    for plan, results in outcome.suites():
        said = chat_line(plan.suite, results, outcome.failing, outcome.machine.machine_class, outcome.commit)
        yield Text(said, "bold", no_wrap=True)
