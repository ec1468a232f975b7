"""A YOLO YAML and its label files become images, boxes, polygons and key points; mistakes name file and line."""

from __future__ import annotations

import pytest
from builders import boxes, scored, sha, yolo

from harness import ConfigError
from harness.inputs.datasets.yolo import read_yolo, shared_images


def test_a_yolo_yaml_gives_pixels_boxes_and_content_hashes(tmp_path):
    made = scored(yolo(tmp_path, {"train/a": None, "val/b": "1 0.5 0.5 0.25 0.5\n\n0 0.25 0.25 0.5 0.5\n"}))
    (image,) = made.images
    assert (image.width, image.height, image.digest) == (64, 48, sha(tmp_path / "images/val/b.png"))
    assert boxes(made) == [(24, 12, 16, 24), (0, 0, 32, 24)]
    assert [(row["id"], row["category_id"], row["area"]) for row in made.annotations] == [(1, 1, 384), (2, 0, 768)]
    assert made.categories == {0: "cat", 1: "dog"}


def test_names_may_be_a_mapping_from_index_to_name(tmp_path):
    made = scored(yolo(tmp_path, {"val/a": None, "train/b": None}, names={0: "x", 1: "y"}))
    assert made.categories == {0: "x", 1: "y"}


def test_a_class_index_that_names_leave_out_is_an_error(tmp_path):
    file = yolo(tmp_path, {"train/a": None, "val/b": "5 0.5 0.5 0.5 0.5"}, names={1: "x", 5: "y"})
    assert [row["category_id"] for row in scored(file).annotations] == [5]
    (tmp_path / "labels/val/b.txt").write_text("0 0.5 0.5 0.5 0.5")
    with pytest.raises(ConfigError, match=r"b\.txt:1: class 0 is outside the 2 classes"):
        scored(file)


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
    assert scored(yolo(tmp_path, {"val/b": None}, val="images/val", **declared)).sigmas == sigmas


def test_sigmas_of_another_number_are_told(tmp_path):
    file = yolo(tmp_path, {"val/b": None}, val="images/val", kpt_shape=[2, 3], kpt_oks_sigmas=[0.1])
    with pytest.raises(ConfigError, match="'kpt_oks_sigmas' must be 2 numbers"):
        scored(file)


@pytest.mark.parametrize("declared", [[17], [17, 4], 17, ["a", 3], [0, 3]])
def test_a_shape_of_key_points_that_is_none_is_told(tmp_path, declared):
    file = yolo(tmp_path, {"val/b": None}, val="images/val", kpt_shape=declared)
    with pytest.raises(ConfigError, match=r"'kpt_shape' must be \[key points, 2 or 3\]"):
        scored(file)


def test_a_split_may_be_a_list_of_folders_or_a_text_file_of_paths(tmp_path):
    images = {"train/a": None, "one/b": "0 0.5 0.5 0.5 0.5", "two/c": None}
    (tmp_path / "val.txt").write_text("images/one/b.png\n\n./images/two/c.png\n")
    by_folders = scored(yolo(tmp_path, images, train="images/train", val=["images/one", "images/two"]))
    by_text = scored(yolo(tmp_path, images, train="images/train", val="val.txt"))
    assert by_text == by_folders
    assert len(by_text.images) == 2
    assert len(by_text.annotations) == 1


def test_an_image_named_twice_is_scored_once(tmp_path):
    images = {"train/a": None, "val/b": None, "val/c": None}
    (tmp_path / "val.txt").write_text("images/val/b.png\nimages/val/b.png\n")
    assert len(scored(yolo(tmp_path, images, train="images/train", val="val.txt")).images) == 1
    overlapping = ["images/val", "images"]
    assert len(scored(yolo(tmp_path, images, train="images/train", val=overlapping)).images) == 3


def test_paths_are_relative_to_the_yaml_or_to_its_path_entry(tmp_path):
    yolo(tmp_path / "elsewhere", {"train/a": None, "val/b": None})
    file = tmp_path / "set.yaml"
    file.write_text("path: elsewhere\ntrain: images/train\nval: images/val\nnames: [cat]")
    assert len(scored(file).images) == 1


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
        scored(file)
    assert "\n" not in str(raised.value)


def test_the_train_split_is_read_by_its_name(tmp_path):
    made = read_yolo(yolo(tmp_path, {"train/a": "1 0.5 0.5 0.5 0.5", "val/b": None}), "train")
    assert [image.path for image in made.images] == [str(tmp_path / "images/train/a.png")]
    assert boxes(made) == [(16, 12, 32, 24)]


@pytest.mark.parametrize(
    ("splits", "shared"),
    [
        ({"train": "images/val", "val": "images/val"}, 2),
        ({"train": ["images/train", "images/val"], "val": ["images/val"]}, 2),
        ({"train": "list.txt", "val": "images/val"}, 1),
        ({"train": "images/train", "val": "images/val"}, 0),
        ({"train": "images/gone", "val": "images/val"}, 0),
        ({"val": "images/val"}, 0),
    ],
)
def test_images_that_train_names_too_are_counted(tmp_path, splits, shared):
    file = yolo(tmp_path, {"train/a": None, "val/b": "", "val/c": ""}, **splits)
    (tmp_path / "list.txt").write_text("images/val/c.png\nimages/train/a.png")
    assert shared_images(file, scored(file).images) == shared


@pytest.mark.parametrize(
    ("train", "shared"),
    [
        ("./images/../images/val/", 2),
        ("link", 2),  # to the folder
        ("links", 1),  # to files
        ("copies", 1),  # under other names
    ],
)
def test_images_that_train_has_by_another_name_are_counted(tmp_path, train, shared):
    file = yolo(tmp_path, {"val/b": "", "val/c": ""}, train=train, val="images/val")
    (tmp_path / "link").symlink_to("images/val")
    for folder in ("links", "copies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "links/x.png").symlink_to(tmp_path / "images/val/b.png")
    (tmp_path / "links/gone.png").symlink_to("nowhere")
    (tmp_path / "copies/x.png").write_bytes((tmp_path / "images/val/b.png").read_bytes())
    assert shared_images(file, scored(file).images) == shared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val: images/val\nnames: [cat]\ndate: 2024-13-45", r"data\.yaml cannot be read: month must be in 1\.\.12"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0", r"data\.yaml is a pointer of Git LFS"),
    ],
)
def test_a_yaml_that_python_cannot_take_is_one_line(tmp_path, text, message):
    file = yolo(tmp_path, {"val/b": ""})
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        scored(file)


@pytest.mark.parametrize("name", ["x.gif", "x", "x.tga"])
def test_a_file_with_labels_that_is_passed_over_is_noted(tmp_path, name):
    file = yolo(tmp_path, {"val/b": "", "val/x": "0 0.5 0.5 0.5 0.5"}, val="images/val")
    (tmp_path / "images/val/x.png").rename(tmp_path / "images/val" / name)
    (tmp_path / "images/val/b.xml").write_text("of a tool, beside its image")
    said = f"1 file with labels left out: no suffix of an image that is read (first: images/val/{name})"
    assert scored(file).notes == (said,)
    (tmp_path / "images/val/b.png").unlink()
    with pytest.raises(ConfigError, match=r"the 'val' split holds no images; images/val/.* has no suffix of an image"):
        scored(file)


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("", "val: images/val\nnames: {'0': cat, '1': dog}"),
        ("", "validation: images/val\nnames: [cat, dog]"),
        ("", "valid: images/val\nnames: [cat, dog]"),
        ("", "\ufeffval: images/val\nnames: [cat, dog]"),
        ("", "val: images\\val\nnames: [cat, dog]"),
        ("", "path: elsewhere/set\nval: images/val\nnames: [cat, dog]"),
        ("set", "val: ../images/val\nnames: [cat, dog]"),  # Roboflow's
        ("", "path: set\nval: images/val\nnames: [cat, dog]"),  # relative to the working directory
    ],
)
def test_a_yaml_in_another_spelling_is_read(tmp_path, monkeypatch, folder, text):
    monkeypatch.chdir(tmp_path)
    file = yolo(tmp_path / "set", {"val/b": "1 0.5 0.5 0.5 0.5"})
    if text.startswith("path: set"):
        file = tmp_path / "other" / "data.yaml"
        file.parent.mkdir()
    file.write_text(text)
    made = scored(file)
    assert made.categories == {0: "cat", 1: "dog"}
    assert len(made.annotations) == 1


def test_classes_without_names_are_numbered(tmp_path):
    file = yolo(tmp_path, {"val/b": "1 0.5 0.5 0.5 0.5"})
    file.write_text("val: images/val\nnc: 2")
    assert scored(file).categories == {0: "class_0", 1: "class_1"}
    file.write_text("val: images/val\nnc: 3\nnames: [cat, dog]")
    assert scored(file).notes == ("data.yaml says nc: 3 and has 2 names",)


def test_a_yaml_behind_a_link_has_the_neighbours_of_the_link(tmp_path):
    file = yolo(tmp_path / "set", {"val/b": "1 0.5 0.5 0.5 0.5"})
    (tmp_path / "versions").mkdir()
    file.rename(tmp_path / "versions" / "v3")
    file.symlink_to(tmp_path / "versions" / "v3")
    assert len(scored(file).annotations) == 1
    file.unlink()
    file.write_text("../versions/v3")
    with pytest.raises(ConfigError, match=r"holds only the path \.\./versions/v3: a link that was copied as text"):
        scored(file)
