"""Objects that no detector can find are left out alike in both forms, and counted."""

from __future__ import annotations

import pytest
from builders import coco, yolo

from harness.inputs.datasets.coco import read_coco
from harness.inputs.datasets.yolo import read_yolo

ONCE = "0 0.5 0.5 0.25 0.5"


def by_yolo(tmp_path, rows):
    return read_yolo(yolo(tmp_path, {"val/a": "\n".join(rows)}, val="images/val"), "val")


def by_coco(tmp_path, rows):
    entries = []
    for number, row in enumerate(rows):
        label, x, y, w, h = map(float, row.split())
        box = [(x - w / 2) * 64, (y - h / 2) * 48, w * 64, h * 48]
        entries.append({"id": number, "image_id": 1, "category_id": 3 if label == 0 else 7, "bbox": box})
    return read_coco(coco(tmp_path, annotations=entries))


@pytest.mark.parametrize("read", [by_yolo, by_coco])
@pytest.mark.parametrize(
    ("rows", "kept", "note"),
    [
        ([ONCE, "1 0.5 0.5 0.25 0.5"], 2, ""),
        ([ONCE, ONCE, ONCE], 1, "2 objects are there more than once and count once (first: "),
        ([ONCE, "0 0.500001 0.5 0.25 0.500001"], 1, "1 object is there more than once and counts once (first: "),
        ([ONCE, "0 0.505 0.5 0.25 0.5"], 2, "1 object has the box of another, and both count (first: "),
        ([ONCE, "0 0.55 0.5 0.25 0.5"], 2, ""),
        ([ONCE, "0 0.5 0.5 0 0.5"], 1, "1 object has a box without area and is left out (first: "),
    ],
)
def test_what_is_there_twice_counts_once_and_what_has_no_area_not_at_all(tmp_path, read, rows, kept, note):
    made = read(tmp_path, rows)
    assert [row["id"] for row in made.annotations][:1] == ([0] if read is by_coco else [1])
    assert len(made.annotations) == kept
    assert made.notes[:1] == () if not note else made.notes[0].startswith(note)


def test_two_polygons_in_one_box_are_two_objects(tmp_path):
    rows = ["0 0 0 0.5 0 0.5 0.5 0 0.5", "0 0 0 0.5 0 0.5 0.5"]
    assert len(by_yolo(tmp_path, rows).annotations) == 2


def test_a_box_and_a_polygon_of_the_same_box_are_one_object(tmp_path):
    assert len(by_yolo(tmp_path, ["0 0.25 0.25 0.5 0.5", "0 0 0 0.5 0 0.5 0.5 0 0.5"]).annotations) == 1
