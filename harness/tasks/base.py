"""What the tasks share: the layouts of outputs, detections, and how a model's outputs are read."""

from __future__ import annotations

from typing import Literal

Layout = Literal["raw", "e2e", "yolov5", "yolox"]
"""`raw`: [N, 4 + classes, anchors], centre-size boxes (YOLOv8, YOLO11, YOLO26 one-to-many); needs NMS.
`e2e`: [N, max_det, 6], corner boxes, score, class (YOLO26 end to end).
`yolov5`: [N, anchors, 5 + classes], centre-size boxes, objectness, class scores; three anchors a cell.
`yolox`: the same columns, one anchor a cell, boxes relative to their cell (YOLOX exported without decoding); its input
is BGR in 0–255. It is letterboxed centred as every family here, where YOLOX's own demo pads right and below."""


LAYOUTS: tuple[Layout, ...] = Layout.__args__  # type: ignore[attr-defined]
