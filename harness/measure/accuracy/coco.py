"""Detections and ground truth → COCO's numbers, computed by pycocotools.

This module is the only one that evaluates with pycocotools (`COCO`, `COCOeval`); `tasks.segment` uses its masks.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset, by_id
from harness.core.errors import ConfigError
from harness.measure.accuracy.bootstrap import AREAS, Ranked, Ranks
from harness.tasks.base import Detections
from harness.tasks.classes import match_classes
from harness.tasks.detect import COCO_STATS
from harness.tasks.registry import of_task, task


@dataclass(frozen=True)
class Evaluation:
    """What pycocotools says about all images of a data set, and the matches from which it says so."""

    metrics: dict[str, float | None]  # by name, as in `core.metrics`
    per_class: dict[str, float | None]  # AP by class name
    ranks: Ranks  # the matched detections
    instances: dict[str, int]  # objects by class name, without the objects that COCO ignores
    box_ranks: Ranks = field(default_factory=dict)  # the matched boxes, where the task is not detection


Matched = tuple[Any, ...]
"""COCOeval objects with the matches of every image: one for the task, and one for the boxes of any other task."""


def evaluate(dataset: Dataset, found: Sequence[Detections], names: Sequence[str]) -> Evaluation:
    """Return COCO's numbers and AP per class, by pycocotools on all images of a data set, for the task of the data set.

    A number without any ground truth behind it (pycocotools: −1) is None, and so is a number that COCO does not define
    for key points. A class with ground truth and without detections scores 0. Masks and key points also get `box_map`,
    the mAP of their boxes.

    Args:
        dataset: images and ground truth.
        found: detections, one entry for each of `dataset.images`.
        names: class names of the model, in the order of its outputs.

    Raises:
        ConfigError: the model knows no class of the data set.
    """
    known = known_classes(dataset, names)
    dataset = with_small_ids(dataset)
    annotations = coco_annotations(dataset, found, known)
    return summarize_matches(dataset, match_images(dataset, annotations, task(dataset.task).oks_sigmas(dataset)))


def match_images(dataset: Dataset, detections: list[dict[str, Any]], sigmas: NDArray[np.float64] | None) -> Matched:
    """Match detections with the ground truth of a data set, image by image.

    Args:
        dataset: images and ground truth.
        detections: as `coco_annotations` writes them.
        sigmas: how far each key point may be off, as `Task.oks_sigmas` returns it.
    """
    scorer = _match(dataset, detections, sigmas)
    if dataset.task == "detect":
        return (scorer,)
    boxes = [{**row, "area": row["bbox"][2] * row["bbox"][3]} for row in detections]
    return scorer, _match(of_task(dataset, "detect"), boxes, None)


def summarize_matches(dataset: Dataset, scorers: Matched) -> Evaluation:
    """Return the evaluation that follows from the matches of all images."""
    evaluation = _summarize(dataset, scorers[0])
    if len(scorers) == 1:
        return evaluation
    boxes = _summarize(of_task(dataset, "detect"), scorers[1])
    metrics = {**evaluation.metrics, "box_map": boxes.metrics["map"]}
    return replace(evaluation, metrics=metrics, box_ranks=boxes.ranks)


def at_confidence(ranks: Ranks, conf: float) -> dict[str, float | None]:
    """Return `recall_op` and `f1_op`: recall and F1 of the detections with a score ≥ `conf`, at IoU 0.5.

    Both are taken over all classes together, and are None without ground truth. pycocotools matches by falling score:
    low scores can be left out without changing the matches of high ones.
    """
    right = wrong = objects = 0
    for (_, area), one in ranks.items():
        if area == 0:
            sure = one.score >= conf
            right += int((one.true[0] & sure).sum())
            wrong += int((~one.true[0] & ~one.ignored[0] & sure).sum())
            objects += int(one.positives.sum())
    if not objects:
        return {"recall_op": None, "f1_op": None}
    return {"recall_op": right / objects, "f1_op": 2 * right / (right + wrong + objects)}


def known_classes(dataset: Dataset, names: Sequence[str]) -> dict[int, int]:
    """Return the category id of the data set for each class index of the model, matched by name.

    `tasks.classes.match_classes` tells how names are matched. Classes of the model that the data set does not have are
    left out.

    Raises:
        ConfigError: the model knows no class of the data set.
    """
    known = match_classes(dataset.categories, names).categories
    if not known:
        wanted, offered = ", ".join(list(dataset.categories.values())[:4]), ", ".join(list(names)[:4])
        raise ConfigError(
            f"dataset {dataset.name}: none of its classes ({wanted}, …) is known to the model ({offered}, …)"
        )
    return dict(known)


def with_small_ids(dataset: Dataset) -> Dataset:
    """Return the data set with its images numbered from 1 in the order of their ids.

    pycocotools takes ids through numpy, which makes floats of a list that has numbers below and above 2⁶³: different
    images get one id then.
    """
    ids = {image.id: number for number, image in enumerate(sorted(dataset.images, key=by_id), 1)}
    images = tuple(replace(image, id=ids[image.id]) for image in dataset.images)
    return replace(
        dataset, images=images, annotations=[{**r, "image_id": ids[r["image_id"]]} for r in dataset.annotations]
    )


def coco_annotations(
    dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return detections as COCO's annotations.

    Args:
        dataset: the images.
        found: detections, one entry for each of `dataset.images`.
        categories: class index of the model → category id; detections of other classes are left out.
    """
    written: list[dict[str, Any]] = []
    kind = task(dataset.task)
    for image, one in zip(dataset.images, found, strict=True):
        rows = zip(one.boxes.tolist(), one.scores.tolist(), one.classes.tolist(), strict=True)
        for k, ((x1, y1, x2, y2), score, label) in enumerate(rows):
            if label in categories:
                row = {"id": len(written) + 1, "image_id": image.id, "category_id": categories[label]}
                shape = kind.annotation(image, one, k, [x1, y1, x2 - x1, y2 - y1])
                written.append({**row, "score": score, "iscrowd": 0, **shape})
    return written


def _match(dataset: Dataset, detections: list[dict[str, Any]], sigmas: NDArray[np.float64] | None) -> Any:
    """A COCOeval of the task of `dataset`, with the matches of every image."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth, results = COCO(), COCO()
        images = [{"id": image.id, "width": image.width, "height": image.height} for image in dataset.images]
        classes = [{"id": number, "name": name} for number, name in dataset.categories.items()]
        # Ids start at 1: pycocotools reads a match with annotation 0 as no match.
        annotations = [{**row, "id": number} for number, row in enumerate(dataset.annotations, 1)]
        truth.dataset = {"images": images, "categories": classes, "annotations": annotations}
        # Not through loadRes, which raises IndexError on an empty list.
        results.dataset = {"images": images, "categories": classes, "annotations": detections}
        task(dataset.task).counted(annotations)
        truth.createIndex()
        results.createIndex()
        scorer = COCOeval(truth, results, task(dataset.task).iou_type)
        if sigmas is not None:
            scorer.params.kpt_oks_sigmas = sigmas
        scorer.evaluate()
    return scorer


def _summarize(dataset: Dataset, scorer: Any) -> Evaluation:
    """The evaluation of one COCOeval."""
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.accumulate()
        scorer.summarize()
    numbers = dict(zip(task(dataset.task).stats, scorer.stats, strict=True))
    metrics = {name: _defined(numbers.get(name, -1)) for name in COCO_STATS}
    # [IoU thresholds, recalls, classes], for all areas and the largest number of detections per image
    precision = scorer.eval["precision"][:, :, :, 0, -1]
    names = class_labels(dataset)
    per_class = {name: _mean(precision[:, :, k]) for k, name in enumerate(names)}
    ranks = _ranks(scorer)
    instances = {name: int(ranks[k, 0].positives.sum()) if (k, 0) in ranks else 0 for k, name in enumerate(names)}
    return Evaluation(metrics, per_class, ranks, instances)


def class_labels(dataset: Dataset) -> list[str]:
    """Return the names of a data set's classes in the order of their ids; names that repeat get their id: "cat (3)"."""
    often = Counter(dataset.categories.values())
    return [name if often[name] == 1 else f"{name} ({number})" for number, name in sorted(dataset.categories.items())]


def _ranks(scorer: Any) -> dict[tuple[int, int], Ranked]:
    """The matched detections of a COCOeval, which keeps its matches by class, area range and image, in this order."""
    images, areas = len(scorer.params.imgIds), len(scorer.params.areaRng)
    position = {label: at for at, label in enumerate(AREAS)}  # key points have no range of small objects
    found = {}
    for category in range(len(scorer.params.catIds)):
        for area in range(areas):
            first = (category * areas + area) * images
            if one := _ranked(scorer.evalImgs[first : first + images]):
                found[category, position[scorer.params.areaRngLbl[area]]] = one
    return found


def _ranked(of_images: Sequence[Mapping[str, Any] | None]) -> Ranked | None:
    """The detections of one class and area range; None where there is neither a detection nor a ground truth.

    `of_images` has one entry of `COCOeval.evalImgs` for each image.
    """
    found = [(i, one) for i, one in enumerate(of_images) if one is not None]
    if not found:
        return None
    positives = np.zeros(len(of_images), np.int64)
    for i, one in found:
        positives[i] = np.count_nonzero(np.asarray(one["gtIgnore"]) == 0)
    image = np.concatenate([np.full(len(one["dtScores"]), i, np.intp) for i, one in found])
    rank = np.concatenate([np.arange(len(one["dtScores"])) for _, one in found])
    score = np.concatenate([np.asarray(one["dtScores"], np.float64) for _, one in found])
    ignored = np.concatenate([np.asarray(one["dtIgnore"], bool) for _, one in found], axis=1)
    true = np.concatenate([np.asarray(one["dtMatches"]) != 0 for _, one in found], axis=1) & ~ignored
    order = np.argsort(-score, kind="mergesort")  # pycocotools' own sort: equal scores keep the order of the images
    return Ranked(image[order], rank[order], score[order], true[:, order], ignored[:, order], positives)


def _defined(value: float) -> float | None:
    """A number of pycocotools; None for −1, which it gives where there is no ground truth."""
    return None if value < 0 else float(value)


def _mean(precision: NDArray[np.float64]) -> float | None:
    """AP of one class from its precisions; None where they are −1, without ground truth."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
