"""What a person sees at the end of a run: tables as wide as the terminal, and lines that say what to do."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.text import Text

from harness.machine.fingerprint import machine_class
from harness.measure.explain.explain import from_json
from harness.report.common.tables import STYLES, draw, fitted, pages
from harness.report.common.view import best, chosen, in_vain
from harness.report.terminal import cells, details, explanation
from harness.report.terminal.headline import headline
from harness.report.terminal.messages import lines
from harness.store.results import CellResult, Plan

if TYPE_CHECKING:
    from harness.plugin.session import Session

WIDTH = 100  # columns where the terminal does not tell


def summary(session: Session, width: int, colour: bool, folded: bool) -> str:
    """Everything under pytest's own output. `folded`: sentences are broken at words, as a terminal wants them and a
    pipe does not; a line that is made to be copied (`Text.no_wrap`) never is."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, no_color=not colour, highlight=False)
    show(console, session, folded)
    return "".join(line.rstrip(" ") + "\n" for line in stream.getvalue().splitlines())


def show(console: Console, session: Session, folded: bool) -> None:
    """Tables, reasons and the line for the chat; with -q the verdicts and that line."""
    for part in _verdicts(session) if session.view.verbosity < 0 else _everything(session, console.width):
        if folded and isinstance(part, Text) and not part.no_wrap and part.cell_len > console.width:
            part = Text("\n  ").join(part.wrap(console, console.width - 2))
        console.print(part, soft_wrap=isinstance(part, str | Text))
    if session.problem:
        console.print(Text(session.problem, "bold red"), soft_wrap=True)


def _verdicts(session: Session) -> Iterator[RenderableType]:
    for result in chosen(session.results, session.view):
        yield Text.assemble((f"{result.status:<12} ", STYLES[result.status]), result.id)
    yield from _in_vain(session)
    yield from _headlines(session)


def _everything(session: Session, width: int) -> Iterator[RenderableType]:
    for plan, results in _suites(session):
        yield from draw(fitted(cells.sheet(plan, results, session.view), width), width)
        if best(results) & {one.id for one in chosen(results, session.view)}:
            cheaper = "faster" if any(one.metric("latency_p50_ms") for one in results) else "smaller"
            yield Text(f"{cells.MARK}no other cell is both {cheaper} and more accurate", "dim")
        yield ""
        if session.view.verbosity > 0:
            yield from _details(session, results, width)
    for result in session.results:
        if result.explanation:
            yield from explanation.render(from_json(result.explanation))
    yield from _in_vain(session)
    yield from lines(session)
    if not session.problem:
        yield Text(f"results: {session.settings.run.parent.parent / 'results.json'}", no_wrap=True)
    yield ""
    yield from _headlines(session)


def _details(session: Session, results: Sequence[CellResult], width: int) -> Iterator[RenderableType]:
    for sheet in details.sheets(results, session.view):
        for page in pages(sheet, width):
            yield from draw(page, width)
            yield ""
    yield from details.notes(results)
    yield from details.judged(results, session.view)
    yield ""


def _in_vain(session: Session) -> Iterator[Text]:
    yield from (Text(line, "yellow") for line in in_vain(session.results, session.view))


def _headlines(session: Session) -> Iterator[Text]:
    for plan, results in _suites(session):
        said = headline(plan.suite, results, session.failing, machine_class(), str(session.revision or ""))
        yield Text(said, "bold", no_wrap=True)


def _suites(session: Session) -> Iterator[tuple[Plan, list[CellResult]]]:
    for plan in session.plans:
        yield plan, [result for result in session.results if result.suite == plan.suite]
