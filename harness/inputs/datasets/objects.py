"""Objects of a data set that no detector can find, annotated twice or without an area: left out and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.words import counted, printable

Placed = tuple[str, dict[str, Any]]
"""Where an object is written, as file and line or as the entry of a file, and its COCO annotation."""


def without_the_impossible(rows: Sequence[Placed]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The annotations that can be scored, and a note on each kind that is left out.

    Two annotations are one object where image, class and box are the same and their masks do not differ: Ultralytics
    counts it once, pycocotools would count an object that nobody finds. A box without width or height overlaps with
    nothing. Boxes that are the same but for a pixel are scored and noted.

    Returns:
        The annotations; those without an id are numbered from 1 on.
    """
    kept: list[dict[str, Any]] = []
    seen: dict[tuple[Any, ...], list[dict[str, Any]]] = {}  # image, class, crowd and column of pixels → annotations
    found: dict[str, list[str]] = {"twice": [], "empty": [], "near": []}
    for place, row in rows:
        *group, column = row["image_id"], row["category_id"], row["iscrowd"], round(row["bbox"][0])
        around = [other for near in (-1, 0, 1) for other in seen.get((*group, column + near), ())]
        if any(_same(row, other) for other in around):
            found["twice"].append(place)
            continue
        seen.setdefault((*group, column), []).append(row)
        if min(row["bbox"][2:]) <= 0:
            found["empty"].append(place)
            continue
        kept.append(row)
        if any(_apart(row, other) <= min(1, 0.05 * min(row["bbox"][2:])) for other in around):
            found["near"].append(place)
    for number, row in enumerate(kept, 1):
        row.setdefault("id", number)
    notes = [
        _note(found["twice"], "is there more than once and counts once", "are there more than once and count once"),
        _note(found["empty"], "has a box without area and is left out", "have boxes without area and are left out"),
        _note(found["near"], "has the box of another, and both count", "have the boxes of others, and all count"),
    ]
    return kept, tuple(note for note in notes if note)


def _same(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two annotations of one class are one object: a box to a hundredth of a pixel, and no two masks."""
    if _apart(row, other) >= 0.01:
        return False
    shapes = [(row.get(key), other.get(key)) for key in ("segmentation", "keypoints")]
    return not any(one and two and one != two for one, two in shapes)


def _apart(row: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """By how many pixels two boxes differ at most."""
    return float(max(abs(one - two) for one, two in zip(row["bbox"], other["bbox"], strict=True)))


def _note(places: Sequence[str], one: str, several: str) -> str:
    """A note on objects that are left out; empty where there are none."""
    if not places:
        return ""
    said = one if len(places) == 1 else several
    return f"{counted(len(places), 'object')} {said} (first: {shown_place(places[0])})"


def shown_place(place: str) -> str:
    """Where an object is written, for a note: without the folders above the last."""
    return printable("/".join(place.split("/")[-2:]))
