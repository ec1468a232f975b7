"""Images of a COCO JSON are found however tools write their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import ConfigError
from harness.inputs.datasets.coco_files import find_images


def place(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("images/a.jpg", "images\\a.jpg"),  # Label Studio on Windows
        ("data/a.jpg", "a.jpg"),  # FiftyOne
        ("images/a.JPG", "a.jpg"),
        ("images/a b.jpg", "a%20b.jpg"),
        ("images/\u00e4.jpg", "a\u0308.jpg"),  # NFC on disk, NFD in the file
        ("images/a\u0308.jpg", "\u00e4.jpg"),
        ("images/a.jpg", "/home/someone/else/a.jpg"),
        ("images/a.jpg", "C:\\Users\\else\\a.jpg"),
        ("images/one/a.jpg", "/home/else/set/one/a.jpg"),
        ("images/one/a.jpg", "C:\\set\\one\\a.jpg"),
        ("images/a.jpg", "/data/local-files/?d=a%2Fb%5Ca.jpg"),  # Label Studio
        ("images/a.jpg", "data/upload?d=a.jpg"),
        ("images/a.jpg", "https://example.org/set/a.jpg?v=1"),
        ("images/a.jpg", " a.jpg "),
        (os.fsdecode(b"images/caf\xe9.jpg"), os.fsdecode(b"caf\xe9.jpg")),
    ],
)
def test_a_name_is_found_in_the_spelling_of_another_tool(tmp_path, file, name):
    place(tmp_path, file)
    assert find_images(tmp_path / "instances_val.json", {1: name}) == {1: tmp_path / file}


def test_missing_images_are_counted_and_the_places_named(tmp_path):
    place(tmp_path, "images/a.jpg")
    names = {1: "a.jpg", 2: "gone.jpg", 3: "lost.jpg"}
    with pytest.raises(ConfigError, match=r"image gone\.jpg does not exist in .*/images, .*, nor do 1 others"):
        find_images(tmp_path / "val.json", names)


def test_two_images_are_never_one_file(tmp_path):
    place(tmp_path, "images/a.jpg")
    with pytest.raises(ConfigError, match=r"2 images are the file .*a\.jpg; keep the folders"):
        find_images(tmp_path / "val.json", {1: "one/a.jpg", 2: "two/a.jpg"})
    place(tmp_path, "images/one/a.jpg")
    with pytest.raises(ConfigError, match=r"2 images are the file .*one/a\.jpg; keep the folders"):
        find_images(tmp_path / "val.json", {1: "/x/one/a.jpg", 2: "/y/one/a.jpg"})


def test_the_name_of_the_json_may_be_in_capitals(tmp_path):
    place(tmp_path, "images/val/a.jpg")
    assert find_images(tmp_path / "INSTANCES_VAL.JSON", {1: "a.jpg"}) == {1: tmp_path / "images/val/a.jpg"}


def test_folders_in_a_name_are_kept_apart(tmp_path):
    place(tmp_path, "images/one/a.jpg", "images/two/a.jpg")
    found = find_images(tmp_path / "val.json", {1: "one/a.jpg", 2: "two\\a.jpg"})
    assert found == {1: Path(tmp_path, "images/one/a.jpg"), 2: Path(tmp_path, "images/two/a.jpg")}
