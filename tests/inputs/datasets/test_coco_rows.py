"""Annotations of a COCO JSON: read rightly, or told with file and entry."""

from __future__ import annotations

import math

import pytest
from builders import coco

from harness import ConfigError
from harness.inputs.datasets.coco import read_coco

ROW = {"id": 5, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}


def read(tmp_path, **changes):
    """The annotation of the made JSON with `changes`; an entry that is `...` is left out."""
    row = {key: value for key, value in {**ROW, **changes}.items() if value is not ...}
    return read_coco(coco(tmp_path, annotations=[row])).annotations


@pytest.mark.parametrize(
    ("changes", "entry", "value"),
    [
        ({"area": None}, "area", 200),
        ({"iscrowd": None}, "iscrowd", 0),
        ({"iscrowd": True}, "iscrowd", 1),
        ({"iscrowd": "1"}, "iscrowd", 1),
        ({"id": ...}, "id", 1),
        ({"image_id": "1"}, "image_id", 1),
        ({"image_id": 1.0}, "image_id", 1),
        ({"category_id": "3"}, "category_id", 3),
        ({"segmentation": [1, 2, 11, 2, 1, 22]}, "segmentation", [[1, 2, 11, 2, 1, 22]]),
        ({"bbox": None, "segmentation": [[1, 2, 11, 2, 1, 22]]}, "bbox", [1, 2, 10, 20]),
        ({"bbox": [], "segmentation": [1, 2, 11, 2, 1, 22]}, "bbox", [1, 2, 10, 20]),
    ],
)
def test_an_entry_in_another_spelling_is_read(tmp_path, changes, entry, value):
    (row,) = read(tmp_path, **changes)
    assert row[entry] == value
    assert type(row[entry]) is type(value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [1, math.nan, 10, 20]}, "annotation 5 of image 1 has the bbox .*nan.* must be four numbers"),
        ({"bbox": [1, math.inf, 10, 20]}, "must be four numbers"),
        ({"bbox": ["1", 2, 10, 20]}, "must be four numbers"),
        ({"bbox": [1, 2, 10]}, "must be four numbers"),
        ({"bbox": [11, 2, -10, 20]}, "annotation 5 of image 1 has the bbox .* with a negative width or height"),
        ({"bbox": None}, "annotation 5 of image 1 has no bbox, and no polygon"),
        ({"bbox": [70, 2, 10, 20]}, r"has the bbox \[70, 2, 10, 20\] outside its image of 64×48"),
        ({"area": math.nan}, "has the area nan"),
        ({"area": "big"}, "has the area 'big'"),
        ({"iscrowd": 2}, "has iscrowd 2"),
        ({"image_id": None}, "has no 'image_id'"),
        ({"image_id": 1.5}, "has the image id 1.5, which is neither a whole number nor a text"),
        ({"image_id": 9, "id": ...}, r"annotations\[0\] is for unknown image 9"),
        ({"category_id": [3]}, r"has the category id \[3\]"),
        ({"keypoints": [1, 2]}, "has key points that are not x, y and visibility"),
        ({"keypoints": [1, math.nan, 2]}, "has key points that are not x, y and visibility"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=rf"dataset .*instances_val\.json: .*{message}") as raised:
        read(tmp_path, **changes)
    assert "\n" not in str(raised.value)


def test_ids_keep_every_digit_and_may_be_texts(tmp_path):
    ids = [(1 << 63) + 1, "a1b2"]
    listed = [{"id": one, "file_name": f"{n}.png"} for n, one in enumerate(ids, 1)]
    rows = [{**ROW, "image_id": one} for one in ids]
    made = read_coco(coco(tmp_path, images=listed, annotations=rows))
    assert [image.id for image in made.images] == [row["image_id"] for row in made.annotations] == ids


def test_categories_whose_ids_are_texts_are_numbered(tmp_path):
    names = [{"id": "x", "name": "cat"}, {"id": "y", "name": "dog"}]
    made = read_coco(coco(tmp_path, categories=names, annotations=[{**ROW, "category_id": "y"}]))
    assert made.categories == {1: "cat", 2: "dog"}
    assert made.annotations[0]["category_id"] == 2


def test_null_instead_of_annotations_is_a_set_without_objects_and_noted(tmp_path):
    made = read_coco(coco(tmp_path, annotations=None))
    assert made.annotations == []
    assert made.notes == ("instances_val.json has no objects: there is nothing to score",)


@pytest.mark.parametrize("below", ["cat", "dog"])
def test_a_root_above_all_other_categories_is_left_out(tmp_path, below):
    names = [{"id": 0, "name": "cat", "supercategory": "none"}, {"id": 3, "name": below, "supercategory": "cat"}]
    made = read_coco(coco(tmp_path, categories=names, annotations=[ROW]))
    assert made.categories == {3: below}
    assert made.notes == ("category 0, 'cat', has no objects and stands above all others: left out",)


def test_a_category_above_the_others_that_has_objects_stays(tmp_path):
    names = [{"id": 0, "name": "cat", "supercategory": "none"}, {"id": 3, "name": "dog", "supercategory": "cat"}]
    made = read_coco(coco(tmp_path, categories=names, annotations=[ROW, {**ROW, "category_id": 0}]))
    assert made.categories == {0: "cat", 3: "dog"}
