"""An accuracy against its baseline, as far as it is proven: identical, equivalent, or statistically changed. Pure.

- identical: the canonical detections of every image have the same hash. The change is exactly zero.
- equivalent: at least 99.9 % of the detections match one to one and the metric moved by 0.0005 at most. Told only
  where the baseline's detections are at hand.
- statistical: the paired bootstrap over images. `regressed` when the drop exceeds the gate and is proven,
  `inconclusive` when it exceeds the gate and is not.

    error    = standard deviation of new − old over the resamples, times √(n / (n − 1)) for n images
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

from harness.core.measurement import Observation
from harness.core.status import Status

MATCHED = 0.999  # share of detections of an equivalent run
CLOSE = 0.0005  # change of the metric in an equivalent run

Judged = tuple[Status, str]


def resampled_name(metric: str) -> str:
    """The name under which `Measurement.samples` has a metric's resamples."""
    return f"{metric}_resampled"


def is_resampled(name: str) -> bool:
    """Whether these samples are a metric's resamples, as `resampled_name` names them."""
    return name.endswith("_resampled")


def same_detections(measured: Observation, baseline: Observation) -> bool:
    """Whether every image has exactly the detections that it had."""
    found = measured.provenance.get("detections")
    return bool(found) and found == baseline.provenance.get("detections")


def observed_change(metric: str, measured: Observation, baseline: Observation) -> MetricChange | None:
    """The change of a metric; None where one side has no value, or no resamples of the same draws."""
    old, new = baseline.metrics.get(metric), measured.metrics.get(metric)
    olds, news = (side.samples.get(resampled_name(metric), ()) for side in (baseline, measured))
    if old is None or new is None or not news or len(olds) != len(news):
        return None
    return paired_change(old, new, olds, news, int(measured.provenance["images"]))


def judge_drop(
    metric: str, limit: float, measured: Observation, baseline: Observation, alike: float | None = None
) -> Judged | None:
    """The verdict on a drop of more than `limit`, and how sure it is; None where there is nothing to tell it by.

    `alike`: share of detections that match one to one with the baseline's, where those are at hand.
    """
    if same_detections(measured, baseline):
        return "unchanged", "identical detections"
    found = observed_change(metric, measured, baseline)
    if found is None:
        return None
    if alike is not None and alike >= MATCHED and abs(found.value) <= CLOSE:
        return "unchanged", f"equivalent: {alike:.2%} of the detections match one to one"
    said = change_line(found, int(measured.provenance["images"]))
    if -found.value > limit:
        return ("regressed" if found.proven_drop else "inconclusive"), said
    return ("improved" if found.value > limit and found.proven_gain else "unchanged"), said


def change_line(found: MetricChange, images: int) -> str:
    return (
        f"{_signed(found.value)}, {CONFIDENCE:.0%} interval {_signed(found.low)}…{_signed(found.high)}; "
        f"{images} images prove drops above {found.provable:.4f}"
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


CONFIDENCE = 0.99  # of the interval; two-sided


POWER = 0.8


@dataclass(frozen=True)
class MetricChange:
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


def paired_change(
    old: float, new: float, olds: Sequence[float], news: Sequence[float], images: int, confidence: float = CONFIDENCE
) -> MetricChange:
    """`olds` and `news` are the metric in the same resamples of `images` images, −1 where it had no ground truth."""
    before, after = np.asarray(olds, np.float64), np.asarray(news, np.float64)
    known = (after - before)[(before >= 0) & (after >= 0)]
    error = float(known.std(ddof=1)) * math.sqrt(images / max(1, images - 1)) if known.size > 1 else math.inf
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * error
    return MetricChange(new - old, new - old - half, new - old + half, half + NormalDist().inv_cdf(POWER) * error)
