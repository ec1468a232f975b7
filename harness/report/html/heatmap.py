"""Change of AP by class and cell against the fp32 sibling, and which of it a page has room for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.store.results import CellResult

CLASSES, CELLS = 20, 40  # columns and rows; the rest is counted
PALE = 0.1  # change of AP that has the full colour, at least


@dataclass(frozen=True)
class Heat:
    """Change of AP by class, against the fp32 sibling."""

    classes: Sequence[tuple[str, int]]  # name, objects in the data
    rows: Sequence[tuple[int, Sequence[float | None]]]  # index of the cell, changes in the order of `classes`
    scale: float  # change that has the full colour
    classes_left: int  # with smaller losses than those shown
    cells_left: int


def heat(results: Sequence[CellResult], first: int = 0) -> Heat | None:
    """The classes and cells that lost most; all of them, in their own order, where there is room. None: no change."""
    siblings = {result.cell: result for result in results if result.cell}
    found: dict[int, dict[str, float]] = {}
    objects: dict[str, int] = {}
    for n, result in enumerate(results, first):
        fp32 = siblings.get(result.cell.sibling("fp32")) if result.cell else None
        if result.measured and result.measured.per_class and fp32 and fp32 is not result and fp32.measured:
            found[n] = _by_class(result.measured.per_class, fp32.measured.per_class)
            objects |= result.measured.instances
    found = {n: changes for n, changes in found.items() if changes}
    if not found:
        return None
    lost = {name: min(c.get(name, 0.0) for c in found.values()) for one in found.values() for name in one}
    classes = _worst(lost, CLASSES)
    cells = _worst({n: min(changes.values()) for n, changes in found.items()}, CELLS)
    largest = max(abs(found[n].get(name, 0.0)) for n in cells for name in classes)
    return Heat(
        [(name, objects.get(name, 0)) for name in classes],
        [(n, [found[n].get(name) for name in classes]) for n in cells],
        max(PALE, largest), len(lost) - len(classes), len(found) - len(cells),
    )  # fmt: skip


def _by_class(now: Mapping[str, float | None], before: Mapping[str, float | None]) -> dict[str, float]:
    return {name: round((now.get(name) or 0.0) - value, 4) for name, value in before.items() if value is not None}


def _worst(losses: Mapping[Any, float], most: int) -> list[Any]:
    """The keys of the lowest values, in their own order where all are kept."""
    return list(losses) if len(losses) <= most else sorted(losses, key=lambda key: losses[key])[:most]
