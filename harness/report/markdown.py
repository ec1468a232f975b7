"""Recorded as Markdown for pull requests and step summaries: the verdict first, never longer than GitHub takes. Pure.

What a result says (names, reasons, details) is foreign text: it is escaped, and cut where it is long. Every part has a
share of the room, counted in bytes of UTF-8, so that it holds in whatever unit a limit is meant; what does not fit is
counted.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from typing import TypeVar

from harness.core.status import FAILING, TABLE, UNDECIDED, Status
from harness.core.verdict import Verdict, verdict_line
from harness.report.common.numbers import difference, megabytes, milliseconds, number
from harness.report.common.view import display_order
from harness.report.common.wording import counts
from harness.store.results import CellResult, Recorded

LIMIT = 65_000  # bytes; a comment on GitHub takes 65,536 characters, and a workflow adds the mark that it finds it by
FAILED, UNSURE, NOTED = 0.35, 0.15, 0.1  # shares of the room; the table has what is left
NAME, SENTENCE, COMMAND = 120, 600, 2_000  # characters of foreign text
COLUMNS = ("", "cell", "verdict", "mAP", "Δ base", "Δ fp32", "p50 ms", "Δ time", "MB")


def render_markdown(results: Recorded, failing: Set[Status] = FAILING) -> str:
    """The whole text. `failing` are the statuses that fail the run, which its options say."""
    cells = sorted(results.cells, key=lambda one: display_order(one.status))
    head, tail = _head(results, cells, failing), _tail(results, cells, failing)
    room = LIMIT - _size(head) - _size(tail) - 1_000  # titles, and lines that count
    named = len({one.suite for one in cells}) > 1
    said = functools.partial(_said, named)
    failed = _listed("What failed, and how sure", _sayings(cells, failing), said, room * FAILED)
    unsure = _listed("What is not decided", _sayings(cells, set(UNDECIDED) - failing), said, room * UNSURE)
    notes = _listed("Notes", _notes(results), _noted, room * NOTED)
    table = _table(cells, named, room - sum(map(_size, (failed, unsure, notes))))
    return "\n\n".join(filter(None, [head, failed, unsure, table, notes, tail])) + "\n"


def _head(results: Recorded, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """One line that decides, and one that says of what."""
    worst = [one.status for one in cells if one.status in failing]
    unsure = [one.status for one in cells if one.status in UNDECIDED]
    if worst:
        title = f"❌ quantgate: {len(worst)} of {_cells(len(cells))} {worst[0]}"
        title += " or worse than allowed" * (len(set(worst)) > 1)
    elif unsure:
        title = f"⚠️ quantgate: nothing failed, {len(unsure)} of {_cells(len(cells))} undecided"
    else:
        title = f"✅ quantgate: {_cells(len(cells))} fine"
    suites = [str(suite["name"]) for suite in results.suites]
    shown = ", ".join(map(_text, suites[:3])) + (f" and {len(suites) - 3} more suites" if len(suites) > 3 else "")
    base = results.environment.get("base")
    against = f", against {_text(str(base))}" if base else ""
    machine = _text(str(results.environment.get("machine_class", "?")))
    return f"### {title}\n\n{shown} on {machine}{against}: {counts(cells)}"


Saying = tuple[CellResult, Verdict | None]  # a gate's verdict, or None for a cell that says its reason


def _sayings(cells: Sequence[CellResult], statuses: Set[Status]) -> list[Saying]:
    """Every verdict of these statuses, and the cells of these statuses that have a reason and no such verdict."""
    found: list[Saying] = []
    for one in cells:
        judged: list[Saying] = [(one, verdict) for verdict in one.verdicts if verdict.status in statuses]
        found += judged or ([(one, None)] if one.status in statuses and one.reason else [])
    return found


def _said(named: bool, saying: Saying) -> str:
    one, verdict = saying
    text, status = (verdict_line(verdict), verdict.status) if verdict else (f"{one.status}: {one.reason}", one.status)
    return f"- {TABLE[status].icon} {_name(one, named)}: {_text(text, SENTENCE)}"


def _table(cells: Sequence[CellResult], named: bool, room: float) -> str:
    """A row a cell, the worst first; what has no room is counted."""
    siblings = {(one.suite, one.cell): one for one in cells if one.cell}
    header = [_row(COLUMNS), "|" + "---|" * 3 + "---:|" * (len(COLUMNS) - 3)]
    fp32 = (siblings.get((one.suite, one.cell.sibling("fp32"))) if one.cell else None for one in cells)
    rows = (_row(_fields(one, sibling, named)) for one, sibling in zip(cells, fp32, strict=True))
    kept = _fitting(rows, room - _size("\n".join(header)))
    rest = cells[len(kept) :]
    return "\n".join([*header, *kept]) + (f"\n\n… and {len(rest)} more cells: {counts(rest)}" if rest else "")


def _fields(one: CellResult, fp32: CellResult | None, named: bool) -> list[str]:
    score, before = one.metric("map"), (one.baseline or {}).get("map")
    return [
        TABLE[one.status].icon,
        _name(one, named),
        one.status,
        number(score, ".4f"),
        difference(score, before),
        difference(score, fp32.metric("map") if fp32 and fp32 is not one else None),
        milliseconds(one.metric("latency_p50_ms")),
        next((number(v.observed - 1, "+.1%") for v in one.verdicts if _of_time(v) and v.observed is not None), "–"),
        megabytes(one.metric("size_bytes")),
    ]


def _of_time(verdict: Verdict) -> bool:
    return verdict.metric == "latency" and verdict.against == "baseline"


def _row(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _notes(results: Recorded) -> list[tuple[str, int]]:
    """What a reader of the table must know, each once, and how many cells say it."""
    grouped = Counter(note for one in results.cells for note in (one.measured.notes if one.measured else ()))
    return [*grouped.items(), *((f"latency here is unreliable: {said}", 0) for said in results.stability)]


def _noted(note: tuple[str, int]) -> str:
    text, count = note
    return f"- {f'{_cells(count)}: ' if count else ''}{_text(text, SENTENCE)}"


def _tail(results: Recorded, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """How to repeat it, how to accept it, and where it was measured."""
    known = results.environment
    parts = ["**Reproduce**", _block(str(known.get("command", "pytest")))]
    against_it = [
        v for one in cells for v in one.verdicts if v.against == "baseline" and v.status in {*failing, *UNDECIDED}
    ]
    if against_it or any(one.status == "missing" for one in cells):
        parts += ["**Accept**, where the change is meant, with the results of the machine that judges:"]
        parts += [_block('quantgate baseline accept .quantgate/results.json --reason "why"')]
        if known.get("base"):
            parts += ["This run was held against a commit and no stored baseline: merging accepts it."]
    shown = ("cpu", "isa", "cores", "system", "python", "base")
    parts += ["Measured on " + ", ".join(f"{name} {_text(str(known[name]))}" for name in shown if name in known)]
    return "\n\n".join(parts)


# Text that fits and does not break out


Item = TypeVar("Item")


def _listed(title: str, items: Sequence[Item], form: Callable[[Item], str], room: float) -> str:
    """A titled list of as many items as fit; the rest is counted."""
    kept = _fitting(map(form, items), room)
    rest = [f"- … and {len(items) - len(kept)} more"] if len(kept) < len(items) else []
    return "\n".join([f"**{title}**\n", *kept, *rest]) if items else ""


def _fitting(lines: Iterable[str], room: float) -> list[str]:
    """The first lines that fit; no more are made."""
    kept = []
    for line in lines:
        room -= _size(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _size(text: str) -> int:
    return len(text.encode())


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"


def _name(one: CellResult, named: bool) -> str:
    """The cell as code, where GitHub looks for no mention; with its suite where there are several."""
    return f"<code>{_text(f'{one.suite}: {one.id}' if named else one.id)}</code>"


def _text(foreign: str, most: int = NAME) -> str:
    """Foreign text as plain text on one line, of at most `most` characters: Markdown's and HTML's signs are escaped."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in foreign).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return re.sub(r"([\\`*_|<>&\[\]~$#!])", r"\\\1", line).replace("@", "@\u200b")


def _block(command: str) -> str:
    """A command as code that can be copied."""
    shown = command if len(command) <= COMMAND else command[: COMMAND - 1] + "…"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}bash\n{shown}\n{fence}"
