"""An accuracy against its baseline: identical, equivalent, or changed as far as it is proven. Pure.

- identical: the canonical detections of every image have one hash in both. The change is exactly zero.
- equivalent: at least 99.9 % of the detections match one to one, and the metric moved by 0.0005 at most. This can be
  told only where the detections of the baseline are at hand.
- statistical: the paired bootstrap over images. The verdict is `regressed` when the drop exceeds the gate and is
  proven, and `inconclusive` when it exceeds the gate and is not proven.

    error    = standard deviation of new − old over the resamples, times √(n / (n − 1)) for n images
    interval = change ± z(0.995) · error
    provable = (z(0.995) + z(0.8)) · error

`provable` is the minimal detectable effect: a drop of this size is proven in four of five samples of images (Cohen,
"Statistical Power Analysis", 1988).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.core.measurement import Observation
from harness.core.metrics import OF_ARTIFACT
from harness.core.status import Status

MATCHED = 0.999  # lowest share of matching detections of an equivalent run
CLOSE = 0.0005  # largest change of the metric in an equivalent run
CONFIDENCE = 0.99  # of the two-sided interval of a change
POWER = 0.8  # chance with which a drop of the size `provable` is proven

Judged = tuple[Status, str]
"""A status, and how sure it is, in words."""


@dataclass(frozen=True)
class MetricChange:
    """The change of a metric, new minus old, in the metric's own unit."""

    value: float
    low: float  # lower end of the interval
    high: float  # upper end of the interval
    provable: float  # the smallest drop that these images can prove

    @property
    def proven_drop(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high < 0

    @property
    def proven_gain(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


def resampled_name(metric: str) -> str:
    """The name of a metric's resamples in `Measurement.samples`."""
    return f"{metric}_resampled"


def is_resampled(name: str) -> bool:
    """Whether a name of samples is one that `resampled_name` gives."""
    return name.endswith("_resampled")


def same_detections(measured: Observation, baseline: Observation) -> bool:
    """Whether every image has exactly the detections that it has in the baseline, by their hash."""
    found = measured.provenance.get("detections")
    return bool(found) and found == baseline.provenance.get("detections")


def judge_drop(
    metric: str, limit: float, measured: Observation, baseline: Observation, alike: float | None = None
) -> Judged | None:
    """The verdict on a drop of a metric; None where one side lacks the metric or its resamples.

    Args:
        metric: the name of an accuracy metric.
        limit: the largest drop that passes, in the metric's unit.
        measured: what the run observed.
        baseline: what it is held against.
        alike: the share of detections that match the baseline's one to one; None where those are not at hand.
    """
    if same_detections(measured, baseline) and metric not in OF_ARTIFACT:
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


def observed_change(metric: str, measured: Observation, baseline: Observation) -> MetricChange | None:
    """The change of a metric; None where one side lacks the metric or the resamples of both differ in number."""
    old, new = baseline.metrics.get(metric), measured.metrics.get(metric)
    olds, news = (side.samples.get(resampled_name(metric), ()) for side in (baseline, measured))
    if old is None or new is None or not news or len(olds) != len(news):
        return None
    return paired_change(old, new, olds, news, int(measured.provenance["images"]))


def paired_change(
    old: float, new: float, olds: Sequence[float], news: Sequence[float], images: int, confidence: float = CONFIDENCE
) -> MetricChange:
    """The change from `old` to `new`, with its interval by the paired bootstrap.

    Args:
        old: the metric before, over all images.
        new: the metric now, over all images.
        olds: the metric before in each resample of the images; −1 where the resample has no ground truth.
        news: the metric now, in the resamples of `olds`.
        images: the number of images in a resample.
        confidence: of the two-sided interval.

    Returns:
        The change. Its interval is infinite where fewer than two resamples have ground truth on both sides.
    """
    before, after = np.asarray(olds, np.float64), np.asarray(news, np.float64)
    known = (after - before)[(before >= 0) & (after >= 0)]
    error = float(known.std(ddof=1)) * math.sqrt(images / max(1, images - 1)) if known.size > 1 else math.inf
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * error
    return MetricChange(new - old, new - old - half, new - old + half, half + NormalDist().inv_cdf(POWER) * error)


def change_line(found: MetricChange, images: int) -> str:
    """The change, its interval and the smallest drop that so many `images` can prove, in one line."""
    return (
        f"{_signed(found.value)}, {CONFIDENCE:.0%} interval {_signed(found.low)}…{_signed(found.high)}; "
        f"{images} images prove drops above {found.provable:.4f}"
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
