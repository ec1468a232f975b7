"""One gate applied to one cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
