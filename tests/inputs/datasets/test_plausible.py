"""Boxes that are numbers of another kind than x y w h in pixels."""

from __future__ import annotations

import pytest
from builders import coco

from harness import ConfigError
from harness.inputs.datasets.coco import read_coco

INSIDE = [[10, 10, 20, 20], [40, 30, 20, 10], [5, 5, 50, 40]]


def read(tmp_path, boxes):
    rows = [{"id": n, "image_id": 1, "category_id": 3, "bbox": box} for n, box in enumerate(boxes, 1)]
    return read_coco(coco(tmp_path, annotations=rows))


def test_corners_instead_of_width_and_height_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"corners x1 y1 x2 y2 \(first outside its image: \[40, 30, 60, 40\]\)"):
        read(tmp_path, [[x, y, x + w, y + h] for x, y, w, h in INSIDE])


def test_fractions_instead_of_pixels_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"all boxes are fractions of 1 \(first: \[0.15"):
        read(tmp_path, [[x / 64, y / 48, w / 64, h / 48] for x, y, w, h in INSIDE])


def test_a_box_that_leaves_its_image_is_scored_and_noted(tmp_path):
    made = read(tmp_path, [*INSIDE, [-10, 0, 40, 20], [0, 0, 64.5, 48.5]])
    assert len(made.annotations) == 5
    (note,) = made.notes
    assert note.startswith("1 box leaves its image")
    assert "annotation 4 of image 1, bbox [-10, 0, 40, 20]" in note


def test_fractions_among_pixels_are_noted(tmp_path):
    (note,) = read(tmp_path, [*INSIDE, [0.1, 0.2, 0.3, 0.4]]).notes
    assert note.startswith("1 box lies within one pixel, as if in fractions (first: ")


@pytest.mark.parametrize(("share", "objects", "noted"), [(0.5, 12, True), (0.5, 4, False), (1, 12, False)])
def test_boxes_of_a_smaller_image_are_noted(tmp_path, share, objects, noted):
    boxes = [
        [(x + n) * share, y * share, w * share, h * share] for n in range(objects // 3 + 1) for x, y, w, h in INSIDE
    ]
    notes = read(tmp_path, boxes[:objects]).notes
    said = [note for note in notes if note.startswith(f"all {objects} objects lie in the upper left 49%")]
    assert len(said) == noted
