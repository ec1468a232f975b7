"""A cell against its fp32 sibling of the same run, beyond mAP: what survives, how sure it is, what is lost whole."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from harness.core.measurement import Measurement, Observation
from harness.judge import accuracy
from harness.measure.accuracy import agreement
from harness.measure.accuracy import detections_file as detections
from harness.measure.accuracy.score_cache import detections_file
from harness.tasks.base import Detections

_loaded = functools.lru_cache(maxsize=4)(functools.partial(detections.load_detections, shapes=False))
"""A file is named by what it holds and never changes: a cell's own are read once for both questions below, and those of
its fp32 sibling once for all precisions of a process."""


def related(measured: Measurement, sibling: Measurement, run: Path, conf: float) -> Measurement:
    """The measurement with the metrics that need both sides' detections, which the results of the run have."""
    own, others = _stored(run, measured), _stored(run, sibling)
    if own is None or others is None:
        return measured
    lost = agreement.collapsed(sibling.per_class, measured.per_class)
    metrics = {**measured.metrics, **agreement.survival(others, own, conf), "collapsed_classes": len(lost)}
    notes = (f"AP of {', '.join(lost)} fell to 0",) if lost else ()
    return dataclasses.replace(measured, metrics=metrics, notes=(*measured.notes, *notes))


def matched_share_with_baseline(
    measured: Measurement, baseline: Observation | None, run: Path, cache: Path
) -> float | None:
    """Share of the detections that match the baseline's one to one, where the cache still has those."""
    if baseline is None or accuracy.same_detections(measured, baseline):
        return None
    old, new = _stored(cache, baseline), _stored(run, measured)
    return agreement.matched_share(old, new) if old and new and len(old) == len(new) else None


def _stored(folder: Path, of: Observation) -> list[Detections] | None:
    """The stored detections of a measurement; None where `folder` has none, or a damaged file."""
    try:
        return _loaded(detections_file(folder, str(of.provenance.get("detections"))))
    except (OSError, ValueError, KeyError):
        return None
