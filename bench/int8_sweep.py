"""The sweep behind ONNX Runtime's int8 recipe: its variants, judged on training images that calibration has not seen.

    python bench/int8_sweep.py --weights yolo26n.pt --data coco256 [--only TEXT] [--imgsz 640]

Detection error: the root mean square difference between the detection scores of the variant and of the float network.
Box error: the mean of 1 − IoU with the float network's boxes, at anchors where it sees something; raw heads only. CPU:
the processor time of a call on one thread, divided by the float network's, whose calls are interleaved; the median of
the rounds. A busy machine shifts all of them up.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_file
import onnxruntime
import platformdirs
from rich.console import Console
from rich.table import Table

from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.suite import Decoding
from harness.inputs.artifact_cache import Cache
from harness.inputs.pixels import read_image
from harness.machine.worker import Channel
from harness.measure.accuracy.coco import evaluate
from harness.measure.explain.sensitivity import SplitJob, detection_error
from harness.recipes import onnx, parts, ranges
from harness.tasks.base import Detections, OutputLayout
from harness.tasks.decode import decode
from harness.tasks.preprocess import letterbox, normalize

ROUNDS = 12  # of timed calls
SEES = 0.25  # score above which an anchor sees something


class Quiet(Channel):
    """A channel for jobs that run in this process, where nobody watches their progress."""

    def __init__(self) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def variants(model: Any, histograms: dict[str, Any], few: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and the quantized graph of every variant, the default first."""
    trunk = parts.trunk(model)
    whole = [n.name for n in model.graph.node if n.op_type in parts.QUANTIZED]
    head = max(number for number in map(parts.module_of, whole) if number is not None)

    def reach(method: str = "mse", seen: dict[str, Any] = histograms) -> dict[str, ranges.Range]:
        return onnx.activation_ranges(model, seen, method)

    def without(*modules: int) -> list[str]:
        return [name for name in whole if parts.module_of(name) not in modules]

    def made(nodes: Sequence[str], ends: dict[str, ranges.Range]) -> Any:
        return onnx.quantized(model, nodes, ends)

    best = reach()
    yield "default: mse through the SiLU, stem and head in float", made(trunk, best)
    for method in ("minmax", "percentile", "entropy"):
        yield f"ranges by {method}", made(trunk, reach(method))
    tight = {name: ranges.percentile(one, 0.9999) for name, one in histograms.items()}
    yield "ranges by percentile 99.99", made(trunk, best | tight)
    plain = {name: ranges.mse(one) for name, one in histograms.items()}
    yield "mse of every tensor itself, not through the SiLU", made(trunk, best | plain)
    gated = {
        name: ends for name, ends in best.items() if ends != reach("minmax")[name] and name.endswith("Conv_output_0")
    }
    yield "mse through the SiLU, all else minmax", made(trunk, reach("minmax") | gated)
    symmetric = {name: (-max(-low, high), max(-low, high)) for name, (low, high) in best.items()}
    yield "symmetric activations", made(trunk, symmetric)
    yield "calibrated on 16 images", made(trunk, reach(seen=few))
    yield "stem in int8", made(without(head), best)
    yield "modules 0 to 2 in float", made(without(0, 1, 2, head), best)
    yield "attention (module 10, 22) in float", made(without(0, 1, 10, 22, head), best)
    lasts = [
        name
        for name in without(0, 1)
        if parts.module_of(name) != head or ("cv" in name and not name.endswith("2/Conv"))
    ]
    yield "head in int8 too, but its last convolutions and decoding", made(lasts, best)
    boxes = [name for name in lasts if parts.module_of(name) != head or "/cv2" in name or "/one2one_cv2" in name]
    yield "box branches in int8 too, but their last convolutions", made(boxes, best)
    yield "convolutions only", made([n for n in trunk if n.endswith("Conv")], best)
    yield "everything in int8", made(whole, best)


class Judge:
    """Measures a graph on the judged images, against the float graph `exact`."""

    def __init__(self, data: Dataset, pixels: list[Any], names: Sequence[str], size: int, exact: Path) -> None:
        self._data, self._pixels, self._names, self._size = data, pixels, names, size
        self._exact = self._session(exact)
        self._outputs, self._found = self._run(self._exact)
        self._map = self._score(self._found)

    def __call__(self, path: Path) -> tuple[float, float, float, float]:
        """Detection error, box error, drop of mAP, and processor time divided by the float graph's."""
        session = self._session(path)
        outputs, found = self._run(session)
        boxes = [_box_error(a, b) for a, b in zip(self._outputs, outputs, strict=True)]
        return (
            detection_error(self._found, found),
            float(np.mean(np.concatenate(boxes))),
            self._map - self._score(found),
            self._time(session),
        )

    def _session(self, path: Path) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def _run(self, session: Any) -> tuple[list[Any], list[Detections]]:
        outputs, found = [], []
        for image, pixels in zip(self._data.images, self._pixels, strict=True):
            output = session.run(None, {session.get_inputs()[0].name: normalize(pixels[None])})[0]
            found += decode(
                [output], OutputLayout("raw", 0, None), Decoding(), self._size, [(image.width, image.height)]
            )
            outputs.append(output[0])
        return outputs, found

    def _score(self, found: list[Detections]) -> float:
        return evaluate(self._data, found, self._names).metrics["map"] or 0.0

    def _time(self, session: Any) -> float:
        batch, rounds = normalize(self._pixels[0][None]), []
        for _ in range(ROUNDS):
            spent = []
            for one in (session, self._exact):
                start = time.process_time()
                one.run(None, {one.get_inputs()[0].name: batch})
                spent.append(time.process_time() - start)
            rounds.append(spent[0] / spent[1])
        return statistics.median(rounds)


def _box_error(exact: Any, other: Any) -> Any:
    """1 − IoU of the boxes [4 + C, A] of anchors where the float network sees something."""
    sees = exact[4:].max(axis=0) > SEES
    (ax, ay, aw, ah), (bx, by, bw, bh) = exact[:4, sees], other[:4, sees]
    width = np.minimum(ax + aw / 2, bx + bw / 2) - np.maximum(ax - aw / 2, bx - bw / 2)
    height = np.minimum(ay + ah / 2, by + bh / 2) - np.maximum(ay - ah / 2, by - bh / 2)
    inside = np.clip(width, 0, None) * np.clip(height, 0, None)
    return 1 - inside / np.maximum(aw * ah + bw * bh - inside, 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="", help="only the variants whose name contains this text")
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    split = SplitJob(options.data, None, 0, scored=False).run(Quiet())
    cache = Cache(Path(platformdirs.user_cache_dir("quantgate")), lambda job, label: job.run(Quiet()))
    graph = cache.artifact(
        Cell(options.weights.stem, "fp32", "onnxruntime", imgsz=options.imgsz), options.weights, None
    )
    pixels = [
        [letterbox(read_image(i), options.imgsz) for i in part.images] for part in (split.calibration, split.judged)
    ]
    drawn = Table("variant", "detection error", "box error", "mAP drop", "CPU / fp32", title=options.weights.stem)
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(split.judged, pixels[1], graph.meta["names"], options.imgsz, Path(graph.path))
        model = onnx.prepared(Path(graph.path), Path(folder))
        wanted = onnx.activations(model, [n.name for n in model.graph.node if n.op_type in parts.QUANTIZED])
        seen = [
            ranges.collect(model, wanted, (normalize(one[None]) for one in images), lambda done: None)
            for images in (pixels[0], pixels[0][:16])
        ]
        for name, made in variants(model, *seen):
            if options.only in name:
                onnx_file.save(made, Path(folder, "model.onnx"))
                error, box, drop, cpu = judge(Path(folder, "model.onnx"))
                row = (name, f"{error:.4f}", f"{box:.4f}", f"{drop:+.4f}", f"{cpu:.2f}")
                print(" | ".join(row), flush=True)
                drawn.add_row(*row)
    Console(width=140).print(drawn)


if __name__ == "__main__":
    main()
