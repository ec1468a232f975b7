"""Evaluate images while others are still being inferred: pycocotools works while the runtime computes.

pycocotools matches each image on its own, in Python, and takes as long for it as a quick network takes to infer it.
Here a thread matches groups of images; the matches of all groups together equal the matches of one evaluation.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.dataset import Dataset
from harness.measure.accuracy.coco import (
    Evaluation,
    Matched,
    coco_annotations,
    known_classes,
    match_images,
    summarize_matches,
    with_small_ids,
)
from harness.tasks.base import Detections
from harness.tasks.registry import task

GROUP = 16  # images; in smaller groups, the indices that pycocotools builds would cost more than the thread saves


class Evaluator:
    """Takes the detections of a data set image by image; `result` equals `coco.evaluate` of all of them.

    Args:
        dataset: images and ground truth.
        names: class names of the model, in the order of its outputs.

    Raises:
        ConfigError: the model knows no class of the data set.
    """

    def __init__(self, dataset: Dataset, names: Sequence[str]) -> None:
        self._categories = known_classes(dataset, names)
        self._dataset = dataset = with_small_ids(dataset)
        self._sigmas = task(dataset.task).oks_sigmas(dataset)
        self._truth: dict[int | str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in dataset.annotations:
            self._truth[row["image_id"]].append(row)
        self._waiting: list[Detections] = []
        self._begun = 0  # images that have been handed to the thread
        self._groups: list[Future[Matched]] = []
        self._pool = ThreadPoolExecutor(1)

    def add(self, found: Sequence[Detections]) -> None:
        """Take the detections of the next images, in the order of the data set."""
        self._waiting += found
        if len(self._waiting) >= GROUP:
            self._begin()

    def result(self) -> Evaluation:
        """Wait for all groups, and return the evaluation of the data set. Raises what the thread has raised."""
        if self._waiting:
            self._begin()
        self._pool.shutdown()
        groups = [group.result() for group in self._groups]
        return summarize_matches(self._dataset, tuple(_joined(scorers) for scorers in zip(*groups, strict=True)))

    def _begin(self) -> None:
        """Hand the waiting images to the thread as one group."""
        images = self._dataset.images[self._begun : self._begun + len(self._waiting)]
        truth = [row for image in images for row in self._truth[image.id]]
        part = replace(self._dataset, images=images, annotations=truth)
        self._groups.append(self._pool.submit(self._match, part, self._waiting))
        self._begun, self._waiting = self._begun + len(images), []

    def _match(self, part: Dataset, found: Sequence[Detections]) -> Matched:
        return match_images(part, coco_annotations(part, found, self._categories), self._sigmas)


def _joined(scorers: Sequence[Any]) -> Any:
    """One COCOeval with the matches of all groups: by class, area range and image, with the images in order of ids."""
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
