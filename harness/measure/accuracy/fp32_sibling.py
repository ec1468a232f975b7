"""A cell against its fp32 sibling of the same run, beyond mAP: which detections survive, and which classes are lost."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from harness.core.measurement import Measurement, Observation
from harness.judge import accuracy
from harness.measure.accuracy.agreement import collapsed, matched_share, survival
from harness.measure.accuracy.detections_file import load_detections
from harness.measure.accuracy.score_cache import detections_file
from harness.tasks.base import Detections


def related(measured: Measurement, sibling: Measurement, run: Path, conf: float) -> Measurement:
    """Return the measurement of a cell with the metrics that compare it with its fp32 sibling.

    They are `agreement`, `score_shift` and `collapsed_classes`; a note names the collapsed classes. The measurement
    comes back unchanged where the detections of either side are absent.

    Args:
        measured: the measurement of the cell.
        sibling: the measurement of its fp32 sibling.
        run: folder of the run, which holds the detections of both.
        conf: the score from which a detection counts, `Suite.operating_conf`.
    """
    own, reference = _stored(run, measured), _stored(run, sibling)
    if own is None or reference is None:
        return measured
    lost = collapsed(sibling.per_class, measured.per_class)
    scored = any(value is not None for value in sibling.per_class.values())  # else no class has objects
    metrics = {
        **measured.metrics, **survival(reference, own, conf), "collapsed_classes": len(lost) if scored else None
    }  # fmt: skip
    notes = (f"AP of {', '.join(lost)} fell to 0",) if lost else ()
    return dataclasses.replace(measured, metrics=metrics, notes=(*measured.notes, *notes))


def matched_share_with_baseline(
    measured: Measurement, baseline: Observation | None, run: Path, cache: Path
) -> float | None:
    """Return the share of a cell's detections that match the baseline's one to one (`agreement.matched_share`).

    None where there is no baseline, where its detections are identical, or where the cache no longer has them.

    Args:
        measured: the measurement of the cell.
        baseline: the accepted observation.
        run: folder of the run, which holds the detections of the cell.
        cache: folder of the cache, which may hold the detections of the baseline.
    """
    if baseline is None or accuracy.same_detections(measured, baseline):
        return None
    old, new = _stored(cache, baseline), _stored(run, measured)
    return matched_share(old, new) if old and new and len(old) == len(new) else None


def _stored(folder: Path, of: Observation) -> list[Detections] | None:
    """The boxes, scores and classes that an observation names; None where their file is absent or damaged."""
    try:
        return _load_boxes(detections_file(folder, str(of.provenance.get("detections"))))
    except (OSError, ValueError, KeyError):
        return None


@functools.lru_cache(maxsize=4)
def _load_boxes(file: Path) -> list[Detections]:
    """The detections of a file, without masks and key points.

    A file is named by a hash of its content and never changes. The detections of a cell are therefore read once for
    both functions above, and the detections of its fp32 sibling once for all precisions that a process measures.
    """
    return load_detections(file, shapes=False)
