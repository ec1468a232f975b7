"""Every metric of gates, results and tables: its name, unit, better direction and title.

The accuracy metrics that COCO defines have COCO's names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["accuracy", "latency"]


@dataclass(frozen=True)
class Metric:
    """The meaning of a metric."""

    phase: Phase  # the test that measures and judges it
    higher_is_better: bool  # False: a cost
    unit: str  # "" for a share or a ratio; limits of gates are absolute without a unit, relative with one
    title: str  # what the metric is, in one line that stands by itself


def _accuracy(title: str) -> Metric:
    return Metric("accuracy", True, "", title)


def _cost(phase: Phase, unit: str, title: str) -> Metric:
    return Metric(phase, False, unit, title)


METRICS: dict[str, Metric] = {
    "map": _accuracy("average precision at IoU 0.50:0.95 of boxes or masks, or at OKS 0.50:0.95 of key points"),
    "box_map": _accuracy("average precision at IoU 0.50:0.95 of the boxes of a segmentation or pose model"),
    "map_50": _accuracy("average precision at IoU 0.50"),
    "map_75": _accuracy("average precision at IoU 0.75"),
    "map_small": _accuracy("average precision of objects below 32² pixels"),
    "map_medium": _accuracy("average precision of objects between 32² and 96² pixels"),
    "map_large": _accuracy("average precision of objects above 96² pixels"),
    "mar_1": _accuracy("average recall with 1 detection per image"),
    "mar_10": _accuracy("average recall with 10 detections per image"),
    "mar_100": _accuracy("average recall with 100 detections per image (20 for key points)"),
    "mar_small": _accuracy("average recall of objects below 32² pixels"),
    "mar_medium": _accuracy("average recall of objects between 32² and 96² pixels"),
    "mar_large": _accuracy("average recall of objects above 96² pixels"),
    "recall_op": _accuracy("recall at the suite's operating_conf, IoU 0.50, over all classes"),
    "f1_op": _accuracy("F1 at the suite's operating_conf, IoU 0.50, over all classes"),
    "class_ap": _accuracy("average precision of the class that lost most"),
    "agreement": _accuracy("share of the fp32 sibling's detections above operating_conf that the cell has too"),
    "score_shift": _accuracy("median change of the scores of the fp32 sibling's detections"),
    "collapsed_classes": Metric("accuracy", False, "", "classes with an AP above 0.2 in fp32 and 0 in the cell"),
    "attested_share": Metric(
        "accuracy", True, "", "share of multiply-accumulates that executed in the type the precision promises"
    ),
    "size_bytes": _cost("accuracy", "B", "all files of the artifact"),
    "latency": _cost("latency", "", "time per call, as a ratio: CPU time to the baseline, or wall clock to fp32"),
    "latency_wall": _cost("latency", "", "waiting per call (wall clock / CPU time), as a ratio to the baseline"),
    "latency_creep": _cost("latency", "", "CPU time per call, as a ratio to the anchor of the last release"),
    "latency_ratio": _cost("latency", "", "wall clock per call, as a ratio to the fp32 sibling: median over turns"),
    "latency_p50_ms": _cost("latency", "ms", "median wall clock per call"),
    "latency_p90_ms": _cost("latency", "ms", "90th percentile of the wall clock per call"),
    "latency_p99_ms": _cost("latency", "ms", "99th percentile of the wall clock per call; nothing below 662 calls"),
    "latency_mean_ms": _cost("latency", "ms", "mean wall clock per call"),
    "latency_calls": Metric("latency", True, "calls", "number of timed calls"),
    "throughput_ips": Metric("latency", True, "images/s", "images per second at the median wall clock per call"),
    "preprocess_ms": _cost("latency", "ms", "letterbox and normalization per decoded image"),
    "postprocess_ms": _cost("latency", "ms", "decoding and NMS per image"),
    "load_ms": _cost("latency", "ms", "opening the artifact in a fresh process"),
    "first_inference_ms": _cost("latency", "ms", "wall clock of the first call in a fresh process"),
    "peak_rss_bytes": _cost("latency", "B", "peak resident set of the process after the first call"),
    "device_p50_ms": _cost("latency", "ms", "median time per call on the device itself, copies excluded"),
    "device_memory_bytes": _cost("latency", "B", "memory of the opened artifact on the device"),
    "energy_mj": _cost("latency", "mJ", "energy of the machine or device per call"),
    "runtime_rss_bytes": _cost("latency", "B", "peak resident set that runtime and artifact add to the process"),
}
"""Every metric by name, in the order of the reports."""

GATED = ("latency", "latency_wall", "latency_creep")
"""Ratios of the latency phase that a stored baseline may judge, by `judge.latency`."""

RELATIVE = ("agreement", "score_shift", "collapsed_classes")
"""Accuracy metrics that compare a cell with its fp32 sibling in one run, and need no baseline."""

OF_ARTIFACT = ("attested_share", "size_bytes")
"""Metrics of the accuracy phase that the artifact decides: equal detections say nothing about them."""

STORED = {
    "accuracy": tuple(
        name for name, metric in METRICS.items() if metric.phase == "accuracy" and name not in (*RELATIVE, "class_ap")
    ),
    "latency": ("latency_p50_ms", "latency_p90_ms", "latency_mean_ms", "latency_ratio", "peak_rss_bytes"),
}
"""The metrics that a baseline file keeps, by phase."""

TRACED = {"accuracy": ("detections",), "latency": ("threads", "energy", "gated")}
"""Entries of the provenance that one phase alone writes. All others describe the cell and are equal in both phases."""
