"""Files and folders become what is scored, what calibrates and what trains, whatever format they have."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from builders import coco, picture, yolo

from harness import ConfigError
from harness.inputs.datasets.loading import load_calibration, load_scored, overlap
from harness.tasks.registry import of_task


def test_the_hash_holds_the_ground_truth_of_the_task_and_no_other(tmp_path):
    made = load_scored(coco(tmp_path))
    masked = [{**row, "segmentation": [[0, 0, 9, 0, 9, 9]]} for row in made.annotations]
    moved = [{**row, "segmentation": [[0, 0, 9, 0, 9, 8]]} for row in made.annotations]
    one, other = (dataclasses.replace(made, annotations=rows) for rows in (masked, moved))
    assert one.digest == other.digest == made.digest
    assert of_task(one, "segment").digest not in (made.digest, of_task(other, "segment").digest)
    assert of_task(of_task(one, "segment"), "detect").digest == made.digest


def test_where_train_is_val_all_of_it_is_scored_and_a_note_says_so(tmp_path):
    file = yolo(tmp_path, {f"all/{k}": "0 0.5 0.5 0.5 0.5" for k in "abc"}, train="images/all", val="images/all")
    scored, calibration = load_scored(file), load_calibration(file)
    assert len(scored.images) == len(calibration.images) == 3
    (note,) = scored.notes
    assert note.startswith("data.yaml names 3 of the 3 scored images for train too")
    assert len(overlap(calibration, scored)) == 3, "which Calibration refuses, unless the suite allows it"


def test_a_folder_is_read_through_the_declaration_it_holds(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": ""})
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


def test_overlap_is_found_by_content_under_any_name(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "train/b": None, "val/c": ""})
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


def test_a_list_of_images_calibrates(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "b.png", 1)
    (tmp_path / "few.txt").write_text("images/b.png\n")
    made = load_calibration(tmp_path / "few.txt")
    assert [image.path for image in made.images] == [str(tmp_path / "images/b.png")]
    (tmp_path / "few.txt").write_text("\n")
    assert load_calibration(tmp_path / "few.txt") is None


def test_an_empty_folder_calibrates_nothing(tmp_path):
    assert load_calibration(tmp_path) is None


def test_a_coco_json_calibrates_where_it_is_named_for_it_and_else_the_train_split_beside_it(tmp_path):
    scored = coco(tmp_path)
    assert [image.id for image in load_calibration(scored).images] == [1, 2]
    assert load_calibration(scored, explicit=False) is None
    content = json.loads(scored.read_text())
    train = {**content, "images": content["images"][:1], "annotations": []}
    (tmp_path / "instances_train.json").write_text(json.dumps(train))
    assert [image.id for image in load_calibration(scored, explicit=False).images] == [1]


def test_a_train_split_keeps_its_labels_so_that_it_can_train(tmp_path):
    made = load_calibration(yolo(tmp_path, {"train/a": "1 0.5 0.5 0.5 0.5", "val/b": None}), explicit=False)
    assert [row["category_id"] for row in made.annotations] == [1]
