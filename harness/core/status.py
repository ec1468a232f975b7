"""Every status that a verdict or a cell can have: how bad it is, and how a report shows it. One row per status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

Status = Literal[
    "error",
    "regressed",
    "missed",
    "missing",
    "incomparable",
    "no-baseline",
    "inconclusive",
    "not-run",
    "unavailable",
    "unchanged",
    "met",
    "improved",
]
"""The name of a status. docs/suites.md explains each."""

Tone = Literal["bad", "warn", "good", "none"]
"""The colour family of a status in the HTML report."""


class Traits(NamedTuple):
    """What a status means for a test, and how a report shows it."""

    fails: bool  # the test fails even where no option asks for it
    undecided: bool  # neither passed nor failed; every report says so in a line of its own
    tone: Tone  # colour in the HTML report
    icon: str  # in Markdown reports
    colour: str  # in the terminal: a style of rich


TABLE: dict[Status, Traits] = {
    "error": Traits(True, False, "bad", "❌", "bold red"),
    "regressed": Traits(True, False, "bad", "❌", "bold red"),
    "missed": Traits(True, False, "bad", "❌", "bold red"),
    "missing": Traits(True, False, "bad", "❌", "bold red"),
    "incomparable": Traits(False, True, "warn", "⚠️", "yellow"),
    "no-baseline": Traits(False, True, "warn", "⚠️", "yellow"),
    "inconclusive": Traits(False, True, "warn", "⚠️", "yellow"),
    "not-run": Traits(False, True, "warn", "⚠️", "yellow"),
    "unavailable": Traits(False, False, "none", "➖", "dim"),
    "unchanged": Traits(False, False, "good", "✅", "green"),
    "met": Traits(False, False, "good", "✅", "green"),
    "improved": Traits(False, False, "good", "✅", "bold green"),
}
"""The traits of every status, the worst status first. A cell has the worst status of its verdicts."""

SEVERITY: tuple[Status, ...] = tuple(TABLE)
"""Every status, the worst first."""

FAILING: frozenset[Status] = frozenset(status for status, traits in TABLE.items() if traits.fails)
"""The statuses that fail a test."""

UNDECIDED: tuple[Status, ...] = tuple(status for status, traits in TABLE.items() if traits.undecided)
"""The statuses that neither pass nor fail, the worst first."""

FINE: tuple[Status, ...] = tuple(status for status, traits in TABLE.items() if traits.tone == "good")
"""The statuses of a cell that was judged and passed, the worst first."""


def severity(status: Status) -> int:
    """The rank of a status, 0 for the worst: a key to sort by."""
    return SEVERITY.index(status)


def worst(statuses: Sequence[Status]) -> Status:
    """The worst of `statuses`; `met` where there are none, since a cell without gates misses none."""
    return min(statuses, key=severity, default="met")
