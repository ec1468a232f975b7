"""Every status of a verdict or a cell, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Status = Literal[
    "error",
    "regressed",
    "missed",
    "missing",
    "incomparable",
    "no-baseline",
    "inconclusive",
    "unavailable",
    "unchanged",
    "met",
    "improved",
]


SEVERITY: tuple[Status, ...] = Status.__args__  # type: ignore[attr-defined]
"""Worst first; a cell's status is the worst of its verdicts."""


FAILING: frozenset[Status] = frozenset({"error", "regressed", "missed", "missing"})
"""What makes pytest fail without any option."""


def worst(statuses: Sequence[Status]) -> Status:
    """The worst of `statuses`; a cell without gates has nothing to miss and is `met`."""
    return min(statuses, key=SEVERITY.index, default="met")
