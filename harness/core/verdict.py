"""A verdict: the judgement of one gate on one cell, its JSON, and its text in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from harness.core.status import Status

Against = Literal["baseline", "fp32", "limit"]
"""What a gate holds a cell against: its baseline, its fp32 sibling, or a fixed limit."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of one gate on one cell."""

    metric: str
    against: Against
    status: Status
    observed: float | None  # None: nothing was measured
    reference: float | None  # the value of the baseline or the fp32 sibling; None: there is none
    expected: str  # the limit in words: "≥ 0.4165"
    detail: str = ""  # the reason, where the numbers alone do not show it
    interval: tuple[float, float] | None = None  # of `observed`, with `reference` as exact; None: unknown


def verdict_from_json(data: dict[str, Any]) -> Verdict:
    """The verdict that `dataclasses.asdict` wrote."""
    interval = data.get("interval")
    return Verdict(**{**data, "interval": tuple(interval) if interval else None})


def verdict_line(verdict: Verdict) -> str:
    """A verdict in one line: metric, status, observed, expected, and the reason where there is one."""
    observed = "nothing" if verdict.observed is None else f"{verdict.observed:.6g}"
    against = {"baseline": " (baseline {:.6g})", "fp32": " (fp32 {:.6g})", "limit": ""}[verdict.against]
    known = against.format(verdict.reference) if verdict.reference is not None else ""
    detail = f": {verdict.detail}" if verdict.detail else ""
    expected = verdict.expected or "a comparable baseline"
    return f"{verdict.metric} {verdict.status}: observed {observed}, expected {expected}{known}{detail}"
