"""Annotations that were drawn on stored pixels are turned with the images to what is displayed."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask

from harness import ConfigError
from harness.inputs.datasets.coco import read_coco
from harness.tasks.registry import of_task
from harness.tasks.run_lengths import mask_pixels

BOX = [0, 0, 8, 4]  # in stored pixels; shown at orientation 6: 4 wide, 8 high, at the right upper corner
STORED, SHOWN = (60, 20), (20, 60)


def made(tmp_path, *images, **more):
    """A COCO JSON with one object in each of the images, which are (stored size, declared size, orientation)."""
    listed, rows = [], []
    for number, (stored, declared, orientation) in enumerate(images, 1):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        PIL.Image.new("RGB", stored).save(tmp_path / f"{number}.jpg", exif=exif)
        size = {"width": declared[0], "height": declared[1]} if declared else {}
        listed.append({"id": number, "file_name": f"{number}.jpg", **size})
        rows.append({"image_id": number, "category_id": 1, "bbox": BOX, "area": 1, **more})
    content = {"images": listed, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "val.json").write_text(json.dumps(content))
    return read_coco(tmp_path / "val.json")


@pytest.mark.parametrize(
    ("images", "boxes", "note"),
    [
        ([(STORED, STORED, 1)], [BOX], ""),
        ([(STORED, SHOWN, 6)], [BOX], ""),
        ([(STORED, STORED, 6)], [[16, 0, 4, 8]], "1 image of an EXIF orientation and annotated as stored"),
        ([(STORED, STORED, 8)], [[0, 52, 4, 8]], "1 image of an EXIF orientation and annotated as stored"),
        # a square tells nothing: the others do, or nobody
        ([(STORED, STORED, 6), ((20, 20), (20, 20), 6)], [[16, 0, 4, 8]] * 2, "2 images of an EXIF orientation"),
        ([(STORED, SHOWN, 6), ((20, 20), (20, 20), 6)], [BOX] * 2, ""),
        ([((20, 20), (20, 20), 6)], [BOX], "1 image turned by EXIF without a size that tells"),
        ([(STORED, None, 6)], [BOX], "1 image turned by EXIF without a size that tells"),
        ([(STORED, STORED, 3)], [BOX], "1 image turned by EXIF without a size that tells"),
    ],
)
def test_the_declared_size_tells_in_which_pixels_boxes_are(tmp_path, images, boxes, note):
    read = made(tmp_path, *images)
    assert [row["bbox"] for row in read.annotations] == boxes
    assert read.notes[0].startswith(note) if note else read.notes == ()


def test_polygons_run_lengths_and_key_points_turn_too(tmp_path):
    points = [2, 1, 2, 0, 0, 0]
    corner = np.zeros((20, 60), np.uint8)
    corner[:4, :8] = 1
    coded = mask.encode(np.asfortranarray(corner))
    runs = {"size": coded["size"], "counts": coded["counts"].decode()}
    (row,) = of_task(made(tmp_path, (STORED, STORED, 6), segmentation=runs, keypoints=points), "segment").annotations
    assert row["segmentation"]["size"] == [60, 20]
    assert np.array_equal(mask_pixels(row["segmentation"]["counts"], 60, 20), np.rot90(corner, -1))
    assert row["keypoints"] == [19, 2, 2, 0, 0, 0]
    (row,) = made(tmp_path, (STORED, STORED, 6), segmentation=[[0, 0, 8, 0, 8, 4]]).annotations
    assert row["segmentation"] == [[20, 0, 20, 8, 16, 8]]


def test_a_size_that_is_neither_the_stored_nor_the_displayed_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"image .*1\.jpg has 20×60 pixels, its data set says 21×60"):
        made(tmp_path, (STORED, (21, 60), 6))
