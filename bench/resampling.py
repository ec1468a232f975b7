"""How much time and memory a bootstrap of mAP takes, on simulated detections; 5,000 images by default.

    python bench/resampling.py
    python bench/resampling.py --images 128 --per-image 300

Objects and classes are as frequent as in COCO (7.3 objects per image, 80 classes of falling frequency). Evaluation by
pycocotools comes first and is printed apart, since a run does it once anyway for mAP itself.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from harness.core.dataset import Dataset, Image
from harness.measure.accuracy.bootstrap import draws, resampled
from harness.measure.accuracy.coco import evaluate
from harness.tasks.base import Detections

CLASSES = 80
OBJECTS = 7.3  # per image, as in COCO val2017


def simulated(
    images: int, per_image: float, seed: int = 0, noise: float = 0.08
) -> tuple[Dataset, list[Detections], list[str]]:
    """A data set, detections of it and class names. Most objects are found with noise; other detections are false."""
    draw = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, CLASSES + 1)
    frequency /= frequency.sum()
    rows, found = [], []
    for number in range(1, images + 1):
        objects = draw.poisson(OBJECTS)
        labels = draw.choice(CLASSES, objects, p=frequency)
        corner = draw.uniform(0, 400, (objects, 2))
        size = np.exp(draw.normal(4, 0.9, (objects, 2)))
        for label, (x, y), (w, h) in zip(labels, corner, size, strict=True):
            box = [float(x), float(y), float(w), float(h)]
            area = box[2] * box[3]
            rows.append({"image_id": number, "category_id": int(label), "bbox": box, "area": area, "iscrowd": 0})
        seen = draw.random(objects) < 0.8
        boxes = np.concatenate([corner, corner + size], axis=1)[seen]
        boxes += draw.normal(0, noise, boxes.shape) * np.repeat(size[seen].mean(axis=1, keepdims=True), 4, axis=1)
        alarms = max(0, draw.poisson(per_image) - int(seen.sum()))
        start = draw.uniform(0, 400, (alarms, 2))
        boxes = np.concatenate([boxes, np.concatenate([start, start + draw.uniform(10, 200, (alarms, 2))], axis=1)])
        scores = np.concatenate([draw.beta(4, 2, int(seen.sum())), draw.beta(1, 8, alarms)])
        classes = np.concatenate([labels[seen], draw.choice(CLASSES, alarms, p=frequency)])
        found.append(Detections(boxes.astype(np.float32), scores.astype(np.float32), classes.astype(np.int64)))
    shown = tuple(Image(number, f"{number}.jpg", 640, 480, f"{number:064x}") for number in range(1, images + 1))
    names = [f"class {k}" for k in range(CLASSES)]
    return Dataset("simulated", shown, dict(enumerate(names)), rows), found, names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--per-image", type=float, default=73.6, help="detections per image; 368,000 in all by default")
    parser.add_argument("--resamples", type=int, default=2000)
    options = parser.parse_args()
    made, found, names = simulated(options.images, options.per_image)
    start = time.perf_counter()
    whole = evaluate(made, found, names)
    evaluated = time.perf_counter()
    values = resampled(whole.ranks, draws(made.digest, options.images, options.resamples))["map"]
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    number = sum(len(one.scores) for one in found)
    print(
        f"{options.images} images, {number} detections, mAP {whole.metrics['map']:.4f} ± {values.std():.4f}: "
        f"pycocotools {evaluated - start:.1f} s, {options.resamples} resamples {done - evaluated:.1f} s, {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
