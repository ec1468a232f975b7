"""How often the interval of a change covers the true change, which is known for a simulated population of images.

    python bench/coverage.py --images 128 --samples 400

The population is evaluated once for an old detector and once for a worse one; the change of mAP is the truth. Every
sample draws images from the population and bootstraps them. Printed are how many samples have a 95 % interval that
covers the truth, and how many prove a drop.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset, Image
from harness.judge.accuracy import paired_change
from harness.measure.accuracy.bootstrap import Ranked, draws, resampled
from harness.measure.accuracy.coco import evaluate
from harness.tasks.base import Detections

CLASSES = 10
Ranks = dict[tuple[int, int], Ranked]


def population(images: int, worse: float, seed: int = 0) -> tuple[Ranks, Ranks]:
    """The ranks of the old detector and of the worse one, whose boxes and scores are noisier by `worse`."""
    draw = np.random.default_rng(seed)
    rows, old, new = [], [], []
    for number in range(1, images + 1):
        objects = draw.poisson(5)
        labels = draw.choice(CLASSES, objects, p=np.arange(1, CLASSES + 1) / 55)
        corner, size = draw.uniform(0, 400, (objects, 2)), np.exp(draw.normal(4, 0.9, (objects, 2)))
        for label, (x, y), (w, h) in zip(labels, corner, size, strict=True):
            box, area = [float(x), float(y), float(w), float(h)], float(w * h)
            rows.append({"image_id": number, "category_id": int(label), "bbox": box, "area": area, "iscrowd": 0})
        ease = draw.normal(0, 0.8)  # objects of one image are hard together
        logits = np.concatenate([draw.normal(1 + ease, 1.0, objects), draw.normal(-1.5, 1.0, 8)])
        alarms = draw.uniform(0, 400, (8, 2))
        boxes = np.concatenate([np.c_[corner, corner + size], np.c_[alarms, alarms + draw.uniform(10, 200, (8, 2))]])
        scale = np.r_[size.mean(axis=1), np.full(8, 50.0)][:, None]
        boxes = boxes + draw.normal(0, 0.06, boxes.shape) * scale
        kinds = np.r_[labels, draw.integers(0, CLASSES, 8)]
        old.append(_found(boxes, logits, kinds))
        noisy = boxes + draw.normal(0, 0.05 * worse, boxes.shape) * scale
        new.append(_found(noisy, logits + draw.normal(0, worse, len(logits)), kinds))
    shown = tuple(Image(number, f"{number}.jpg", 640, 480, "") for number in range(1, images + 1))
    names = [f"class {k}" for k in range(CLASSES)]
    made = Dataset("population", shown, dict(enumerate(names)), rows)
    first, second = ({k: v for k, v in evaluate(made, found, names).ranks.items() if k[1] == 0} for found in (old, new))
    return first, second


def _found(boxes: NDArray[np.float64], logits: NDArray[np.float64], kinds: NDArray[np.int64]) -> Detections:
    scores = 1 / (1 + np.exp(-logits))
    return Detections(boxes.astype(np.float32), scores.astype(np.float32), kinds.astype(np.int64))


def sample(ranks: Ranks, chosen: NDArray[np.intp], images: int) -> Ranks:
    """The ranks of a subset of the images."""
    place = np.full(images, -1)
    place[chosen] = np.arange(len(chosen))
    found = {}
    for key, one in ranks.items():
        kept = place[one.image] >= 0
        found[key] = dataclasses.replace(
            one, image=place[one.image[kept]], rank=one.rank[kept], score=one.score[kept], true=one.true[:, kept],
            ignored=one.ignored[:, kept], positives=one.positives[chosen],
        )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="number of images in a sample")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--population", type=int, default=8000)
    parser.add_argument("--worse", type=float, nargs="+", default=[0.0, 0.3, 0.6])
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    for worse in options.worse:
        both = population(options.population, worse)
        everything = np.ones((1, options.population), np.int32)
        truth = float(np.subtract(*(resampled(ranks, everything)["map"][0] for ranks in both[::-1])))
        covered = proven = percentile = 0
        provable = []
        for number in range(options.samples):
            chosen = rng.choice(options.population, options.images, replace=False)
            parts = [sample(ranks, chosen, options.population) for ranks in both]
            counts = np.r_[np.ones((1, options.images), np.int32), draws(str(number), options.images)]
            old, new = (resampled(part, counts)["map"] for part in parts)
            seen = paired_change(old[0], new[0], old[1:], new[1:], options.images, 0.95)
            covered += seen.low <= truth <= seen.high
            low, high = np.percentile(new[1:] - old[1:], (2.5, 97.5))
            percentile += low <= truth <= high
            sure = paired_change(old[0], new[0], old[1:], new[1:], options.images)
            proven += sure.proven_drop
            provable.append(sure.provable)
        stated = float(np.median(provable))
        print(
            f"{options.images} images, worse by {worse:g}: true change {truth:+.4f} ({-truth / max(stated, 1e-9):.2f} "
            f"× the provable {stated:.4f}); 95 % interval covers it in {covered / options.samples:.1%} (percentiles "
            f"{percentile / options.samples:.1%}) of {options.samples}; drop proven in {proven / options.samples:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
