"""Detections + ground truth → COCO's numbers. The only user of pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.measure.accuracy.bootstrap import AREAS, Ranked
from harness.tasks.base import Detections
from harness.tasks.detect import COCO_STATS
from harness.tasks.registry import of_task, task


@dataclass(frozen=True)
class Evaluation:
    """What pycocotools says of all images, and how it came to say so."""

    metrics: dict[str, float | None]
    per_class: dict[str, float | None]  # AP by class name
    ranks: dict[tuple[int, int], Ranked]  # by class (position among the data set's sorted ids) and area range
    instances: dict[str, int]  # objects by class name, without what COCO ignores
    box_ranks: dict[tuple[int, int], Ranked] = field(default_factory=dict)  # of another task's boxes


def evaluate(dataset: Dataset, found: Sequence[Detections], names: Sequence[str]) -> Evaluation:
    """COCO's numbers and AP per class, by pycocotools on all images of `dataset`, for the task of `dataset`.

    A number without any ground truth behind it (pycocotools: −1) is None, and so is one that COCO does not define for
    key points. Zero detections score 0. Of masks and key points, `box_map` is mAP of their boxes.

    Raises:
        ConfigError: no class of the data set is known to the model.
    """
    return summed(
        dataset,
        matched(
            dataset,
            coco_annotations(dataset, found, known_classes(dataset, names)),
            task(dataset.task).oks_sigmas(dataset),
        ),
    )


Matched = tuple[Any, ...]
"""pycocotools' COCOeval with the matches of every image: of the task, and of the boxes where the task is another."""


def matched(dataset: Dataset, detections: list[dict[str, Any]], sigmas: NDArray[np.float64] | None) -> Matched:
    """Match detections, as COCO's annotations (`rows`), with the ground truth."""
    scorer = _matched(dataset, detections, sigmas)
    if dataset.task == "detect":
        return (scorer,)
    boxes = [{**row, "area": row["bbox"][2] * row["bbox"][3]} for row in detections]
    return scorer, _matched(of_task(dataset, "detect"), boxes, None)


def summed(dataset: Dataset, scorers: Matched) -> Evaluation:
    """What the matches of all images come to."""
    evaluation = _summed(dataset, scorers[0])
    if len(scorers) == 1:
        return evaluation
    boxes = _summed(of_task(dataset, "detect"), scorers[1])
    metrics = {**evaluation.metrics, "box_map": boxes.metrics["map"]}
    return replace(evaluation, metrics=metrics, box_ranks=boxes.ranks)


def _matched(dataset: Dataset, detections: list[dict[str, Any]], sigmas: NDArray[np.float64] | None) -> Any:
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


def _summed(dataset: Dataset, scorer: Any) -> Evaluation:
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.accumulate()
        scorer.summarize()
    numbers = dict(zip(task(dataset.task).stats, scorer.stats, strict=True))
    metrics = {name: _defined(numbers.get(name, -1)) for name in COCO_STATS}
    precision = scorer.eval["precision"][:, :, :, 0, -1]  # [IoU, recall, class], all areas and as many as there may be
    per_class = {dataset.categories[number]: _mean(precision[:, :, k]) for k, number in enumerate(scorer.params.catIds)}
    ranks = _ranks(scorer)
    instances = {
        dataset.categories[number]: int(ranks[k, 0].positives.sum()) if (k, 0) in ranks else 0
        for k, number in enumerate(scorer.params.catIds)
    }
    return Evaluation(metrics, per_class, ranks, instances)


def at_confidence(ranks: Mapping[tuple[int, int], Ranked], conf: float) -> dict[str, float | None]:
    """Recall and F1 over all classes of the detections with a score ≥ `conf`, at IoU 0.5; None without ground truth.

    pycocotools matches by falling score, so leaving out the low scores leaves the matches of the others as they are.
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
    """Class index of the model → category id of the data set, matched by name."""
    ids = {name.strip().lower(): number for number, name in dataset.categories.items()}
    known = {index: ids[name.strip().lower()] for index, name in enumerate(names) if name.strip().lower() in ids}
    if not known:
        wanted, offered = ", ".join(list(ids)[:4]), ", ".join(list(names)[:4])
        raise ConfigError(
            f"dataset {dataset.name}: none of its classes ({wanted}, …) is known to the model ({offered}, …)"
        )
    return known


def coco_annotations(
    dataset: Dataset, found: Sequence[Detections], categories: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Detections of known classes as COCO's annotations."""
    written: list[dict[str, Any]] = []
    kind = task(dataset.task)
    for image, one in zip(dataset.images, found, strict=True):
        for k, (box, score, label) in enumerate(
            zip(one.boxes.tolist(), one.scores.tolist(), one.classes.tolist(), strict=True)
        ):
            if label in categories:
                said = {"id": len(written) + 1, "image_id": image.id, "category_id": categories[label]}
                x1, y1, x2, y2 = box
                shape = kind.annotation(image, one, k, [x1, y1, x2 - x1, y2 - y1])
                written.append({**said, "score": score, "iscrowd": 0, **shape})
    return written


def _ranks(scorer: Any) -> dict[tuple[int, int], Ranked]:
    """The matches of `COCOeval.evaluate`, which it keeps by class, area range and image."""
    images, areas = len(scorer.params.imgIds), len(scorer.params.areaRng)
    number = {label: at for at, label in enumerate(AREAS)}  # key points have no range of small objects
    found = {}
    for category in range(len(scorer.params.catIds)):
        for area in range(areas):
            first = (category * areas + area) * images
            if one := _ranked(scorer.evalImgs[first : first + images]):
                found[category, number[scorer.params.areaRngLbl[area]]] = one
    return found


def _ranked(of_images: Sequence[Mapping[str, Any] | None]) -> Ranked | None:
    """One class and area range; None where there is neither a detection nor a ground truth."""
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
    return None if value < 0 else float(value)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None
