"""The change of a metric between two evaluations of the same images: how large, how sure, what could be proven. Pure.

    error    = standard deviation of new − old over the resamples (`resampling.py`), times √(n / (n − 1)) for n images
    interval = change ± z(0.995) · error
    provable = (z(0.995) + z(0.8)) · error

`provable` is the minimal detectable effect: a drop of that size is proven in four of five samples of images (Cohen,
"Statistical Power Analysis", 1988).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.99  # of the interval; two-sided
POWER = 0.8


@dataclass(frozen=True)
class Change:
    """New less old, in the metric's own unit."""

    value: float
    low: float
    high: float
    provable: float  # the smallest drop that these images can prove

    @property
    def proven_drop(self) -> bool:
        return self.high < 0

    @property
    def proven_gain(self) -> bool:
        return self.low > 0


def change(
    old: float, new: float, olds: Sequence[float], news: Sequence[float], images: int, confidence: float = CONFIDENCE
) -> Change:
    """`olds` and `news` are the metric in the same resamples of `images` images, −1 where it had no ground truth."""
    before, after = np.asarray(olds, np.float64), np.asarray(news, np.float64)
    known = (after - before)[(before >= 0) & (after >= 0)]
    error = float(known.std(ddof=1)) * math.sqrt(images / max(1, images - 1)) if known.size > 1 else math.inf
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * error
    return Change(new - old, new - old - half, new - old + half, half + NormalDist().inv_cdf(POWER) * error)
