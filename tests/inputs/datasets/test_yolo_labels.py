"""Label files of YOLO: where they lie, and what their rows say; mistakes name file and line."""

from __future__ import annotations

import pytest
from builders import boxes, scored, yolo

from harness import ConfigError
from harness.inputs.datasets.yolo import read_yolo
from harness.tasks.registry import of_task


def test_a_polygon_is_its_bounding_box(tmp_path):
    made = scored(yolo(tmp_path, {"train/a": None, "val/b": "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75"}))
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
    made = scored(yolo(tmp_path, {"train/a": None, "val/b": row}, **splits))
    assert boxes(made) == [(16, 12, 32, 24)]
    assert of_task(made, "pose").annotations[0]["keypoints"] == points
    assert made.annotations[0]["area"] == 32 * 24
    assert of_task(made, "pose").annotations[0]["area"] == pytest.approx(32 * 24 * 0.53)  # Ultralytics' share
    (tmp_path / "labels/val/b.txt").write_text("0 0.5 0.5 0.5 0.5 0.25")
    with pytest.raises(ConfigError, match=rf"b\.txt:1: expected class x y w h and 2 key points of {numbers}, got 6"):
        scored(tmp_path / "data.yaml")


@pytest.mark.parametrize("row", ["0.25 0.5 3 0 0 0", "0.25 0.5 nan 0 0 0", "nan 0.5 2 0 0 0"])
def test_a_key_point_that_is_none_is_told(tmp_path, row):
    splits = {"val": "images/val", "kpt_shape": [2, 3]}
    file = yolo(tmp_path, {"val/b": f"0 0.5 0.5 0.5 0.5 {row}"}, **splits)
    with pytest.raises(ConfigError, match=r"b\.txt:1: a key point is x, y and a visibility of 0, 1 or 2, not"):
        scored(file)


def test_objects_without_masks_cannot_score_a_segmentation_model(tmp_path):
    rows = "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75\n0 0.5 0.5 0.4 0.4\n"
    made = scored(yolo(tmp_path, {"train/a": None, "val/b": rows}))
    with pytest.raises(ConfigError, match=r"1 of 2 objects have no masks .* 'segment' model .*\(first: image 1\)"):
        of_task(made, "segment")


@pytest.mark.parametrize("rows", [None, "", "\n"])
def test_an_image_without_labels_has_no_objects_and_is_scored(tmp_path, rows):
    made = scored(yolo(tmp_path, {"train/a": None, "val/b": "0 0.5 0.5 0.5 0.5", "val/c": rows}))
    assert len(made.images) == 2
    assert len(made.annotations) == 1


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
        scored(file)
    assert "\n" not in str(raised.value)


def test_a_label_file_that_is_not_text_is_one_line(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": ""})
    (tmp_path / "labels/val/b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"b\.txt"):
        scored(file)


@pytest.mark.parametrize(
    ("content", "objects"),
    [
        (b"\xef\xbb\xbf1 0.5 0.5 0.5 0.5\r\n", 1),
        (b"1 0.5 0.5 0.5 0.5   \n\n  \n", 1),
        ("1 0.5 0.5 0.5 0.5\n".encode("utf-16"), 1),
        (b"1 1.005 0.5 0.01 0.5\n0 -0.005 0.5 0.01 0.5", 2),
    ],
)
def test_a_label_file_of_another_editor_is_read(tmp_path, content, objects):
    file = yolo(tmp_path, {"val/b": ""}, val="images/val")
    (tmp_path / "labels/val/b.txt").write_bytes(content)
    (tmp_path / "labels/val/classes.txt").write_text("cat\ndog\n")  # labelImg's
    assert len(scored(file).annotations) == objects


def test_images_without_a_label_file_are_counted_where_others_have_one(tmp_path):
    made = scored(yolo(tmp_path, {"val/a": None, "val/b": "", "val/c": None}, val="images/val"))
    said = "2 of 3 images have no label file and count as without objects (first: labels/val/a.txt)"
    assert made.notes == (said,)


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        ("images/val/images/a.txt", r"its labels seem to lie in .*images/val/images/a\.txt"),
        ("labels/val/images/a.txt", r"its labels seem to lie in .*/labels/val/images/a\.txt"),
        ("lables/val/a.txt", "an image without objects needs an empty one"),
    ],
)
def test_labels_that_lie_elsewhere_are_told(tmp_path, labels, advice):
    file = yolo(tmp_path, {"val/images/a": None}, val="images/val")
    (tmp_path / labels).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / labels).write_text("0 0.5 0.5 0.5 0.5")
    with pytest.raises(ConfigError, match=rf"none of 1 image has a label file; .*images/val/labels/a\.txt .*{advice}"):
        read_yolo(file, "val", labelled=True)


def test_the_last_folder_of_images_is_that_of_the_labels(tmp_path):
    file = yolo(tmp_path, {"val/images/a": None}, val="images/val")
    (tmp_path / "images/val/labels").mkdir()
    (tmp_path / "images/val/labels/a.txt").write_text("0 0.5 0.5 0.5 0.5")
    assert len(scored(file).annotations) == 1


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        (["0 0.5 0.5 0.4 0.4 0.4 0.4 1 0.6 0.6 0 0.1 0.1 1 0.2 0.2 0"] * 3, r"\[4, 3\]"),
        (["0 0.5 0.5 0.4 0.4 0.31 0.31 0.69 0.69 0 0"] * 3, r"\[3, 2\]"),
        (["0 0.45 0.45 0.55 0.45 0.55 0.55 0.45 0.55"] * 3, ""),  # the corners of a turned box
        (["0 0 0 0.5 0 0.5 1 0 1 0 0"] * 3, ""),  # a closed polygon along the edge
        (["0 0.5 0.5 0.4 0.4", "0 0.5 0.5 0.4 0.4 0.4 0.4 1 0.6 0.6 0 0.1 0.1 1 0.2 0.2 0"], ""),
    ],
)
def test_key_points_without_kpt_shape_are_told(tmp_path, rows, shape):
    moved = [row.replace("0.5", f"0.5{at}") for at, row in enumerate(rows)]
    file = yolo(tmp_path, {"val/b": "\n".join(moved)}, val="images/val")
    if not shape:
        assert scored(file).annotations
        return
    with pytest.raises(ConfigError, match=rf"b\.txt:1: the rows are boxes with key points .* say `kpt_shape: {shape}`"):
        scored(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(100), r"b\.txt holds nothing but bytes of zero"),
        (b"version https://git-lfs.github.com/spec/v1", r"b\.txt is a pointer of Git LFS, not the file"),
    ],
)
def test_a_label_file_that_was_lost_is_told(tmp_path, content, message):
    file = yolo(tmp_path, {"val/b": ""}, val="images/val")
    (tmp_path / "labels/val/b.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        scored(file)


def test_a_label_file_of_two_images_is_noted(tmp_path):
    file = yolo(tmp_path, {"val/b": "0 0.5 0.5 0.5 0.5"}, val="images/val")
    (tmp_path / "images/val/b.jpg").write_bytes((tmp_path / "images/val/b.png").read_bytes())
    said = "1 label file shared by images of one name and several suffixes; all are scored (first: labels/val/b.txt)"
    assert said in [note.replace(f"{tmp_path.name}/", "") for note in scored(file).notes]
