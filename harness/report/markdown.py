"""Results as Markdown for pull requests and step summaries: the verdict first, never longer than GitHub takes. Pure.

What a result says (names, reasons, details) is foreign text: it is escaped, and cut where it is long. Every part has a
share of the room, counted in bytes of UTF-8, so that it holds in whatever unit a limit is meant; what does not fit is
counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set

from harness.report.lines import LOUD, counts
from harness.report.numbers import change, megabytes, milliseconds, number
from harness.report.order import severity
from harness.results import CellResult, Results
from harness.types import FAILING, Status, Verdict
from harness.verdicts import say

LIMIT = 65_536  # characters of a comment on GitHub
MARK = "<!-- quantgate -->"  # of the comment that is updated in place
FAILED, UNSURE, NOTED = 0.35, 0.15, 0.1  # shares of the room; the table has what is left
NAME, SENTENCE, COMMAND = 120, 600, 2_000  # characters of foreign text
ICONS: dict[Status, str] = {
    **dict.fromkeys(FAILING, "❌"),
    **dict.fromkeys(LOUD, "⚠️"),
    **dict.fromkeys(("unchanged", "met", "improved"), "✅"),
    "unavailable": "➖",
}
COLUMNS = ("", "cell", "verdict", "mAP", "Δ base", "Δ fp32", "p50 ms", "Δ time", "MB")


def render(results: Results, failing: Set[Status] = FAILING) -> str:
    """The whole text. `failing` are the statuses that fail the run, which its options say."""
    cells = sorted(results.cells, key=lambda one: severity(one.status))
    named = len({one.suite for one in cells}) > 1
    failed = [line for one in cells for line in _verdicts(one, named, failing)]
    unsure = [line for one in cells for line in _verdicts(one, named, set(LOUD) - failing)]
    head, tail = _head(results, cells, failing), _tail(results, cells, failing)
    room = LIMIT - _size(MARK) - _size(head) - _size(tail) - 1_000  # titles, and lines that count
    parts = [
        MARK,
        head,
        _listed("What failed, and how sure", failed, room * FAILED),
        _listed("What is not decided", unsure, room * UNSURE),
    ]
    notes = _listed("Notes", list(_notes(results)), room * NOTED)
    left = room - sum(map(_size, [*parts[2:], notes]))
    return "\n\n".join(filter(None, [*parts, _table(cells, named, left), notes, tail])) + "\n"


def _head(results: Results, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """One line that decides, and one that says of what."""
    worst = [one.status for one in cells if one.status in failing]
    unsure = [one.status for one in cells if one.status in LOUD]
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


def _verdicts(one: CellResult, named: bool, statuses: Set[Status]) -> Iterator[str]:
    """A line for every gate that has one of these statuses, or for a cell that has no verdict at all."""
    said = [verdict for verdict in one.verdicts if verdict.status in statuses]
    for verdict in said:
        yield f"- {ICONS[verdict.status]} {_name(one, named)}: {_text(say(verdict), SENTENCE)}"
    if one.status in statuses and one.reason and not said:
        yield f"- {ICONS[one.status]} {_name(one, named)}: {one.status}: {_text(one.reason, SENTENCE)}"


def _table(cells: Sequence[CellResult], named: bool, room: float) -> str:
    """A row a cell, the worst first; what has no room is counted."""
    siblings = {(one.suite, one.cell): one for one in cells if one.cell}
    header = [_row(COLUMNS), "|" + "---|" * 3 + "---:|" * (len(COLUMNS) - 3)]
    rows = [_row(_fields(one, siblings.get((one.suite, one.cell.sibling("fp32"))) if one.cell else None, named))
            for one in cells]  # fmt: skip
    kept = _fitting(rows, room - _size("\n".join(header)))
    rest = cells[len(kept) :]
    return "\n".join([*header, *kept]) + (f"\n\n… and {len(rest)} more cells: {counts(rest)}" if rest else "")


def _fields(one: CellResult, fp32: CellResult | None, named: bool) -> list[str]:
    score, before = one.metric("map"), (one.baseline or {}).get("map")
    return [
        ICONS[one.status],
        _name(one, named),
        one.status,
        number(score, ".4f"),
        change(score, before),
        change(score, fp32.metric("map") if fp32 and fp32 is not one else None),
        milliseconds(one.metric("latency_p50_ms")),
        next((number(v.observed - 1, "+.1%") for v in one.verdicts if _of_time(v) and v.observed is not None), "–"),
        megabytes(one.metric("size_bytes")),
    ]


def _of_time(verdict: Verdict) -> bool:
    return verdict.metric == "latency" and verdict.against == "baseline"


def _row(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _notes(results: Results) -> Iterator[str]:
    """What a reader of the table must know, each once."""
    grouped: dict[str, int] = {}
    for one in results.cells:
        for note in one.measured.notes if one.measured else ():
            grouped[note] = grouped.get(note, 0) + 1
    for note, count in grouped.items():
        yield f"- {_cells(count)}: {_text(note, SENTENCE)}"
    yield from (f"- latency here is unreliable: {_text(said, SENTENCE)}" for said in results.stability)


def _tail(results: Results, cells: Sequence[CellResult], failing: Set[Status]) -> str:
    """How to repeat it, how to accept it, and where it was measured."""
    known = results.environment
    parts = ["**Reproduce**", _block(str(known.get("command", "pytest")))]
    against_it = [v for one in cells for v in one.verdicts if v.against == "baseline" and v.status in {*failing, *LOUD}]
    if against_it or any(one.status == "missing" for one in cells):
        parts += ["**Accept**, where the change is meant, with the results of the machine that judges:"]
        parts += [_block('quantgate baseline accept .quantgate/results.json --reason "why"')]
        if known.get("base"):
            parts += ["This run was held against a commit and no stored baseline: merging accepts it."]
    shown = ("cpu", "isa", "cores", "system", "python", "base")
    parts += ["Measured on " + ", ".join(f"{name} {_text(str(known[name]))}" for name in shown if name in known)]
    return "\n\n".join(parts)


# Text that fits and does not break out


def _listed(title: str, lines: Sequence[str], room: float) -> str:
    """A titled list of as many lines as fit; the rest is counted."""
    kept = _fitting(lines, room)
    left = len(lines) - len(kept)
    return "\n".join([f"**{title}**\n", *kept, *([f"- … and {left} more"] if left else [])]) if lines else ""


def _fitting(lines: Sequence[str], room: float) -> list[str]:
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
