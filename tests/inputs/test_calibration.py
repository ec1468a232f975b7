"""Which images static int8 is calibrated on: how many, in which order, and none that are scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness import Calibration, ConfigError
from harness.core.dataset import Dataset, Image
from harness.inputs.calibration import choose, traced

SOURCE = Path("data.yaml")


def images(*digests: str) -> Dataset:
    """A data set of images with these digests, numbered from 0."""
    return Dataset("made", tuple(Image(n, f"{n}.png", 64, 48, digest) for n, digest in enumerate(digests)))


TRAIN, SCORED = images(*"abcdefghi"), images("x")


def chosen(everything: Dataset | None = TRAIN, scored: Dataset = SCORED, **declared) -> tuple[list[int], tuple]:
    """The ids of the chosen images, and the notes."""
    found, notes = choose(SOURCE, everything, Calibration(**declared), scored)
    return [image.id for image in found.images], notes


def test_the_first_images_are_taken_and_need_no_note():
    assert chosen(images=3) == ([0, 1, 2], ())


def test_a_seeded_draw_depends_on_the_seed_alone():
    def drawn(seed: int) -> list[int]:
        return chosen(images=4, order="random", seed=seed)[0]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 4


def test_ground_truth_is_left_behind_so_that_the_digest_is_that_of_the_images():
    labelled = dataclasses.replace(TRAIN, categories={1: "cat"})
    found, _ = choose(SOURCE, labelled, Calibration(images=9), SCORED)
    assert (found.name, found.categories, found.annotations) == ("made", {}, ())


@pytest.mark.parametrize("nothing", [None, images()])
def test_no_images_at_all_say_which_option_helps(nothing):
    with pytest.raises(ConfigError, match=r"data\.yaml has no images .*no train split.*--qg-calibration PATH"):
        chosen(nothing)


def test_fewer_images_than_the_suite_asks_for_are_an_error():
    with pytest.raises(ConfigError, match=r"9 images to calibrate on and the suite asks for 64; say Calibration"):
        chosen()


@pytest.mark.parametrize("order", ["id", "random"])
def test_a_scored_image_among_the_calibration_images_is_an_error(order):
    with pytest.raises(ConfigError, match=r"1 of 9 calibration images are also scored .*first: 2\.png.*--qg-calibr"):
        chosen(scored=images("x", "c"), images=9, order=order)


def test_a_scored_image_that_is_not_chosen_does_not_matter():
    assert chosen(scored=images("i"), images=8) == (list(range(8)), ())


def test_overlap_that_the_suite_allows_is_said_in_the_table():
    found, notes = chosen(scored=images("a", "c"), images=9, allow_overlap=True)
    assert found == list(range(9))
    assert notes == ("calibrated on 2 of the scored images, which flatters int8; --qg-calibration names others",)


def test_a_data_set_whose_train_split_is_its_val_split_calibrates_on_it_and_says_so():
    found, notes = chosen(scored=images(*"abcdefghi"), images=9)
    assert found == list(range(9))
    assert notes == ("calibrated on 9 of the scored images, which flatters int8; --qg-calibration names others",)


def test_results_say_which_images_and_how_they_were_chosen():
    wanted = Calibration(images=4, order="random", seed=3)
    found, _ = choose(SOURCE, TRAIN, wanted, SCORED)
    said = traced(found, wanted)
    assert (said["dataset"], said["images"], said["order"], said["seed"]) == ("made", 4, "random", 3)
    assert said["first"] == [Path(image.path).name for image in found.images[:3]]
    backwards = dataclasses.replace(found, images=found.images[::-1])
    assert traced(backwards, wanted)["digest"] != said["digest"]


def test_a_seed_that_was_not_used_is_not_said():
    assert traced(TRAIN, Calibration(images=9, seed=3))["seed"] is None
