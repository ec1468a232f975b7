"""A data set is known by what it shows and not by where it lies; parts of it keep their ground truth."""

from __future__ import annotations

import dataclasses

import pytest
from builders import dataset

from harness import ConfigError

ROWS = [(1, 10, (0, 0, 20, 30)), (2, 11, (5, 5, 10, 10)), (2, 10, (1, 1, 4, 4))]


def made(**changes):
    return dataclasses.replace(dataset(3, ROWS), **changes)


def with_row(number, **changes):
    """The data set with changes to one annotation."""
    rows = [dict(row) for row in made().annotations]
    rows[number].update(changes)
    return made(annotations=rows)


def test_the_digest_stays_as_baselines_have_it():
    assert made().digest == "67e8da433d6cb452"


def test_the_digest_does_not_depend_on_places_names_or_the_order_of_annotations():
    images = tuple(dataclasses.replace(image, path=f"/elsewhere/{image.path}") for image in made().images)
    assert made(images=images, name="another", annotations=made().annotations[::-1]).digest == made().digest


@pytest.mark.parametrize(
    "changed",
    [
        made(images=made().images[:2]),
        made(images=made().images[::-1]),
        made(images=(dataclasses.replace(made().images[0], digest="0" * 64), *made().images[1:])),
        made(categories={10: "cat", 11: "wolf"}),
        made(annotations=made().annotations[:2]),
        with_row(0, bbox=[0, 0, 20, 31]),
        with_row(0, category_id=11),
        with_row(0, area=1),
        with_row(0, iscrowd=1),
    ],
)
def test_the_digest_depends_on_images_categories_and_boxes(changed):
    assert changed.digest != made().digest


def test_masks_and_key_points_count_only_where_the_task_is_scored_by_them():
    assert with_row(0, segmentation=[[0, 0, 20, 0, 0, 20]]).digest == made().digest
    first, second = (
        dataclasses.replace(made(), task="segment", truth="segmentation", annotations=[
            {**row, "segmentation": [[0, 0, width, 0, 0, 20]]} for row in made().annotations
        ])
        for width in (20, 21)
    )  # fmt: skip
    assert len({first.digest, second.digest, made().digest}) == 3


def test_the_sigmas_of_key_points_count():
    posed = made(
        task="pose", truth="keypoints", annotations=[{**row, "keypoints": [1, 1, 2]} for row in made().annotations]
    )
    assert posed.digest != dataclasses.replace(posed, sigmas=(0.1,)).digest


def test_a_part_has_its_images_and_their_ground_truth_alone():
    second = made().of_images(made().images[1:2])
    assert [image.id for image in second.images] == [2]
    assert [row["id"] for row in second.annotations] == [2, 3]
    assert second.categories == made().categories


def test_the_first_images_are_taken_in_order_and_more_than_there_are_is_all():
    assert [image.id for image in made().first(2).images] == [1, 2]
    assert len(made().first(2).annotations) == 3
    assert made().first(99).digest == made().digest
    assert made().first(0).annotations == []


def test_key_points_are_counted_by_the_objects_that_have_some():
    assert made().points == 0
    assert with_row(0, keypoints=[1, 1, 2, 3, 3, 0]).points == 2
    assert with_row(0, keypoints=[]).points == 0
    assert with_row(0, keypoints=None).points == 0


def test_objects_with_different_numbers_of_key_points_are_told():
    rows = [{**row, "keypoints": [1, 1, 2] * (number + 1)} for number, row in enumerate(made().annotations)]
    with pytest.raises(ConfigError, match=r"dataset made: its objects have \[1, 2, 3\] key points, not all as many"):
        _ = made(annotations=rows).points
