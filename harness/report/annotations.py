"""Workflow commands that GitHub shows on the lines of a pull request: one for each failing or undecided cell.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from harness.core.status import UNDECIDED, Status
from harness.core.verdict import verdict_line
from harness.report.common.view import display_order
from harness.store.results import CellResult, Recorded

SHOWN = 10  # annotations of one kind that GitHub shows for a step
LENGTH = 2_000  # characters of a message


@dataclass(frozen=True)
class _Place:
    """The line on which a suite is declared."""

    file: str  # seen from the top of the repository
    line: int


def annotate(results: Recorded, failing: Set[Status], folder: str = "") -> Iterator[str]:
    """Lines of the form `::error file=…,line=…,title=…::…`, the worst cell first.

    A failing cell is an error, and an undecided one a warning, on the line on which its suite is declared. The last
    annotation of a kind names all cells that GitHub would not show.

    `failing` are the statuses that fail in this run. `folder` is the folder of the run, seen from the top of the
    repository; empty for the top itself.
    """
    declared = _declared(results, folder)
    cells = sorted(results.cells, key=lambda one: display_order(one.status))
    for kind, statuses in (("error", failing), ("warning", frozenset(UNDECIDED) - failing)):
        chosen = [one for one in cells if one.status in statuses and one.suite in declared]
        shown = chosen if len(chosen) <= SHOWN else chosen[: SHOWN - 1]
        for one in shown:
            yield _command(kind, declared[one.suite], f"{one.id}: {one.status}", _message(one, statuses))
        if rest := chosen[len(shown) :]:
            title = f"{len(rest)} more cells"
            yield _command(kind, declared[rest[0].suite], title, ", ".join(one.id for one in rest))


def _declared(results: Recorded, folder: str) -> dict[str, _Place]:
    """Name of a suite → the line on which it is declared."""
    above = f"{folder}/" if folder else ""
    return {
        str(suite["name"]): _Place(f"{above}{suite['file']}", suite.get("line") or 1)  # older results have no line
        for suite in results.suites
    }


def _message(one: CellResult, statuses: Set[Status]) -> str:
    """Why a cell has its status: its reason, and its verdicts of these statuses."""
    said: Sequence[str] = [verdict_line(verdict) for verdict in one.verdicts if verdict.status in statuses]
    return "\n".join([*([one.reason] if one.reason else []), *said]) or one.status


def _command(kind: str, place: _Place, title: str, message: str) -> str:
    file, title = _property(place.file), _property(title)
    return f"::{kind} file={file},line={place.line},title={title}::{_data(message[:LENGTH])}"


def _data(text: str) -> str:
    """A message, escaped as GitHub's toolkit escapes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a command, escaped as GitHub's toolkit escapes it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
