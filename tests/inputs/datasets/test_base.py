"""Image files in folders and lists: which are found, what they are numbered, how large they are."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from builders import picture, sha

from harness import ConfigError
from harness.inputs.datasets.base import existing, images_in, load_image, numbered


def named(files):
    return [file.stem for file in files]


def test_the_first_candidate_that_exists_is_taken(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    assert existing(tmp_path / "d.yaml", "val", [tmp_path / name for name in "abc"]) == tmp_path / "b"


def test_where_no_candidate_exists_the_first_is_named_with_what_it_should_be(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset .*d\.yaml: val .*/a does not exist"):
        existing(tmp_path / "d.yaml", "val", [tmp_path / name for name in "abc"])


def test_images_are_found_in_folders_below_too_whatever_the_case_of_their_suffix(tmp_path):
    for name in ("b.png", "sub/a.JPG", "c.txt", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert named(images_in([tmp_path]).files) == ["b", "a"], "sorted by path"


def test_a_text_file_lists_images_relative_to_itself_or_by_absolute_path(tmp_path):
    inside, outside = picture(tmp_path / "list" / "a.png"), picture(tmp_path / "b.png")
    (tmp_path / "list" / "val.txt").write_text(f"a.png\n\n  {outside}  \n")
    assert images_in([tmp_path / "list" / "val.txt"]).files == sorted([inside, outside])


def test_an_image_that_is_named_twice_is_found_once(tmp_path):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "val.txt").write_text("images/a.png\nimages/a.png\n")
    assert named(images_in([tmp_path / "val.txt", tmp_path / "images", tmp_path]).files) == ["a"]


def test_a_listed_image_that_does_not_exist_is_named_with_the_list(tmp_path):
    (tmp_path / "val.txt").write_text("gone.png")
    with pytest.raises(ConfigError, match=r"val\.txt: image .*gone\.png does not exist"):
        images_in([tmp_path / "val.txt"])


@pytest.mark.parametrize(
    ("stems", "ids"),
    [
        (["000007", "000042"], [7, 42]),
        (["a", "b"], [1, 2]),
        (["7", "b"], [1, 2]),  # one name is no number
        (["07", "7"], [1, 2]),  # one number twice
    ],
)
def test_file_names_are_image_ids_where_they_are_different_numbers(tmp_path, stems, ids):
    images, _ = numbered([picture(tmp_path / f"{stem}.png") for stem in stems])
    assert [image.id for image in images] == ids


def test_an_image_has_the_hash_of_its_file_and_its_size_in_pixels(tmp_path):
    file = picture(tmp_path / "a.png", width=30, height=20)
    image = load_image(5, file)
    assert (image.id, image.path, image.digest) == (5, str(file), sha(file))
    assert (image.width, image.height) == (30, 20)


@pytest.mark.parametrize(("orientation", "size"), [(1, (60, 20)), (3, (60, 20)), (6, (20, 60)), (8, (20, 60))])
def test_a_turned_photograph_has_the_size_it_is_shown_in(tmp_path, orientation, size):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.new("RGB", (60, 20)).save(tmp_path / "a.jpg", exif=exif)
    image = load_image(1, tmp_path / "a.jpg")
    assert (image.width, image.height) == size


def test_a_file_that_is_no_image_is_one_line(tmp_path):
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.raises(ConfigError, match=r"image .*b\.png cannot be read") as raised:
        load_image(1, tmp_path / "b.png")
    assert "\n" not in str(raised.value)


def test_hidden_files_and_folders_are_left_out_and_links_followed(tmp_path):
    blob = picture(tmp_path / "blobs" / "a1b2.png").rename(tmp_path / "blobs" / "a1b2")
    for name in ("val/a.png", "elsewhere/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(blob)
    for name in ("val/._a.png", "val/.cache/c.png"):
        picture(tmp_path / name)
    (tmp_path / "val" / "sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "val")  # would never end
    found = images_in([tmp_path / "val"]).files
    assert [str(file.relative_to(tmp_path)) for file in found] == ["val/a.png", "val/sub/b.png"]
    assert load_image(1, found[0]).width == 64


def test_a_list_may_have_a_mark_backslashes_and_names_of_any_bytes(tmp_path):
    file = picture(tmp_path / "images" / "a.png")
    other = file.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/caf\xe9.png")))
    picture(file)
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbfimages\\a.png\r\n./images/caf\xe9.png\r\n")
    assert images_in([tmp_path / "val.txt"]).files == sorted([file, other])


def test_images_that_a_list_has_twice_are_counted(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "val.txt").write_text("a.png\na.png\n")
    assert images_in([tmp_path / "val.txt"]).notes == ("val.txt lists 1 image more than once; each counts once",)


@pytest.mark.parametrize(
    ("peaks", "dark"),
    [
        ([4095], 1),
        ([40000], 0),
        ([4095, 4095, 40000], 2),
        ([4095, 40000, 40000], 0),  # an image of a dark place
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_images_that_hold_fewer_bits_are_noted(tmp_path, peaks, dark, shape, suffix):
    for at, peak in enumerate(peaks):
        pixels = np.full(shape, peak, np.uint16)
        pixels[0, 0] = 65535  # a hot pixel
        cv2.imwrite(str(tmp_path / f"{at}{suffix}"), pixels)
    _, notes = numbered(sorted(tmp_path.iterdir()))
    assert (f"{dark} image" in notes[0] and "hardly a value above 4095" in notes[0]) if dark else notes == ()


def test_numbers_of_any_length_are_ids(tmp_path):
    stems = ["10203656353524179475", "7"]
    images, _ = numbered([picture(tmp_path / f"{stem}.png") for stem in stems])
    assert [image.id for image in images] == [int(stem) for stem in stems]
