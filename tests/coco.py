"""Random scenes, and what a user of pycocotools computes of them."""

from __future__ import annotations

import contextlib
import dataclasses
import io

import numpy as np
from builders import dataset, detections
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.tasks.registry import of_task
from harness.tasks.run_lengths import encoded

NAMES = ("cat", "dog")
POINTS = 3


def by_pycocotools(made, found, names=NAMES):
    """The 12 numbers as a user of pycocotools gets them."""
    return scorer(made, found, names).stats


def ap_by_class(made, found, names):
    """AP of every class that has ground truth, from pycocotools' table of precisions."""
    one = scorer(made, found, names)
    tables = {
        made.categories[number]: one.eval["precision"][:, :, k, 0, -1] for k, number in enumerate(one.params.catIds)
    }
    return {name: float(table[table > -1].mean()) for name, table in tables.items() if (table > -1).any()}


def scorer(made, found, names):
    """pycocotools through loadRes, ready."""
    ids = {
        index: number for index, name in enumerate(names) for number, known in made.categories.items() if known == name
    }
    rows = [
        {"image_id": image.id, "category_id": ids[label], "score": score, **_result(made, image, one, k)}
        for image, one in zip(made.images, found, strict=True)
        for k, (score, label) in enumerate(zip(one.scores.tolist(), one.classes.tolist(), strict=True))
        if label in ids
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image.id, "width": image.width, "height": image.height} for image in made.images],
            "categories": [{"id": number, "name": name} for number, name in made.categories.items()],
            "annotations": [
                {**row, "num_keypoints": sum(v > 0 for v in row.get("keypoints", [])[2::3])} for row in made.annotations
            ],
        }
        truth.createIndex()
        kind = {"detect": "bbox", "segment": "segm", "pose": "keypoints"}[made.task]
        one = COCOeval(truth, truth.loadRes(rows), kind)
        if kind == "keypoints":
            one.params.kpt_oks_sigmas = np.full(POINTS, 1 / POINTS)
        one.evaluate()
        one.accumulate()
        one.summarize()
    return one


def _result(made, image, one, k):
    if made.task == "segment":
        runs = {"size": [image.height, image.width], "counts": one.masks[k].tolist()}
        return {"segmentation": mask.frPyObjects(runs, image.height, image.width)}
    if made.task == "pose":
        return {"keypoints": one.points[k].ravel().tolist()}
    x1, y1, x2, y2 = one.boxes[k].tolist()
    return {"bbox": [x1, y1, x2 - x1, y2 - y1]}


def random_case(seed, images=4, crowd=True):
    """Ground truth of a few objects, and detections that hit, miss and double."""
    draw = np.random.default_rng(seed)
    annotations, found = [], []
    for image in range(1, images + 1):
        boxes = np.concatenate([draw.uniform(0, 90, (5, 2)), draw.uniform(5, 110, (5, 2))], axis=1)
        labels = draw.integers(0, 2, 5)
        annotations += [(image, 10 + int(label), box.tolist()) for box, label in zip(boxes, labels, strict=True)]
        jittered = np.repeat(boxes, 2, axis=0) + draw.normal(0, 3, (10, 4))
        corners = np.concatenate([jittered[:, :2], jittered[:, :2] + np.abs(jittered[:, 2:])], axis=1)
        wrong = np.where(draw.random(10) < 0.2, 1 - np.repeat(labels, 2), np.repeat(labels, 2))
        found.append(detections(*np.column_stack([corners, draw.random(10), wrong])))
    made = dataset(images, annotations)
    for row in made.annotations[:: 4 if crowd else 1000]:
        row["iscrowd"] = int(crowd)
    return made, found


def random_task(task, seed, images=4, crowd=True):
    """The random case with masks, or with key points: ellipses in the boxes, points around them."""
    made, found = random_case(seed, images, crowd)
    if task == "detect":
        return made, found
    draw = np.random.default_rng(seed)
    for row in made.annotations:
        x, y, w, h = row["bbox"]
        row["segmentation"] = [[x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h, x, y + h / 2]]  # a rhombus
        if row["iscrowd"]:
            row["segmentation"] = {"size": [100, 200], "counts": ellipse(x, y, x + w, y + h).tolist()}
        inside = np.column_stack([draw.uniform(x, x + w, POINTS), draw.uniform(y, y + h, POINTS)])
        row["keypoints"] = np.column_stack([inside, draw.integers(0, 3, POINTS)]).ravel().tolist()
    shaped = [dataclasses.replace(one, **_shapes(task, one, draw)) for one in found]
    return of_task(made, task), shaped


def _shapes(task, one, draw):
    if task == "segment":
        return {"masks": tuple(ellipse(*box) for box in one.boxes.tolist())}
    corner, far = one.boxes[:, None, :2], one.boxes[:, None, 2:]
    points = corner + (far - corner) * draw.random((len(one.boxes), POINTS, 2))
    return {"points": np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2).astype(np.float32)}


def ellipse(x1, y1, x2, y2, width=200, height=100):
    """Run lengths of the ellipse in a box, cut off by the image."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    a, b = max(x2 - x1, 1e-3) / 2, max(y2 - y1, 1e-3) / 2
    return encoded(((columns - (x1 + x2) / 2) / a) ** 2 + ((rows - (y1 + y2) / 2) / b) ** 2 <= 1, 0, 0, width, height)
