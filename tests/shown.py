"""Results as a run leaves them, and what a terminal of some width shows of them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Sequence
from typing import Any

from builders import measurement
from rich.console import Console, RenderableType

from harness.core.cell import Cell
from harness.core.status import Status
from harness.core.verdict import Verdict
from harness.report.common.tables import Sheet, draw, fitted
from harness.store.results import CellResult, Plan

FP32 = Cell("yolo26n", "fp32", "onnxruntime")
PLAN = Plan("demo", "test_demo.py", (), (), threads=2)


def result(
    cell: Cell = FP32,
    status: Status = "unchanged",
    verdicts: Sequence[Verdict] = (),
    baseline: dict[str, float | None] | None = None,
    per_class: dict[str, float | None] | None = None,
    executed: dict[str, int] | None = None,
    provenance: dict[str, Any] | None = None,
    **metrics: float | None,
) -> CellResult:
    """A cell that was measured, with `metrics` on top of a mAP of 0.4185 and 1,000 bytes."""
    made = measurement(cell, **metrics)
    measured = dataclasses.replace(
        made,
        per_class=per_class or {},
        instances=dict.fromkeys(per_class or {}, 20),
        executed=executed or {},
        provenance={**made.provenance, **(provenance or {})},
    )
    return CellResult("demo", cell.id, cell, status, None, measured, tuple(verdicts), baseline, "test_demo.py")


def unavailable(cell: Cell, reason: str = "no runtime") -> CellResult:
    return CellResult("demo", cell.id, cell, "unavailable", reason, None)


def rendered(parts: Iterable[RenderableType], width: int, colour: bool = False) -> str:
    """What a console of that width prints, without spaces at the ends of lines."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system="standard" if colour else None)
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def table(sheet: Sheet, width: int, colour: bool = False) -> str:
    """A sheet as it is fitted to the width."""
    return rendered(draw(fitted(sheet, width), width), width, colour)


def row(text: str, word: str) -> str:
    """The first line with a word."""
    return next(line for line in text.splitlines() if word in line)
