"""Results as Markdown for pull requests and step summaries: the verdict first, never longer than GitHub takes.

Names, reasons and details come from elsewhere: they are escaped, and cut where they are long. Every part of the text
has a share of the room. The room is counted in bytes of UTF-8, so that it suffices whether GitHub counts bytes or
characters. What finds no room is counted.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from harness.core.status import FAILING, TABLE, UNDECIDED, Status
from harness.core.verdict import Verdict, verdict_line
from harness.core.words import counted
from harness.report.common.numbers import difference, megabytes, milliseconds, number, signed
from harness.report.common.view import display_order, fp32_siblings, latency_change
from harness.report.common.wording import status_counts
from harness.store.results import CellResult, Recorded

LIMIT = 65_000  # bytes; a comment on GitHub takes 65,536 characters, and a workflow adds the mark that it finds it by
FAILED, UNSURE, NOTED = 0.35, 0.15, 0.1  # shares of the room; the table has what is left
NAME, SENTENCE, COMMAND = 120, 600, 2_000  # characters of foreign text
COLUMNS = ("", "cell", "verdict", "mAP", "Δ base", "Δ fp32", "p50 ms", "Δ time", "MB")


@dataclass(frozen=True)
class _Saying:
    """Something to say about a cell: a verdict of one of its gates, or, without a verdict, the cell's reason."""

    cell: CellResult
    verdict: Verdict | None


@dataclass(frozen=True)
class _Note:
    """Something that a reader of the table must know."""

    text: str
    cells: int  # how many cells say it; 0: it is about the whole run


def render_markdown(results: Recorded, failing: Set[Status] = FAILING) -> str:
    """The whole text. `failing` are the statuses that fail in this run."""
    cells = sorted(results.cells, key=lambda one: display_order(one.status))
    head, tail = _head(results, cells, failing), _tail(results, cells, failing)
    room = LIMIT - _size(head) - _size(tail) - 1_000  # bytes for titles, and for lines that count
    named = len({one.suite for one in cells}) > 1
    said = functools.partial(_said, named=named)
    failed = _listed("What failed, and how sure", _sayings(cells, failing), said, room * FAILED)
    unsure = _listed("What is not decided", _sayings(cells, set(UNDECIDED) - failing), said, room * UNSURE)
    notes = _listed("Notes", _notes(results), _noted, room * NOTED)
    table = _table(cells, named, room - sum(map(_size, (failed, unsure, notes))))
    return "\n\n".join(filter(None, [head, failed, unsure, table, notes, tail])) + "\n"


def _head(results: Recorded, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """The verdict on the run in one line; below it the suites, the machine, and how many cells have which status."""
    suites = [str(suite["name"]) for suite in results.suites]
    shown = ", ".join(map(_text, suites[:3])) + (f" and {len(suites) - 3} more suites" if len(suites) > 3 else "")
    base = results.environment.get("base")
    against = f", against {_text(str(base))}" if base else ""
    machine = _text(str(results.environment.get("machine_class", "?")))
    return f"### {_title(cells, failing)}\n\n{shown} on {machine}{against}: {status_counts(cells)}"


def _title(cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """The verdict on the run; `cells` are sorted, the worst first."""
    failed = [one.status for one in cells if one.status in failing]
    unsure = [one.status for one in cells if one.status in UNDECIDED]
    total = counted(len(cells), "cell")
    if failed:
        others = " or worse than allowed" if len(set(failed)) > 1 else ""
        return f"❌ quantgate: {len(failed)} of {total} {failed[0]}{others}"
    if unsure:
        return f"⚠️ quantgate: nothing failed, {len(unsure)} of {total} undecided"
    return f"✅ quantgate: {total} fine"


def _sayings(cells: Sequence[CellResult], statuses: Set[Status]) -> list[_Saying]:
    """Every verdict of these statuses, and the reason of each cell that has such a status but no such verdict."""
    found: list[_Saying] = []
    for one in cells:
        judged = [_Saying(one, verdict) for verdict in one.verdicts if verdict.status in statuses]
        if not judged and one.status in statuses and one.reason:
            judged = [_Saying(one, None)]
        found += judged
    return found


def _said(saying: _Saying, named: bool) -> str:
    """A line of a list; `named`: with the suite of the cell."""
    one, verdict = saying.cell, saying.verdict
    text, status = (verdict_line(verdict), verdict.status) if verdict else (f"{one.status}: {one.reason}", one.status)
    return f"- {TABLE[status].icon} {_name(one, named)}: {_text(text, SENTENCE)}"


def _table(cells: Sequence[CellResult], named: bool, room: float) -> str:
    """A row for each cell, the worst first, in `room` bytes; the cells that find no room are counted."""
    header = [_row(COLUMNS), "|" + "---|" * 3 + "---:|" * (len(COLUMNS) - 3)]
    fp32_of = fp32_siblings(cells)
    rows = (_row(_fields(one, fp32_of(one), named)) for one in cells)
    kept = _fitting(rows, room - _size("\n".join(header)))
    rest = cells[len(kept) :]
    left = f"\n\n… and {len(rest)} more cells: {status_counts(rest)}" if rest else ""
    return "\n".join([*header, *kept]) + left


def _fields(one: CellResult, fp32: CellResult | None, named: bool) -> list[str]:
    """What stands in the columns of a cell."""
    score, before = one.metric("map"), (one.baseline or {}).get("map")
    return [
        TABLE[one.status].icon,
        _name(one, named),
        one.status,
        number(score, ".4f"),
        difference(score, before),
        difference(score, fp32.metric("map") if fp32 else None),
        milliseconds(one.metric("latency_p50_ms")),
        signed(latency_change(one), "+.1%"),
        megabytes(one.metric("size_bytes")),
    ]


def _row(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _notes(results: Recorded) -> list[_Note]:
    """The notes of the cells, each once, and what makes latency unreliable here."""
    grouped = Counter(note for one in results.cells for note in (one.measured.notes if one.measured else ()))
    of_cells = [_Note(text, cells) for text, cells in grouped.items()]
    return of_cells + [_Note(f"latency here is unreliable: {said}", 0) for said in results.stability]


def _noted(note: _Note) -> str:
    whose = f"{counted(note.cells, 'cell')}: " if note.cells else ""
    return f"- {whose}{_text(note.text, SENTENCE)}"


def _tail(results: Recorded, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """How to repeat the run, how to accept its results, and on which machine it measured."""
    known = results.environment
    parts = ["**Reproduce**", _block(str(known.get("command", "pytest")))]
    loud = {*failing, *UNDECIDED}
    moved = any(verdict.against == "baseline" and verdict.status in loud for one in cells for verdict in one.verdicts)
    if moved or any(one.status == "missing" for one in cells):
        parts += ["**Accept**, where the change is meant, with the results of the machine that judges:"]
        parts += [_block('quantgate baseline accept .quantgate/results.json --reason "why"')]
        if known.get("base"):
            parts += ["This run was held against a commit and no stored baseline: merging accepts it."]
    shown = ("cpu", "isa", "cores", "system", "python", "base")
    parts += ["Measured on " + ", ".join(f"{name} {_text(str(known[name]))}" for name in shown if name in known)]
    return "\n\n".join(parts)


# Text that finds room and does not break out


Item = TypeVar("Item")


def _listed(title: str, items: Sequence[Item], form: Callable[[Item], str], room: float) -> str:
    """A titled list of as many items as find room in `room` bytes; the others are counted. Empty without items."""
    if not items:
        return ""
    kept = _fitting(map(form, items), room)
    rest = [f"- … and {len(items) - len(kept)} more"] if len(kept) < len(items) else []
    return "\n".join([f"**{title}**\n", *kept, *rest])


def _fitting(lines: Iterable[str], room: float) -> list[str]:
    """The first lines that fit into `room` bytes; the lines behind them are never made."""
    kept = []
    for line in lines:
        room -= _size(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _size(text: str) -> int:
    return len(text.encode())


def _name(one: CellResult, named: bool) -> str:
    """The cell as code, in which GitHub looks for no mention. `named`: with its suite, since there are several."""
    return f"<code>{_text(f'{one.suite}: {one.id}' if named else one.id)}</code>"


def _text(foreign: str, most: int = NAME) -> str:
    """Foreign text as plain text on one line of at most `most` characters: Markdown's and HTML's signs are escaped."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in foreign).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return re.sub(r"([\\`*_|<>&\[\]~$#!])", r"\\\1", line).replace("@", "@\u200b")


def _block(command: str) -> str:
    """A command as a block of code, from which it can be copied."""
    shown = command if len(command) <= COMMAND else command[: COMMAND - 1] + "…"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}bash\n{shown}\n{fence}"
