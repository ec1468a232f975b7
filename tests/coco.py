"""Random scenes, and what a user of pycocotools computes of them."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from builders import dataset, detections
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ("cat", "dog")


def by_pycocotools(made, found, names=NAMES):
    """The 12 numbers as a user of pycocotools gets them: through loadRes."""
    ids = {
        index: number for index, name in enumerate(names) for number, known in made.categories.items() if known == name
    }
    rows = [
        {"image_id": image.id, "category_id": ids[label], "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for image, one in zip(made.images, found, strict=True)
        for (x1, y1, x2, y2), score, label in zip(
            one.boxes.tolist(), one.scores.tolist(), one.classes.tolist(), strict=True
        )
        if label in ids
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image.id} for image in made.images],
            "categories": [{"id": number, "name": name} for number, name in made.categories.items()],
            "annotations": [dict(row) for row in made.annotations],
        }
        truth.createIndex()
        scorer = COCOeval(truth, truth.loadRes(rows), "bbox")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return scorer.stats


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
