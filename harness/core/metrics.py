"""The names that gates, results and tables use, with their units and which way is better. COCO's names for accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["accuracy", "latency"]


@dataclass(frozen=True)
class Metric:
    """What a number means."""

    phase: Phase  # which test measures and judges it
    higher_is_better: bool
    unit: str  # "" for a share; limits of unitless metrics are absolute, of physical ones relative
    title: str


def _accuracy(title: str) -> Metric:
    return Metric("accuracy", True, "", title)


def _cost(phase: Phase, unit: str, title: str) -> Metric:
    return Metric(phase, False, unit, title)


METRICS: dict[str, Metric] = {
    "map": _accuracy("average precision at IoU 0.50:0.95 of the task: of boxes, of masks, or OKS of key points"),
    "box_map": _accuracy("average precision at IoU 0.50:0.95 of the boxes of a segmentation or pose model"),
    "map_50": _accuracy("average precision at IoU 0.50"),
    "map_75": _accuracy("average precision at IoU 0.75"),
    "map_small": _accuracy("average precision of objects below 32² pixels"),
    "map_medium": _accuracy("average precision of objects between 32² and 96² pixels"),
    "map_large": _accuracy("average precision of objects above 96² pixels"),
    "mar_1": _accuracy("average recall with 1 detection per image"),
    "mar_10": _accuracy("average recall with 10 detections per image"),
    "mar_100": _accuracy("average recall with 100 detections per image (key points: 20)"),
    "mar_small": _accuracy("average recall of small objects"),
    "mar_medium": _accuracy("average recall of medium objects"),
    "mar_large": _accuracy("average recall of large objects"),
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
    "latency": _cost("latency", "", "median ratio to the fp32 sibling, interleaved in one run"),
    "latency_wall": _cost("latency", "", "waiting: what such a ratio of the wall clock has above that of CPU time"),
    "latency_creep": _cost("latency", "", "CPU time since the anchor of the last release, as such a ratio"),
    "latency_ratio": _cost("latency", "", "the same, as it is stored"),
    "latency_p50_ms": _cost("latency", "ms", "median wall clock of a call"),
    "latency_p90_ms": _cost("latency", "ms", "90th percentile of a call"),
    "latency_p99_ms": _cost("latency", "ms", "99th percentile of a call; nothing below 662 calls"),
    "latency_mean_ms": _cost("latency", "ms", "mean wall clock of a call"),
    "latency_calls": Metric("latency", True, "calls", "timed calls behind the percentiles"),
    "throughput_ips": Metric("latency", True, "images/s", "images per second at the median"),
    "preprocess_ms": _cost("latency", "ms", "letterbox and normalization of a decoded image"),
    "postprocess_ms": _cost("latency", "ms", "decoding and NMS of one image"),
    "load_ms": _cost("latency", "ms", "opening the artifact in a fresh process"),
    "first_inference_ms": _cost("latency", "ms", "the first call"),
    "peak_rss_bytes": _cost("latency", "B", "peak resident set of the process after the first call"),
    "device_p50_ms": _cost("latency", "ms", "median time of a call on the device itself, copies excluded"),
    "device_memory_bytes": _cost("latency", "B", "memory of the opened artifact on the device"),
    "energy_mj": _cost("latency", "mJ", "energy of the machine or device during a call"),
    "runtime_rss_bytes": _cost("latency", "B", "the same, above the process before the runtime was loaded"),
}

GATED = ("latency", "latency_wall", "latency_creep")
"""Ratios of the latency phase that a stored baseline may judge (`gating.py`)."""

RELATIVE = ("agreement", "score_shift", "collapsed_classes")
"""Accuracies that are held against the fp32 sibling of the same run, and need no baseline."""

STORED = {
    "accuracy": tuple(
        name for name, metric in METRICS.items() if metric.phase == "accuracy" and name not in (*RELATIVE, "class_ap")
    ),
    "latency": ("latency_p50_ms", "latency_p90_ms", "latency_mean_ms", "latency_ratio", "peak_rss_bytes"),
}
"""What a baseline file keeps of each phase."""

TRACED = {"accuracy": ("detections",), "latency": ("threads", "energy", "gated")}
"""Provenance that a phase has alone; the rest is of the cell, and the same in both."""
