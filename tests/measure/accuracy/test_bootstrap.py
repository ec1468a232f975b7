"""A resample weighs what was evaluated once, and its numbers are pycocotools' own of the resampled list of images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset, detections, quick
from coco import NAMES, by_pycocotools, random_case, random_task
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.accuracy.bootstrap import PARTS, draws, resampled
from harness.measure.accuracy.coco import evaluate
from harness.tasks.detect import COCO_STATS
from harness.tasks.pose import Pose


def drawn(made, found, times):
    """The list of images with image i as often as `times[i]`, copies side by side."""
    images, annotations, repeated = [], [], []
    for image, one, often in zip(made.images, found, times, strict=True):
        for _ in range(often):
            images.append(dataclasses.replace(image, id=len(images) + 1))
            rows = [row for row in made.annotations if row["image_id"] == image.id]
            annotations += [{**row, "image_id": len(images)} for row in rows]
            repeated.append(one)
    annotations = [{**row, "id": number} for number, row in enumerate(annotations, 1)]
    return dataclasses.replace(made, images=tuple(images), annotations=annotations), repeated


def assert_equal_to_pycocotools(made, found, counts):
    names = Pose.stats if made.task == "pose" else COCO_STATS
    common = [name for name in names if name in PARTS]
    ours = resampled(evaluate(made, found, NAMES).ranks, counts, common)
    for resample, times in enumerate(counts):
        theirs = dict(zip(names, by_pycocotools(*drawn(made, found, times)), strict=True))
        for name in common:
            assert ours[name][resample] == pytest.approx(theirs[name], abs=1e-12)


@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([0, 1, 2]))
@quick
def test_the_twelve_numbers_of_a_resample_are_those_of_pycocotools(seed, crowd, digits):
    made, found = random_case(seed, images=5, crowd=crowd)
    if digits:  # int8 outputs have few distinct scores: detections tie, within an image and between images
        found = [dataclasses.replace(one, scores=np.round(one.scores, digits)) for one in found]
    assert_equal_to_pycocotools(made, found, draws(str(seed), 5, 4))


@pytest.mark.parametrize("task", ["segment", "pose"])
@given(st.integers(0, 2**32))
@quick
def test_and_so_are_those_of_masks_and_key_points(task, seed):
    made, found = random_task(task, seed, images=5)
    assert_equal_to_pycocotools(made, found, draws(str(seed), 5, 3))


def test_more_detections_than_count_are_left_out_as_pycocotools_does():
    draw = np.random.default_rng(0)
    corners = np.sort(draw.uniform(0, 100, (3, 130, 2, 2)), axis=2).reshape(3, 130, 4)
    found = [detections(*np.column_stack([one, draw.random(130).round(1), np.zeros(130)])) for one in corners]
    truth = [(i + 1, 10, [*box[:2], *(box[2:] - box[:2])]) for i, one in enumerate(corners) for box in one[::3]]
    assert_equal_to_pycocotools(dataset(3, truth), found, draws("crowded", 3, 6))


def test_drawing_every_image_once_changes_nothing():
    made, found = random_case(3)
    whole = evaluate(made, found, NAMES)
    ours = resampled(whole.ranks, np.ones((1, 4), np.int32), tuple(PARTS))
    assert {name: values[0] for name, values in ours.items()} == pytest.approx(
        {name: -1 if value is None else value for name, value in whole.metrics.items()}, abs=1e-12
    )


def test_the_draws_belong_to_the_data_set_and_never_change():
    counts = draws("digest", 5, 3)
    assert counts.sum(axis=1).tolist() == [5, 5, 5]
    assert counts.tolist() == [[1, 1, 0, 2, 1], [1, 2, 0, 0, 2], [1, 2, 0, 0, 2]]
    assert not np.array_equal(counts, draws("another", 5, 3))


def test_every_image_is_drawn_equally_often():
    counts = draws("digest", 50, 4000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.06)  # four standard errors
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.02)  # of a binomial
