"""The heat map of the HTML report: how AP changed by class and cell, and which changes a page has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.common.view import fp32_siblings
from harness.store.results import CellResult

CLASSES, CELLS = 20, 40  # columns and rows that are shown, at most; the others are counted
PALE = 0.1  # the smallest change of AP that may have the full colour


@dataclass(frozen=True)
class Heat:
    """Changes of AP against the fp32 sibling."""

    classes: Sequence[tuple[str, int]]  # name of each class, and its number of objects in the data
    rows: Sequence[tuple[int, Sequence[float | None]]]  # index of each cell, and its changes in the order of `classes`
    scale: float  # the change that has the full colour
    classes_left: int  # how many classes are not shown, whose largest losses are smaller
    cells_left: int  # how many cells are not shown, whose largest losses are smaller


def heat(results: Sequence[CellResult], first: int = 0) -> Heat | None:
    """The heat map of one suite; None where no cell has classes to compare with an fp32 sibling.

    Classes and cells stand in their own order where all have room, and else in the order of what they lost. `first` is
    the index of the suite's first cell among the cells of all suites.
    """
    fp32_of = fp32_siblings(results)
    found: dict[int, dict[str, float]] = {}
    objects: dict[str, int] = {}
    for index, result in enumerate(results, first):
        fp32 = fp32_of(result)
        if result.measured and result.measured.per_class and fp32 and fp32.measured:
            found[index] = _by_class(result.measured.per_class, fp32.measured.per_class)
            objects |= result.measured.instances
    found = {index: changes for index, changes in found.items() if changes}
    if not found:
        return None
    names = dict.fromkeys(name for changes in found.values() for name in changes)
    classes = _worst({name: min(c.get(name, 0.0) for c in found.values()) for name in names}, CLASSES)
    cells = _worst({index: min(changes.values()) for index, changes in found.items()}, CELLS)
    largest = max(abs(found[index].get(name, 0.0)) for index in cells for name in classes)
    return Heat(
        classes=[(name, objects.get(name, 0)) for name in classes],
        rows=[(index, [found[index].get(name) for name in classes]) for index in cells],
        scale=max(PALE, largest),
        classes_left=len(names) - len(classes),
        cells_left=len(found) - len(cells),
    )


def _by_class(now: Mapping[str, float | None], before: Mapping[str, float | None]) -> dict[str, float]:
    """The change of AP of each class that fp32 has an AP of; a class that the cell has no AP of has lost all."""
    return {name: round((now.get(name) or 0.0) - value, 4) for name, value in before.items() if value is not None}


def _worst(losses: Mapping[Any, float], most: int) -> list[Any]:
    """The keys of the `most` lowest values, the lowest first; all keys in their own order where there are no more."""
    return list(losses) if len(losses) <= most else sorted(losses, key=lambda key: losses[key])[:most]
