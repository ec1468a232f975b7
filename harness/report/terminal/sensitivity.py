"""The sensitivity of a network's groups of layers to int8, as a table and the sentence below it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from harness.core.cell import Cell, size_text
from harness.measure.explain.sensitivity import Sensitivity, Split
from harness.report.common.numbers import number, signed


def table(rows: Iterable[Sensitivity]) -> Table:
    """A row for each group of layers, the group with the largest detection error first."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    drawn.add_column("quantized", no_wrap=True)
    for name in ("share of work in int8", "detection error", "mAP drop"):
        drawn.add_column(name, justify="right")
    for row in sorted(rows, key=lambda row: -row.error):
        drawn.add_row(row.group, number(row.share, ".1%"), number(row.error, ".4f"), signed(row.drop))
    return drawn


def explanation(cell: Cell, split: Split) -> str:
    """What was done to the cell, on which images, and what the columns of the table mean."""
    return (
        f"{cell.model} on {cell.backend} at {size_text(cell.imgsz)} px, one group of layers in int8 and all else "
        f"in float; calibrated on {len(split.calibration.images)} images, judged on {len(split.judged.images)} others. "
        f"Detection error: root mean square of the differences of detection scores to the float network. "
        f"mAP drops below about 0.01 are chance on so few images."
    )
