"""mAP of a raw YOLO graph by an evaluation that shares no code with the package: `python independent.py GRAPH FOLDER`.

A program and not a function of a test: torchvision's operators do not always load into a process in which other tests
have loaded their runtimes ("operator torchvision::nms does not exist").
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
import torchvision
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def independent_map(onnx_file: str, folder: Path) -> float:
    """Letterbox, torchvision's NMS and COCO.loadRes, written here from their documentation."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "annotations" / "instances_val2017.json"))
    category_ids = sorted(truth.getCatIds())  # COCO's 80 classes in the order of the model's outputs
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    rows = []
    for image in truth.loadImgs(truth.getImgIds()):
        picture = cv2.cvtColor(cv2.imread(str(next(folder.rglob(image["file_name"])))), cv2.COLOR_BGR2RGB)
        height, width = picture.shape[:2]
        scale = 640 / max(height, width)
        resized = cv2.resize(picture, (round(width * scale), round(height * scale)))
        canvas = np.full((640, 640, 3), 114, np.uint8)
        top, left = (640 - resized.shape[0]) // 2, (640 - resized.shape[1]) // 2
        canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
        output = session.run(None, {"images": canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255})[0][0]
        scores, anchors, labels = [], [], []
        for label in range(80):
            hits = np.flatnonzero(output[4 + label] > 0.001)
            scores.append(output[4 + label, hits])
            anchors.append(hits)
            labels.append(np.full(len(hits), label))
        score, anchor, label = (torch.from_numpy(np.concatenate(part)) for part in (scores, anchors, labels))
        centre, size = torch.from_numpy(output[:2].T)[anchor], torch.from_numpy(output[2:4].T)[anchor]
        boxes = torch.cat([centre - size / 2, centre + size / 2], dim=1)
        keep = torchvision.ops.batched_nms(boxes, score, label, 0.7)[:300]
        boxes = ((boxes[keep] - torch.tensor([left, top, left, top])) / scale).numpy()
        boxes = np.clip(boxes, 0, [width, height, width, height])
        for (x1, y1, x2, y2), s, c in zip(boxes.tolist(), score[keep].tolist(), label[keep].tolist(), strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            rows.append({"image_id": image["id"], "category_id": category_ids[c], "bbox": box, "score": s})
    with contextlib.redirect_stdout(io.StringIO()):
        scorer = COCOeval(truth, truth.loadRes(rows), "bbox")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return float(scorer.stats[0])


if __name__ == "__main__":
    print(independent_map(sys.argv[1], Path(sys.argv[2])))
