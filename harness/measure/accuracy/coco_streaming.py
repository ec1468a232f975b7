"""Evaluate images while others are still being inferred: what a runtime leaves of the machine is used by pycocotools.

pycocotools matches each image by itself, in Python and for as long as a quick network infers it. Groups of images are
matched in a thread of their own, and their matches put together are those of one evaluation of all.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.dataset import Dataset
from harness.measure.accuracy.coco import Evaluation, Matched, coco_annotations, known_classes, matched, summed
from harness.tasks.base import Detections
from harness.tasks.registry import task

GROUP = 16  # images; of a few, pycocotools' indices would cost more than they save


class Evaluator:
    """Takes the detections of a data set image by image; `result` equals `evaluate` of all.

    Raises:
        ConfigError: no class of the data set is known to the model.
    """

    def __init__(self, dataset: Dataset, names: Sequence[str]) -> None:
        self._dataset, self._categories, self._sigmas = (
            dataset,
            known_classes(dataset, names),
            task(dataset.task).oks_sigmas(dataset),
        )
        self._truth = defaultdict(list)
        for row in dataset.annotations:
            self._truth[row["image_id"]].append(row)
        self._waiting: list[Detections] = []
        self._begun = 0  # images that are being matched, or are
        self._groups: list[Future[Matched]] = []
        self._pool = ThreadPoolExecutor(1)

    def add(self, found: Sequence[Detections]) -> None:
        """The next images, in the order of the data set."""
        self._waiting += found
        if len(self._waiting) >= GROUP:
            self._begin()

    def result(self) -> Evaluation:
        if self._waiting:
            self._begin()
        self._pool.shutdown()
        groups = [group.result() for group in self._groups]
        return summed(self._dataset, tuple(_joined(scorers) for scorers in zip(*groups, strict=True)))

    def _begin(self) -> None:
        images = self._dataset.images[self._begun : self._begun + len(self._waiting)]
        truth = [row for image in images for row in self._truth[image.id]]
        part = replace(self._dataset, images=images, annotations=truth)
        self._groups.append(self._pool.submit(self._match, part, self._waiting))
        self._begun, self._waiting = self._begun + len(images), []

    def _match(self, part: Dataset, found: Sequence[Detections]) -> Matched:
        return matched(part, coco_annotations(part, found, self._categories), self._sigmas)


def _joined(scorers: Sequence[Any]) -> Any:
    """A COCOeval with the matches of all groups; it keeps them by class, area range and image, images by their ids."""
    whole = copy.copy(scorers[0])
    whole.params = copy.deepcopy(scorers[0].params)
    kinds = (len(whole.params.catIds), len(whole.params.areaRng))
    tables = []
    for scorer in scorers:
        table = np.empty(len(scorer.evalImgs), object)
        table[:] = scorer.evalImgs
        tables.append(table.reshape(*kinds, -1))
    images = np.concatenate([scorer.params.imgIds for scorer in scorers])
    order = np.argsort(images)
    whole.params.imgIds = images[order].tolist()
    whole.evalImgs = np.concatenate(tables, axis=2)[:, :, order].ravel().tolist()
    whole._paramsEval = copy.deepcopy(whole.params)
    return whole
