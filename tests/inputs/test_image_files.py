"""Image files as they are: whole or not, turned or not, and decoded as they are displayed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from builders import picture

from harness import ConfigError
from harness.inputs.image_files import decode_image, inspect_image, turn, turn_point

PIXELS = np.zeros((20, 60, 3), np.uint8)
PIXELS[:8, :8] = 255  # bright in the first corner


def turned(path, orientation, **options):
    """An image of 60 × 20 stored pixels that is displayed in this EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(PIXELS).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_an_image_is_decoded_as_pillow_displays_it(tmp_path, suffix, orientation):
    path = turned(tmp_path / f"a{suffix}", orientation, **({"quality": 95} if suffix == ".jpg" else {}))
    with PIL.Image.open(path) as opened:
        upright = np.asarray(PIL.ImageOps.exif_transpose(opened).convert("L")) > 128
    found = inspect_image(path)
    assert found.size == (upright.shape[1], upright.shape[0])
    assert found.stored == (60, 20)
    assert np.array_equal(decode_image(str(path))[:, :, 0] > 128, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_turn_with_the_pixels(orientation):
    x, y = turn_point(4, 4, orientation, (60, 20))  # the middle of the bright corner
    assert turn(PIXELS, orientation)[int(y), int(x)].min() == 255


@pytest.mark.parametrize(
    "value", [b"\x02\0\x02\0\0\0" + b"6\0\0\0", b"\x03\0\x01\0\0\0" + b"\x63\0\0\0"], ids=["a text", "99"]
)
def test_an_orientation_that_is_no_number_from_1_to_8_turns_nothing(tmp_path, value):
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01" + value + bytes(4)
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    assert inspect_image(tmp_path / "a.jpg").size == (60, 20)
    assert decode_image(str(tmp_path / "a.jpg")).shape == cv2.imread(str(tmp_path / "a.jpg")).shape == (20, 60, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_a_file_that_ends_too_early_is_told(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    inspect_image(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(ConfigError, match=r"image .*a\.\w+ (ends too early|cannot be read)"):
        inspect_image(path)


def test_a_thumbnail_in_a_cut_jpeg_does_not_hide_the_cut(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    whole = path.read_bytes()
    thumbnail = b"\xff\xe1\x00\x0a" + b"\xff\xd8\xff\xda\x00\x00\xff\xd9"
    path.write_bytes((whole[:2] + thumbnail + whole[2:])[: len(whole) // 2])
    with pytest.raises(ConfigError, match="ends too early"):
        inspect_image(path)


def test_a_name_of_any_bytes_is_read_and_its_message_can_be_written(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(picture(tmp_path / "a.png").read_bytes())
    assert np.array_equal(decode_image(str(path)), decode_image(str(tmp_path / "a.png")))
    path.write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"caf\\xe9\.png cannot be read") as raised:
        inspect_image(path)
    str(raised.value).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a picture", "it is no image that Pillow or OpenCV knows"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS"),
        (None, "No such file or directory; it is a link to a file that is not there"),
    ],
)
def test_what_is_no_image_is_one_line_that_says_why(tmp_path, content, message):
    path = tmp_path / "a.png"
    path.symlink_to(tmp_path / "blob")
    if content is not None:
        (tmp_path / "blob").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as raised:
        inspect_image(path)
    assert "\n" not in str(raised.value)


def test_an_image_larger_than_pillow_allows_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    assert inspect_image(picture(tmp_path / "a.png")).size == (64, 48)
    assert PIL.Image.MAX_IMAGE_PIXELS == 100


def test_the_largest_value_of_16_bits_is_told(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8), 4095, np.uint16))
    assert inspect_image(tmp_path / "a.png").peak == 4095
    assert inspect_image(picture(tmp_path / "b.png")).peak == 0


def noise(path):
    """A JPEG or PNG that does not compress."""
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "behind"), [(".jpg", b"video\xff\xda\0"), (".jpg", bytes(99)), (".png", bytes(1 << 17))]
)
def test_what_follows_the_end_of_an_image_does_not_matter(tmp_path, suffix, behind):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(noise(path) + behind)
    assert inspect_image(path).size == (64, 64)


@pytest.mark.parametrize("lost", [slice(1500, 3000), slice(3000, None)])
def test_a_jpeg_without_some_of_its_pixels_is_told(tmp_path, capfd, lost):
    path = tmp_path / "a.jpg"
    content = bytearray(noise(path))
    content[lost] = b"\xff\xd9"
    path.write_bytes(bytes(content))
    with pytest.raises(
        ConfigError, match=r"a\.jpg cannot be decoded: it is damaged \(Corrupt JPEG data: premature end"
    ):
        decode_image(str(path))
    print("standard error is as before", file=sys.stderr)
    assert "standard error is as before" in capfd.readouterr().err


def test_a_jpeg_of_parts_that_lacks_one_is_told(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), pixels, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:1500] + content[3000:])
    with pytest.raises(ConfigError, match="it is damaged"):
        decode_image(str(tmp_path / "a.jpg"))


def test_a_jpeg_with_a_byte_too_many_is_decoded(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(noise(path)[:-2] + b"\0\0\xff\xd9")  # which libjpeg complains of
    assert decode_image(str(path)).shape == (64, 64, 3)
