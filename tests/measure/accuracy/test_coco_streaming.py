"""Evaluating images as they come gives what evaluating all of them gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import dataset
from coco import NAMES, random_task

from harness import ConfigError
from harness.measure.accuracy.bootstrap import draws, resampled
from harness.measure.accuracy.coco import evaluate
from harness.measure.accuracy.coco_streaming import GROUP, Evaluator

IMAGES = 2 * GROUP + 3


def by_and_by(made, found, step):
    evaluator = Evaluator(made, NAMES)
    for start in range(0, len(found), step):
        evaluator.add(found[start : start + step])
    return evaluator.result()


@pytest.mark.parametrize("task", ["detect", "segment", "pose"])
@pytest.mark.parametrize("step", [1, 5, 64])
def test_every_number_is_that_of_one_evaluation(task, step):
    made, found = random_task(task, 3, images=IMAGES)
    found = [dataclasses.replace(one, scores=np.round(one.scores, 1)) for one in found]  # ties between images
    whole, grown = evaluate(made, found, NAMES), by_and_by(made, found, step)
    assert grown.metrics == whole.metrics
    assert grown.per_class == whole.per_class
    assert grown.instances == whole.instances
    counts = draws("x", IMAGES, 5)
    assert np.array_equal(resampled(grown.ranks, counts)["map"], resampled(whole.ranks, counts)["map"])


def test_ids_need_not_ascend():
    made, found = random_task("detect", 4, images=IMAGES)
    found = [dataclasses.replace(one, scores=np.round(one.scores, 1)) for one in found]
    mixed = np.random.default_rng(0).permutation(IMAGES)
    made = dataclasses.replace(made, images=tuple(made.images[k] for k in mixed))
    found = [found[k] for k in mixed]
    assert by_and_by(made, found, 1).metrics == evaluate(made, found, NAMES).metrics


def test_a_data_set_of_other_classes_is_told_before_anything_is_inferred():
    with pytest.raises(ConfigError, match="none of its classes"):
        Evaluator(dataset(1), ("ship",))


def test_what_fails_while_others_are_inferred_is_not_lost():
    made, found = random_task("segment", 1)
    broken = [dataclasses.replace(one, masks=()) for one in found]
    evaluator = Evaluator(made, NAMES)
    evaluator.add(broken)
    with pytest.raises(IndexError):
        evaluator.result()
