"""An accuracy against its baseline, as far as it is proven: identical, equivalent, or statistically changed. Pure.

- identical: the canonical detections of every image have the same hash. The change is exactly zero.
- equivalent: at least 99.9 % of the detections match one to one and the metric moved by 0.0005 at most. Told only
  where the baseline's detections are at hand.
- statistical: the paired bootstrap over images (`paired.py`). `regressed` when the drop exceeds the gate and is proven,
  `inconclusive` when it exceeds the gate and is not.
"""

from __future__ import annotations

from harness.core.measurement import Measurement
from harness.core.status import Status
from harness.core.suite import Suite
from harness.judge.paired import CONFIDENCE, Change, change
from harness.measure.accuracy.bootstrap import PARTS

MATCHED = 0.999  # share of detections of an equivalent run
CLOSE = 0.0005  # change of the metric in an equivalent run

Judged = tuple[Status, str]


def resampled_name(metric: str) -> str:
    """The name under which `Measurement.samples` has a metric's resamples."""
    return f"{metric}_resampled"


def is_resampled(name: str) -> bool:
    """Whether these samples are a metric's resamples, as `resampled_name` names them."""
    return name.endswith("_resampled")


def resampled_metrics(suite: Suite) -> tuple[str, ...]:
    """Metrics whose drop against the baseline is judged by resamples: mAP, and what the suite gates so."""
    gated = {gate.metric for gate in suite.gates if gate.against == "baseline" and gate.max_drop is not None}
    return tuple(name for name in (*PARTS, "box_map") if name == "map" or name in gated)


def same(measured: Measurement, baseline: Measurement) -> bool:
    """Whether every image has exactly the detections that it had."""
    found = measured.provenance.get("detections")
    return bool(found) and found == baseline.provenance.get("detections")


def seen(metric: str, measured: Measurement, baseline: Measurement) -> Change | None:
    """The change of a metric; None where one side has no value, or no resamples of the same draws."""
    old, new = baseline.metrics.get(metric), measured.metrics.get(metric)
    olds, news = (side.samples.get(resampled_name(metric), ()) for side in (baseline, measured))
    if old is None or new is None or not news or len(olds) != len(news):
        return None
    return change(old, new, olds, news, int(measured.provenance["images"]))


def judge(
    metric: str, limit: float, measured: Measurement, baseline: Measurement, alike: float | None = None
) -> Judged | None:
    """The verdict on a drop of more than `limit`, and how sure it is; None where there is nothing to tell it by.

    `alike`: share of detections that match one to one with the baseline's, where those are at hand.
    """
    if same(measured, baseline):
        return "unchanged", "identical detections"
    found = seen(metric, measured, baseline)
    if found is None:
        return None
    if alike is not None and alike >= MATCHED and abs(found.value) <= CLOSE:
        return "unchanged", f"equivalent: {alike:.2%} of the detections match one to one"
    said = say(found, int(measured.provenance["images"]))
    if -found.value > limit:
        return ("regressed" if found.proven_drop else "inconclusive"), said
    return ("improved" if found.value > limit and found.proven_gain else "unchanged"), said


def say(found: Change, images: int) -> str:
    return (
        f"{_signed(found.value)}, {CONFIDENCE:.0%} interval {_signed(found.low)}…{_signed(found.high)}; "
        f"{images} images prove drops above {found.provable:.4f}"
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
