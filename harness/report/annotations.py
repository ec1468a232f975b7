"""Workflow commands that GitHub shows on the lines of a pull request: one a failing or undecided cell. Pure.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from harness.core.status import UNDECIDED, Status
from harness.core.verdict import verdict_line
from harness.report.common.view import display_order
from harness.store.results import CellResult, Recorded

SHOWN = 10  # annotations of one kind that GitHub shows of a step
LENGTH = 2_000  # characters of a message


def annotate(results: Recorded, failing: Set[Status], folder: str = "") -> Iterator[str]:
    """`::error file=…,line=…,title=…::…` where the suite is declared; the worst first.

    `folder`: of the run, seen from the top of the repository; empty for the top itself.
    """
    declared = {
        str(suite["name"]): (f"{folder}/" * bool(folder) + str(suite["file"]), suite.get("line") or 1)
        for suite in results.suites
    }
    cells = sorted(results.cells, key=lambda one: display_order(one.status))
    for kind, statuses in (("error", failing), ("warning", frozenset(UNDECIDED) - failing)):
        chosen = [one for one in cells if one.status in statuses and one.suite in declared]
        shown = chosen if len(chosen) <= SHOWN else chosen[: SHOWN - 1]
        for one in shown:
            yield _command(kind, *declared[one.suite], f"{one.id}: {one.status}", _message(one, statuses))
        if rest := chosen[len(shown) :]:
            title = f"{len(rest)} more cells"
            yield _command(kind, *declared[rest[0].suite], title, ", ".join(one.id for one in rest))


def _message(one: CellResult, statuses: Set[Status]) -> str:
    said: Sequence[str] = [verdict_line(verdict) for verdict in one.verdicts if verdict.status in statuses]
    return "\n".join([*([one.reason] if one.reason else []), *said]) or one.status


def _command(kind: str, file: str, line: int, title: str, message: str) -> str:
    return f"::{kind} file={_property(file)},line={line},title={_property(title)}::{_data(message[:LENGTH])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
