"""Images as networks take them: decoded in the right orientation, letterboxed, in one file under one key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from builders import picture, sha
from jobs import Silent

from harness import ConfigError
from harness.core.dataset import Image
from harness.inputs import pixels
from harness.inputs.pixels import LetterboxJob, intact, pixels_key, read_image
from harness.tasks.preprocess import letterbox


@pytest.fixture
def images(tmp_path):
    files = [picture(tmp_path / f"{number}.png", number) for number in range(3)]
    return [Image(number, str(file), 64, 48, sha(file)) for number, file in enumerate(files)]


def test_the_file_holds_the_letterboxed_images_in_their_order(images, tmp_path):
    LetterboxJob(images, (32, 32), str(tmp_path / "made.npy")).run(Silent())
    expected = [letterbox(cv2.imread(image.path), (32, 32)) for image in images]
    assert np.array_equal(np.load(tmp_path / "made.npy"), np.stack(expected))


def test_every_image_is_a_step_of_progress(images, tmp_path):
    steps = []

    class Listening(Silent):
        def progress(self, done, total):
            steps.append((done, total))

    LetterboxJob(images, (32, 32), str(tmp_path / "made.npy")).run(Listening())
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_the_key_depends_on_content_order_and_size_and_not_on_the_place(images):
    moved = [dataclasses.replace(images[0], path="elsewhere"), *images[1:]]
    assert pixels_key(moved, 32) == pixels_key(images, 32)
    assert (
        len({pixels_key(*given) for given in ((images, 32), (images, 64), (images[::-1], 32), (images[:2], 32))}) == 4
    )


def test_the_key_depends_on_the_declared_size_which_decides_the_orientation(images):
    turned = [dataclasses.replace(images[0], width=48, height=64), *images[1:]]
    assert pixels_key(turned, 32) != pixels_key(images, 32)


def test_the_key_depends_on_the_opencv_that_decodes(images, monkeypatch):
    now = pixels_key(images, 32)
    monkeypatch.setattr(pixels, "version", lambda distribution: "99")
    assert pixels_key(images, 32) != now


def test_a_turned_photograph_is_read_as_it_is_displayed(tmp_path):
    """The file is 60 × 20 with a dark patch in its first corner, and says that it is shown turned by a quarter."""
    stored = np.full((20, 60, 3), 255, np.uint8)
    stored[:8, :8] = 0
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = read_image(Image(1, str(tmp_path / "a.jpg"), 20, 60, "d"))
    assert read.shape == (60, 20, 3)
    assert read[0, 19].max() < 50
    assert np.count_nonzero(read.max(axis=2) < 50) < 100


def test_an_image_of_another_size_than_its_data_set_says_is_told_with_both(images):
    with pytest.raises(ConfigError, match=r"0\.png has 64×48 pixels, its data set says 64×50"):
        read_image(dataclasses.replace(images[0], height=50))


def test_an_image_that_cannot_be_decoded_is_told(images):
    Path(images[1].path).write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"image .*1\.png cannot be decoded"):
        read_image(images[1])


def test_a_file_is_intact_where_it_holds_all_images(images, tmp_path):
    path, shape = tmp_path / "made.npy", (3, 3, 32, 32)
    assert not intact(path, shape), "absent"
    LetterboxJob(images, (32, 32), str(path)).run(Silent())
    assert intact(path, shape)
    assert not intact(path, (4, 3, 32, 32))
    for kept in (path.read_bytes()[:1000], b"", b"no array"):
        path.write_bytes(kept)
        assert not intact(path, shape)
