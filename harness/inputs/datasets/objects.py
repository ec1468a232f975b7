"""Objects of a data set that no detector can find, annotated twice or without an area: left out and counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.core.errors import printable
from harness.inputs.datasets.base import plural

Placed = tuple[str, dict[str, Any]]
"""Where an object is written, as file and line or as the entry of a file, and its COCO annotation."""


def without_the_impossible(rows: Sequence[Placed]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The annotations that can be scored, and a note on each kind that is left out.

    Two annotations are one object where image, class, box and mask are the same: Ultralytics counts it once,
    pycocotools would count an object that nobody finds. A box without width or height overlaps with nothing.

    Returns:
        The annotations; those without an id are numbered from 1 on.
    """
    kept: list[dict[str, Any]] = []
    seen: set[str] = set()
    twice: list[str] = []
    empty: list[str] = []
    for place, row in rows:
        what = [row.get(key) for key in ("category_id", "bbox", "iscrowd", "segmentation", "keypoints")]
        identity = json.dumps([str(row["image_id"]), *what], default=str)
        if identity in seen:
            twice.append(place)
        elif min(row["bbox"][2:]) <= 0:
            empty.append(place)
        else:
            kept.append(row)
        seen.add(identity)
    for number, row in enumerate(kept, 1):
        row.setdefault("id", number)
    notes = [
        _note(twice, "is there more than once and counts once", "are there more than once and count once"),
        _note(empty, "has a box without area and is left out", "have boxes without area and are left out"),
    ]
    return kept, tuple(note for note in notes if note)


def _note(places: Sequence[str], one: str, several: str) -> str:
    """A note on objects that are left out; empty where there are none."""
    first = printable("/".join(places[0].split("/")[-2:])) if places else ""
    return f"{plural(len(places), 'object')} {one if len(places) == 1 else several} (first: {first})" if places else ""
