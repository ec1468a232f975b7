"""Whether a cell ran what its name promises; pure.

What executed comes from the runtime (`Session.executed`), in multiply-accumulates. What is promised is declared per
precision and backend (`Recipe.executes`), so that "stored f16, executed f32" is attested and not flagged; of a ready
file it is read from the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.cell import Cell

CONTRADICTED = 0.5
"""A cell is named wrongly where less than this share of its work ran in the promised type."""


def share(executed: Mapping[str, int], promised: str) -> float | None:
    """Share of the multiply-accumulates that executed in the promised type; None where nothing is known."""
    total = sum(executed.values())
    return executed.get(promised, 0) / total if total else None


def contradiction(cell: Cell, executed: Mapping[str, int], promised: str) -> tuple[str, ...]:
    """A note for the table where the runtime did not execute what the precision promises."""
    attested = share(executed, promised)
    if attested is None or attested >= CONTRADICTED:
        return ()
    total = sum(executed.values())
    kinds = sorted(executed, key=lambda kind: -executed[kind])
    ran = ", ".join(f"{executed[kind] / total:.0%} in {kind}" for kind in kinds)
    return (f"{cell.precision} should run in {promised}; its multiply-accumulates ran {ran}",)
