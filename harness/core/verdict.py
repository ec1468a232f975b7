"""One gate applied to one cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from harness.core.status import Status

Against = Literal["baseline", "fp32", "limit"]


@dataclass(frozen=True)
class Verdict:
    """One gate applied to one cell."""

    metric: str
    against: Against
    status: Status
    observed: float | None
    reference: float | None  # the baseline's or the fp32 sibling's value; None for a fixed limit
    expected: str  # the limit in words: "≥ 0.4165"
    detail: str = ""  # why, where the numbers alone do not say it
    interval: tuple[float, float] | None = None  # of `observed`, `reference` taken as exact; None: none is known


def verdict_from_json(data: dict[str, Any]) -> Verdict:
    interval = data.get("interval")
    return Verdict(**{**data, "interval": tuple(interval) if interval else None})


def verdict_line(verdict: Verdict) -> str:
    """A verdict in one line: metric, status, observed, expected."""
    observed = "nothing" if verdict.observed is None else f"{verdict.observed:.6g}"
    against = {"baseline": " (baseline {:.6g})", "fp32": " (fp32 {:.6g})", "limit": ""}[verdict.against]
    known = against.format(verdict.reference) if verdict.reference is not None else ""
    detail = f": {verdict.detail}" if verdict.detail else ""
    expected = verdict.expected or "a comparable baseline"
    return f"{verdict.metric} {verdict.status}: observed {observed}, expected {expected}{known}{detail}"
