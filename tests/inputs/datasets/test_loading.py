"""YOLO YAML, COCO JSON, folders and lists become the same kind of data set; mistakes name file and line."""

from __future__ import annotations

import dataclasses
import json
import shutil

import PIL.Image
import pytest
from builders import coco, picture, sha, yolo

from harness import ConfigError
from harness.inputs.datasets.loading import load_calibration, load_scored, overlap
from harness.tasks.registry import of_task


def boxes(dataset):
    return [tuple(round(value, 3) for value in row["bbox"]) for row in dataset.annotations]


# YOLO


def test_a_yolo_yaml_gives_pixels_boxes_and_content_hashes(tmp_path):
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/b": "1 0.5 0.5 0.25 0.5\n\n0 0.25 0.25 0.5 0.5\n"}))
    (image,) = made.images
    assert (image.width, image.height, image.digest) == (64, 48, sha(tmp_path / "images/val/b.png"))
    assert boxes(made) == [(24, 12, 16, 24), (0, 0, 32, 24)]
    assert [(row["id"], row["category_id"], row["area"]) for row in made.annotations] == [(1, 1, 384), (2, 0, 768)]
    assert made.categories == {0: "cat", 1: "dog"}


def test_names_may_be_a_mapping_from_index_to_name(tmp_path):
    assert load_scored(yolo(tmp_path, {"val/a": None, "train/b": None}, names={0: "x", 1: "y"})).categories == {
        0: "x",
        1: "y",
    }


def test_a_class_index_that_names_leave_out_is_an_error(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": "5 0.5 0.5 0.5 0.5"}, names={1: "x", 5: "y"})
    assert [row["category_id"] for row in load_scored(file).annotations] == [5]
    (tmp_path / "labels/val/b.txt").write_text("0 0.5 0.5 0.5 0.5")
    with pytest.raises(ConfigError, match=r"b\.txt:1: class 0 is outside the 2 classes"):
        load_scored(file)


def test_a_polygon_is_its_bounding_box(tmp_path):
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/b": "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75"}))
    assert boxes(made) == [(16, 12, 32, 24)]
    assert of_task(made, "segment").annotations[0]["segmentation"] == [[16, 24, 32, 12, 48, 24, 32, 36]]


@pytest.mark.parametrize(
    ("numbers", "row", "points"),
    [
        (3, "0 0.5 0.5 0.5 0.5 0.25 0.5 2 0 0 0", [16, 24, 2, 0, 0, 0]),
        (2, "0 0.5 0.5 0.5 0.5 0.25 0.5 -1 -1", [16, 24, 2, -64, -48, 0]),
    ],
)
def test_key_points_stand_behind_the_box(tmp_path, numbers, row, points):
    splits = {"train": "images/train", "val": "images/val", "kpt_shape": [2, numbers]}
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/b": row}, **splits))
    assert boxes(made) == [(16, 12, 32, 24)]
    assert of_task(made, "pose").annotations[0]["keypoints"] == points
    assert made.annotations[0]["area"] == 32 * 24
    assert of_task(made, "pose").annotations[0]["area"] == pytest.approx(32 * 24 * 0.53)  # Ultralytics' share
    (tmp_path / "labels/val/b.txt").write_text("0 0.5 0.5 0.5 0.5 0.25")
    with pytest.raises(ConfigError, match=rf"b\.txt:1: expected class x y w h and 2 key points of {numbers}, got 6"):
        load_scored(tmp_path / "data.yaml")


@pytest.mark.parametrize("row", ["0.25 0.5 3 0 0 0", "0.25 0.5 nan 0 0 0", "nan 0.5 2 0 0 0"])
def test_a_key_point_that_is_none_is_told(tmp_path, row):
    splits = {"val": "images/val", "kpt_shape": [2, 3]}
    file = yolo(tmp_path, {"val/b": f"0 0.5 0.5 0.5 0.5 {row}"}, **splits)
    with pytest.raises(ConfigError, match=r"b\.txt:1: a key point is x, y and a visibility of 0, 1 or 2, not"):
        load_scored(file)


@pytest.mark.parametrize(
    ("declared", "sigmas"),
    [
        ({"kpt_shape": [17, 3]}, ()),  # COCO's
        ({"kpt_shape": [17, 2]}, (1 / 17,) * 17),
        ({"kpt_shape": [4, 3]}, (0.25,) * 4),
        ({"kpt_shape": [2, 3], "kpt_oks_sigmas": [0.025, 0.1]}, (0.025, 0.1)),
    ],
)
def test_how_far_key_points_may_be_off_is_told_as_ultralytics_has_it(tmp_path, declared, sigmas):
    assert load_scored(yolo(tmp_path, {"val/b": None}, val="images/val", **declared)).sigmas == sigmas


def test_sigmas_of_another_number_are_told(tmp_path):
    file = yolo(tmp_path, {"val/b": None}, val="images/val", kpt_shape=[2, 3], kpt_oks_sigmas=[0.1])
    with pytest.raises(ConfigError, match="'kpt_oks_sigmas' must be 2 numbers"):
        load_scored(file)


@pytest.mark.parametrize("declared", [[17], [17, 4], 17, ["a", 3], [0, 3]])
def test_a_shape_of_key_points_that_is_none_is_told(tmp_path, declared):
    file = yolo(tmp_path, {"val/b": None}, val="images/val", kpt_shape=declared)
    with pytest.raises(ConfigError, match=r"'kpt_shape' must be \[key points, 2 or 3\]"):
        load_scored(file)


def test_objects_without_masks_cannot_score_a_segmentation_model(tmp_path):
    rows = "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75\n0 0.5 0.5 0.5 0.5\n"
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/b": rows}))
    with pytest.raises(ConfigError, match=r"1 of 2 objects have no masks .* 'segment' model .*\(first: image 1\)"):
        of_task(made, "segment")


def test_the_hash_holds_the_ground_truth_of_the_task_and_no_other(tmp_path):
    made = load_scored(coco(tmp_path))
    masked = [{**row, "segmentation": [[0, 0, 9, 0, 9, 9]]} for row in made.annotations]
    moved = [{**row, "segmentation": [[0, 0, 9, 0, 9, 8]]} for row in made.annotations]
    one, other = (dataclasses.replace(made, annotations=rows) for rows in (masked, moved))
    assert one.digest == other.digest == made.digest
    assert of_task(one, "segment").digest not in (made.digest, of_task(other, "segment").digest)
    assert of_task(of_task(one, "segment"), "detect").digest == made.digest


@pytest.mark.parametrize("rows", [None, "", "\n"])
def test_an_image_without_labels_has_no_objects_and_is_scored(tmp_path, rows):
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/b": "0 0.5 0.5 0.5 0.5", "val/c": rows}))
    assert len(made.images) == 2
    assert len(made.annotations) == 1


def test_file_names_that_are_numbers_are_image_ids(tmp_path):
    made = load_scored(yolo(tmp_path, {"train/a": None, "val/000042": None, "val/000007": None}))
    assert [image.id for image in made.images] == [7, 42]


def test_a_split_may_be_a_list_of_folders_or_a_text_file_of_paths(tmp_path):
    images = {"train/a": None, "one/b": "0 0.5 0.5 0.5 0.5", "two/c": None}
    (tmp_path / "val.txt").write_text("images/one/b.png\n\n./images/two/c.png\n")
    by_folders = load_scored(yolo(tmp_path, images, train="images/train", val=["images/one", "images/two"]))
    by_text = load_scored(yolo(tmp_path, images, train="images/train", val="val.txt"))
    assert by_text == by_folders
    assert len(by_text.images) == 2
    assert len(by_text.annotations) == 1


def test_an_image_named_twice_is_scored_once(tmp_path):
    images = {"train/a": None, "val/b": None, "val/c": None}
    (tmp_path / "val.txt").write_text("images/val/b.png\nimages/val/b.png\n")
    assert len(load_scored(yolo(tmp_path, images, train="images/train", val="val.txt")).images) == 1
    overlapping = ["images/val", "images"]
    assert len(load_scored(yolo(tmp_path, images, train="images/train", val=overlapping)).images) == 3


def test_paths_are_relative_to_the_yaml_or_to_its_path_entry(tmp_path):
    yolo(tmp_path / "elsewhere", {"train/a": None, "val/b": None})
    file = tmp_path / "set.yaml"
    file.write_text("path: elsewhere\ntrain: images/train\nval: images/val\nnames: [cat]")
    assert len(load_scored(file).images) == 1


def test_the_same_train_and_val_split_is_halved_by_content(tmp_path):
    names = {f"all/{k}": "0 0.5 0.5 0.5 0.5" for k in "abcdefghijklmnop"}
    file = yolo(tmp_path, names, train="images/all", val="images/all")
    scored, calibration = load_scored(file), load_calibration(file)
    assert len(scored.images) + len(calibration.images) == 16
    assert min(len(scored.images), len(calibration.images)) > 2
    assert overlap(calibration, scored) == []
    assert len(scored.annotations) == len(scored.images)
    for number, old in enumerate(sorted((tmp_path / "images/all").iterdir())):
        old.rename(old.with_name(f"renamed{16 - number}.png"))
    assert {i.digest for i in load_scored(file).images} == {i.digest for i in scored.images}


def test_a_turned_photograph_has_the_size_it_is_shown_in(tmp_path):
    file = yolo(tmp_path, {"train/a": None})
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images/val").mkdir()
    PIL.Image.new("RGB", (60, 20)).save(tmp_path / "images/val/b.jpg", exif=exif)
    (image,) = load_scored(file).images
    assert (image.width, image.height) == (20, 60)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2 0.5 0.5 0.5 0.5", "class 2 is outside the 2 classes"),
        ("-1 0.5 0.5 0.5 0.5", "class -1 is outside"),
        ("0.5 0.5 0.5 0.5 0.5", "class 0.5 is outside"),
        ("nan 0.5 0.5 0.5 0.5", "class nan is outside"),
        ("0 0.5 0.5 nan 0.5", "fractions of the image"),
        ("0 0.5 1.5 0.5 0.5", "fractions of the image"),
        ("0 320 240 64 48", "fractions of the image"),
        ("0 0.5 0.5 0.5", "expected class x y w h or a polygon, got 4 numbers"),
        ("0 0.1 0.1 0.2 0.2 0.3", "expected class x y w h or a polygon, got 6 numbers"),
        ("cat 0.5 0.5 0.5 0.5", "not a row of numbers: 'cat 0.5"),
    ],
)
def test_a_wrong_label_names_file_and_line(tmp_path, row, message):
    file = yolo(tmp_path, {"train/a": None, "val/b": f"0 0.5 0.5 0.5 0.5\n{row}\n"})
    with pytest.raises(ConfigError, match=rf"labels/val/b\.txt:2: .*{message}") as raised:
        load_scored(file)
    assert "\n" not in str(raised.value)


def test_a_label_file_that_is_not_text_is_one_line(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": ""})
    (tmp_path / "labels/val/b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"b\.txt"):
        load_scored(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images/train\nnames: [cat]", "has no 'val' split; it has train, names"),
        ("val: images/none\nnames: [cat]", "val .*images/none does not exist"),
        ("val: images/val", "has no 'names'"),
        ("val: images/val\nnames: cat", "has no 'names'"),
        ("val: images/val\nnames: {cat: 0}", "must map class indices to names, not 'cat'"),
        ("val: empty\nnames: [cat]", "the 'val' split holds no images"),
        ("val: list.txt\nnames: [cat]", r"list.txt: image .*gone\.png does not exist"),
        ("[1, 2", "cannot be read"),
        ("just words", "is not a YOLO YAML"),
    ],
)
def test_a_wrong_yaml_is_one_line(tmp_path, text, message):
    file = yolo(tmp_path, {"train/a": None, "val/b": None})
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("gone.png")
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        load_scored(file)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_image_is_one_line(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": None})
    (tmp_path / "images/val/b.png").write_bytes(b"not a picture")
    with pytest.raises(ConfigError, match=r"image .*b\.png cannot be read"):
        load_scored(file)


# COCO


def test_a_coco_json_keeps_ids_areas_and_crowd_regions(tmp_path):
    made = load_scored(coco(tmp_path))
    assert [image.id for image in made.images] == [1, 2]
    assert made.categories == {3: "cat", 7: "dog"}
    assert [(row["id"], row["area"], row["iscrowd"]) for row in made.annotations] == [(5, 123.5, 0), (6, 900, 1)]


def test_a_coco_annotation_without_area_gets_that_of_its_box(tmp_path):
    row = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}
    (kept,) = load_scored(coco(tmp_path, annotations=[row])).annotations
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
    assert len(load_scored(annotations).images) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": [{"id": 3, "name": "cat"}]}, "annotation 6 has unknown category id 7"),
        ({"images": [{"id": 2, "file_name": "2.png"}]}, "annotation 5 is for unknown image 1"),
        ({"images": [{"id": 1, "file_name": "gone.png"}], "annotations": []}, r"image .*gone\.png does not exist"),
        ({"images": [{"id": 1, "file_name": f"{n}.png"} for n in (1, 2)]}, "image id 1 twice"),
        ({"images": [], "annotations": []}, "lists no images"),
        ({"images": [{"id": 1}]}, "malformed entry: KeyError 'file_name'"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1]}]}, "malformed entry"),
        ({"annotations": 5}, "malformed entry"),
        ({"categories": [{"name": "cat"}]}, "is not a COCO instances JSON: KeyError 'id'"),
    ],
)
def test_a_wrong_coco_json_is_one_line(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_scored(coco(tmp_path, **changes))
    assert "\n" not in str(raised.value)


def test_a_truncated_coco_json_is_one_line(tmp_path):
    file = coco(tmp_path)
    file.write_text(file.read_text()[:100])
    with pytest.raises(ConfigError, match="is not a COCO instances JSON: JSONDecodeError"):
        load_scored(file)


# Folders


def test_a_folder_is_read_through_the_declaration_it_holds(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": None})
    assert load_scored(tmp_path) == load_scored(file)
    assert load_calibration(tmp_path) == load_calibration(file)


def test_a_folder_with_two_annotation_files_is_split_by_their_names(tmp_path):
    file = coco(tmp_path)
    content = json.loads(file.read_text())
    calib = {**content, "images": content["images"][1:], "annotations": []}
    (tmp_path / "instances_calib.json").write_text(json.dumps(calib))
    assert [image.id for image in load_scored(tmp_path).images] == [1, 2]
    assert [image.id for image in load_calibration(tmp_path).images] == [2]


def test_a_folder_without_a_declaration_calibrates_and_does_not_score(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png", number)
    assert len(load_calibration(tmp_path).images) == 3
    with pytest.raises(ConfigError, match="no YOLO YAML and no COCO JSON"):
        load_scored(tmp_path)


def test_a_source_without_a_train_split_calibrates_nothing(tmp_path):
    assert load_calibration(yolo(tmp_path / "yolo", {"val/a": None}, val="images/val")) is None
    coco(tmp_path / "coco")
    assert load_calibration(tmp_path / "coco") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.yaml", "does not exist; give a YOLO YAML"),
        ("a.csv", "is neither a YOLO .yaml nor a COCO .json"),
        ("two", "2 declarations, name one of them: a.yaml, b.yaml"),
    ],
)
def test_a_source_that_declares_nothing_is_one_line(tmp_path, name, message):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "two").mkdir()
    for stem in "ab":
        (tmp_path / "two" / f"{stem}.yaml").write_text("")
    with pytest.raises(ConfigError, match=message):
        load_scored(tmp_path / name)


# Content


def test_overlap_is_found_by_content_under_any_name(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "train/b": None, "val/c": None})
    shutil.copy(tmp_path / "images/val/c.png", tmp_path / "images/train/other.png")
    assert overlap(load_calibration(file), load_scored(file)) == [str(tmp_path / "images/train/other.png")]


def test_the_digest_depends_on_pixels_and_ground_truth_and_not_on_the_place(tmp_path):
    def digest(place, seed=0, row="0 0.5 0.5 0.5 0.5"):
        file = yolo(tmp_path / place, {"val/a": row, "train/b": None})
        picture(tmp_path / place / "images/val/a.png", seed)
        return load_scored(file).digest

    assert digest("one") == digest("two")
    assert (
        len({digest("one"), digest("three", seed=1), digest("four", row="1 0.5 0.5 0.5 0.5"), digest("five", row="")})
        == 4
    )
