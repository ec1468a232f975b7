"""The card of an exported artifact: what it is, what it was made from, and how to read its outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.suite import Suite
from harness.core.version import __version__
from harness.measure.accuracy.signature import Signature
from harness.store.results import CellResult
from harness.tasks.preprocess import PAD

SCHEMA = 1  # of card.json
IDENTITY = ("weights", "recipe", "calibration", "training", "imgsz", "versions")
"""The entries of the provenance that are equal in any two measurements of one artifact."""

OUTPUTS = {
    "raw": "[N, 4 + C, anchors]: centre x, centre y, width, height in pixels of the network input, then a score for "
    "each class. Keep scores above conf, then NMS within each class at iou, at most max_det.",
    "e2e": "[N, detections, 6]: x1, y1, x2, y2 in pixels of the network input, score, class. Keep scores above conf; "
    "no NMS.",
    "yolov5": "[N, anchors, 5 + C]: centre x, centre y, width, height in pixels of the network input, objectness, then "
    "classes; a score is objectness × class. Keep those above conf, then NMS within each class at iou.",
    "yolox": "[N, anchors, 5 + C]: offsets in units of the stride (x, y) and logarithms of them (width, height), "
    "objectness, then classes; a score is objectness × class. Keep those above conf, then NMS within classes at iou.",
}
"""What an output holds and how to decode it, by its layout, as `tasks.decode` reads it."""


def card(
    suite: Suite,
    cell: Cell,
    artifact: Artifact,
    provenance: Mapping[str, Any],
    seen: Signature,
    last: CellResult | None,
) -> dict[str, Any]:
    """Everything that a user of the exported files has to know, as a dictionary for card.json.

    Args:
        suite: gives the decoding.
        cell: the exported cell.
        artifact: its built files; `artifact.json` lies beside them.
        provenance: what the artifact was made from, as `CellInputs` has it.
        seen: what one call of the artifact shows of its outputs.
        last: the cell in the last results, whose metrics are taken if they are of this artifact; None without results.
    """
    folder = Path(artifact.path).parent
    known = json.loads((folder / "artifact.json").read_text())
    made = known["meta"]["shaped_by"]
    metrics, why = measured(last, provenance)
    return {
        "schema": SCHEMA,
        "quantgate": __version__,
        "cell": cell.id,
        "suite": suite.name,
        "key": artifact.key,
        "entry": Path(artifact.path).name,
        "files": known["files"],
        "size_bytes": artifact.size_bytes,
        "weights": provenance["weights"],
        "recipe": {name: made["recipe"][name] for name in ("build", "params", "stored", "executes", "version")},
        "calibration": provenance["calibration"],
        "training": provenance["training"],
        "versions": provenance["versions"],
        "device": cell.device,
        "input": _input(cell, seen.layout),
        "output": _output(seen),
        "decoding": {**dataclasses.asdict(suite.decoding), "operating_conf": suite.operating_conf},
        "names": list(seen.names),
        "metrics": metrics,
        "metrics_note": why,
        "status": last.status if last and metrics else None,
    }


def _input(cell: Cell, layout: str) -> dict[str, Any]:
    """How images become the network's input; YOLOX alone reads BGR in 0 to 255."""
    yolox = layout == "yolox"
    return {
        "shape": list(cell.shape),
        "type": "float32",
        "colour": "BGR" if yolox else "RGB",
        "range": [0, 255 if yolox else 1],
        "letterbox": {"pad": PAD, "scale": "longer side to the input, bilinear", "place": "centred"},
    }


def _output(seen: Signature) -> dict[str, Any]:
    """Which output holds the detections, and how to decode it."""
    return {
        "index": seen.output,
        "shape": list(seen.shape),
        "layout": seen.layout,
        "meaning": OUTPUTS[seen.layout],
    }


def measured(last: CellResult | None, provenance: Mapping[str, Any]) -> tuple[dict[str, float | None] | None, str]:
    """The metrics of the last results and the images that they are of, or None and why there are none.

    Metrics of another artifact than the one with this `provenance` are left out: they are worse than none.
    """
    if last is None or last.measured is None or not last.measured.metrics:
        return None, "not measured: no last results of this cell"
    then = last.measured.provenance
    differing = [name for name in IDENTITY if then.get(name) != provenance.get(name)]
    if differing:
        return None, f"not measured: the last results are of another artifact ({', '.join(differing)} differ)"
    return dict(last.measured.metrics), f"{then.get('images')} images of {then.get('dataset')}"
