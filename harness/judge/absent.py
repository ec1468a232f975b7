"""Metrics of the accuracy phase that do not exist: whether a gate asks for one, and why there is none. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.core.measurement import Baseline, Observation
from harness.core.metrics import METRICS, RELATIVE, STORED, Phase
from harness.core.suite import Gate
from harness.core.verdict import Verdict

LACKING = "the baseline has this metric and the run does not"
"""Why a metric is `missing` where nothing more is known."""

UNLABELLED = ("agreement", "score_shift")
"""Metrics that need no ground truth. A suite that gates one of them may score images without labels."""


def lacks(gate: Gate, measured: Observation) -> bool:
    """Whether the gate asks for a metric that was looked for and does not exist.

    A metric that compares with the fp32 sibling was not looked for where the sibling was not scored.
    """
    if METRICS[gate.metric].phase != "accuracy" or (gate.metric in RELATIVE and gate.metric not in measured.metrics):
        return False
    if gate.metric == "class_ap":
        return measured.metrics.get("map", 0.0) is None and not _objects(measured)
    return measured.metrics.get(gate.metric) is None


def why_missing(metric: str, measured: Observation) -> str:
    """Why a metric does not exist, in words, with what to do next where that can be told."""
    if metric in UNLABELLED:
        return "the fp32 sibling detects nothing above operating_conf"
    if metric not in measured.metrics and metric != "class_ap":
        return "nothing was measured"
    if measured.metrics.get("map", 0.0) is None and not _objects(measured):
        count = measured.provenance.get("images")
        images = f"none of the {count} images" if isinstance(count, int) and count > 1 else "no image"
        return (
            f"there is nothing to score: {images} has an object with a label; is the ground truth where the data set "
            f"looks for it, and are all objects crowd?"
        )
    sizes = METRICS[metric].title.partition(" of objects ")[2] if metric in METRICS else ""
    if sizes and metric.startswith(("map_", "mar_")):
        return f"the data set has no object {sizes}"
    return "nothing was measured"


def nothing_scored(measured: Observation, declared: Sequence[Gate], known: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """A verdict where there is no mAP and nothing else says so; else none.

    Args:
        measured: the accuracy of a cell.
        declared: the gates of the suite. A gate that needs no ground truth says that none is expected.
        known: the verdicts so far.
    """
    absent = "map" in measured.metrics and measured.metrics["map"] is None
    told = any(verdict.status == "missing" for verdict in known)
    if not absent or told or any(gate.metric in UNLABELLED for gate in declared):
        return ()
    return (Verdict("map", "limit", "missing", None, None, "an mAP", why_missing("map", measured)),)


def vanished(measured: Observation, baseline: Baseline, phase: Phase, known: Collection[str]) -> list[Verdict]:
    """A verdict for every metric that the baseline has and the run lacks, unless it is `known` already."""
    if not isinstance(baseline, Observation):
        return []
    return [
        Verdict(name, "baseline", "missing", None, baseline.metrics[name], "present", LACKING)
        for name in STORED[phase]
        if baseline.metrics.get(name) is not None and measured.metrics.get(name) is None and name not in known
    ]


def _objects(measured: Observation) -> int:
    """Objects of the scored data that count."""
    return sum(measured.instances.values())
