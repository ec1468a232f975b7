"""Whether a cell executed the numeric type that its precision promises. Pure.

The runtime says what executed, in multiply-accumulates by type (`Session.executed`). The recipe declares what a
precision promises on a backend (`Recipe.executes`), so that "stored f16, executed f32" is attested and not flagged. The
promise of a ready file is read from the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.cell import Cell

CONTRADICTED = 0.5
"""A cell contradicts its name where a smaller share of its work than this ran in the promised type."""


def share(executed: Mapping[str, int], promised: str) -> float | None:
    """The share of multiply-accumulates that executed in the `promised` type; None where the runtime tells nothing."""
    total = sum(executed.values())
    return executed.get(promised, 0) / total if total else None


def contradiction(cell: Cell, executed: Mapping[str, int], promised: str) -> tuple[str, ...]:
    """One note for the table where the runtime did not execute what the precision promises; else no note.

    Args:
        cell: the cell; the note names its precision.
        executed: multiply-accumulates by numeric type.
        promised: a numeric type, such as "i8".
    """
    attested = share(executed, promised)
    if attested is None or attested >= CONTRADICTED:
        return ()
    total = sum(executed.values())
    kinds = sorted(executed, key=lambda kind: -executed[kind])
    ran = ", ".join(f"{executed[kind] / total:.0%} in {kind}" for kind in kinds)
    return (f"{cell.precision} should run in {promised}; its multiply-accumulates ran {ran}",)
