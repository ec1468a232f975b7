"""A COCO JSON becomes images and annotations with the ids of the file; mistakes are one line."""

from __future__ import annotations

import json

import pytest
from builders import coco, dataset

from harness import ConfigError
from harness.inputs.datasets.coco import read_coco, to_coco


def test_a_coco_json_keeps_ids_areas_and_crowd_regions(tmp_path):
    made = read_coco(coco(tmp_path))
    assert [image.id for image in made.images] == [1, 2]
    assert made.categories == {3: "cat", 7: "dog"}
    assert [(row["id"], row["area"], row["iscrowd"]) for row in made.annotations] == [(5, 123.5, 0), (6, 900, 1)]


def test_a_coco_annotation_without_area_gets_that_of_its_box(tmp_path):
    row = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}
    (kept,) = read_coco(coco(tmp_path, annotations=[row])).annotations
    assert (kept["area"], kept["iscrowd"]) == (200, 0)


@pytest.mark.parametrize("layout", ["images/val", "val", "images", "."])
def test_coco_images_are_found_in_the_usual_places(tmp_path, layout):
    file = coco(tmp_path / "made")
    target = tmp_path / layout
    target.mkdir(parents=True, exist_ok=True)
    for picture_file in (tmp_path / "made/images").iterdir():
        picture_file.rename(target / picture_file.name)
    annotations = tmp_path / "annotations" / file.name
    annotations.parent.mkdir()
    file.rename(annotations)
    assert len(read_coco(annotations).images) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": [{"id": 3, "name": "cat"}]}, "annotation 6 has unknown category id 7"),
        ({"images": [{"id": 2, "file_name": "2.png"}]}, "annotation 5 is for unknown image 1"),
        ({"images": [{"id": 1, "file_name": "gone.png"}], "annotations": []}, r"image .*gone\.png does not exist"),
        ({"images": [{"id": 1, "file_name": f"{n}.png"} for n in (1, 2)]}, "image id 1 twice"),
        ({"images": [], "annotations": []}, "lists no images"),
        ({"images": [{"id": 1}]}, r"images\[0\] has no 'file_name'"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1]}]}, "malformed entry"),
        ({"annotations": 5}, "'annotations' is no list of entries"),
        ({"categories": [{"name": "cat"}]}, r"is not a COCO instances JSON: categories\[0\] has no 'id'"),
    ],
)
def test_a_wrong_coco_json_is_one_line(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message) as raised:
        read_coco(coco(tmp_path, **changes))
    assert "\n" not in str(raised.value)


def test_a_truncated_coco_json_is_one_line(tmp_path):
    file = coco(tmp_path)
    file.write_text(file.read_text()[:100])
    with pytest.raises(ConfigError, match="is not a COCO instances JSON: JSONDecodeError"):
        read_coco(file)


@pytest.mark.parametrize("name", ["instances_night.json", "person_keypoints_night.json", "night.json"])
def test_the_folder_of_a_split_is_told_by_the_name_of_the_json(tmp_path, name):
    file = coco(tmp_path)
    (tmp_path / "images").rename(tmp_path / "night")
    assert len(read_coco(file.rename(tmp_path / name)).images) == 2


def test_an_image_without_a_declared_size_is_measured(tmp_path):
    listed = [{"id": n, "file_name": f"{n}.png"} for n in (1, 2)]
    assert {(image.width, image.height) for image in read_coco(coco(tmp_path, images=listed)).images} == {(64, 48)}


def test_masks_and_key_points_stay_and_what_nothing_reads_does_not(tmp_path):
    truth = {"segmentation": [[1, 2, 11, 2, 1, 22]], "keypoints": [5, 6, 2]}
    row = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "area": 9, **truth}
    (kept,) = read_coco(coco(tmp_path, annotations=[{**row, "num_keypoints": 1, "score": 0.5}])).annotations
    assert kept == {**row, "iscrowd": 0}


def test_what_is_written_as_coco_has_boxes_alone_and_whole_paths():
    made = dataset(2, [(1, 10, (0, 0, 20, 30))])
    content = to_coco(made)
    assert content["categories"] == [{"id": 10, "name": "cat"}, {"id": 11, "name": "dog"}]
    (row,) = content["annotations"]
    assert row == {"id": 1, "image_id": 1, "category_id": 10, "bbox": [0, 0, 20, 30], "area": 600, "iscrowd": 0}
    assert [(image["file_name"], image["sha256"]) for image in content["images"]] == [
        (image.path, image.digest) for image in made.images
    ]


def test_what_is_written_as_coco_is_read_as_the_same_data_set(tmp_path):
    made = read_coco(coco(tmp_path))
    (tmp_path / "copy.json").write_text(json.dumps(to_coco(made)))
    assert read_coco(tmp_path / "copy.json").digest == made.digest


def test_an_id_is_what_it_is_before_it_is_a_text(tmp_path):
    images = [{"id": "1", "file_name": "1.png"}, {"id": 1, "file_name": "2.png"}]
    rows = [{"image_id": one, "category_id": 3, "bbox": [1, 2, 10, 20]} for one in (1, "1")]
    made = read_coco(coco(tmp_path, images=images, annotations=rows))
    assert [row["image_id"] for row in made.annotations] == [1, "1"]


def test_a_file_that_is_two_images_is_noted(tmp_path):
    images = [{"id": n, "file_name": "1.png"} for n in (1, 2)]
    made = read_coco(coco(tmp_path, images=images))
    assert "1 file listed as several images, which are scored apart" in made.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100000, "is not a COCO instances JSON: RecursionError"),
        ("version https://git-lfs.github.com/spec/v1", r"instances_val\.json is a pointer of Git LFS"),
    ],
)
def test_a_file_that_is_no_json_is_one_line(tmp_path, text, message):
    file = coco(tmp_path)
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_coco(file)


def test_ids_may_be_numbers_and_texts_in_one_file(tmp_path):
    images = [{"id": one, "file_name": f"{n}.png"} for n, one in enumerate(("a", 7), 1)]
    rows = [{"image_id": one, "category_id": 3, "bbox": [1, 2, 10, 20]} for one in ("a", 7)]
    made = read_coco(coco(tmp_path, images=images, annotations=rows))
    assert [image.id for image in made.images] == [7, "a"]
    assert made.digest == read_coco(coco(tmp_path, images=images, annotations=rows[::-1])).digest


@pytest.mark.parametrize(
    ("what", "entry", "message"),
    [
        ("categories", {"supercategory": ["animal"]}, ""),
        ("images", {"file_name": "data:image/png;base64," + "A" * 5000}, r"image data:image/png.* does not exist in"),
        ("annotations", {"bbox": [10**400, 1, 2, 3]}, "annotation 5 of image 1 has the bbox"),
        ("annotations", {"area": 10**400}, "annotation 5 of image 1 has the area"),
    ],
)
def test_an_entry_that_no_tool_should_write_is_read_or_told(tmp_path, what, entry, message):
    file = coco(tmp_path)
    content = json.loads(file.read_text())
    content[what][0] |= entry
    file.write_text(json.dumps(content))
    if not message:
        assert len(read_coco(file).annotations) == 2
        return
    with pytest.raises(ConfigError, match=message) as raised:
        read_coco(file)
    assert len(str(raised.value)) < 1000
