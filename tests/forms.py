"""The same detections in the output forms that exporters give: of made arrays, and of a network's ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, parser

from harness import Decoding
from harness.tasks.base import OutputLayout
from harness.tasks.decode import decode
from harness.tasks.grids import corners_and_strides

Floats = NDArray[np.float32]
PLAIN = OutputLayout("raw", 0, None)
STRIDES = (8, 16, 32)
MAX_DET = 300


Size = tuple[int, int]  # height and width, pixels


def scene(seed: int, size: Size, classes: int, images: int = 4, most: int = 5, per_cell: int = 1) -> Floats:
    """The raw output [images, 4 + classes, anchors] of a network that sees up to `most` objects in each image.

    A grid cell has `per_cell` anchors, map by map.
    A box lies near its grid cell, as a trained network's does. Several anchors see each object, in one class.
    """
    draw = np.random.default_rng(seed)
    corners, stride = (np.repeat(one, per_cell, axis=0) for one in corners_and_strides(size, STRIDES))
    anchors, sides = len(stride), np.float32(size[::-1])
    centres = (corners + 0.5) * stride[:, None] + draw.normal(0, 0.5, (images, anchors, 2)) * stride[:, None]
    extents = draw.uniform(0.5, 3, (images, anchors, 2)) * np.minimum(stride, min(size) / 6)[:, None]
    scores = 1 / (1 + np.exp(draw.uniform(6, 10, (images, anchors, classes))))
    boxes = np.concatenate([np.clip(centres, 0, sides), extents], axis=2)
    for image in range(images):
        for _ in range(draw.integers(1 if image == 0 else 0, most + 1)):
            wide, high = draw.uniform(0.1, 0.6, 2) * sides
            x, y = draw.uniform(wide / 2, sides[0] - wide / 2), draw.uniform(high / 2, sides[1] - high / 2)
            near = np.argsort(((centres[image] - [x, y]) ** 2).sum(axis=1))[: draw.integers(1, 5)]
            boxes[image, near] = [x, y, wide, high] + draw.normal(0, 0.002, (len(near), 4)) * np.tile(sides, 2)
            scores[image, near] = scores[image, near] * 0.1
            scores[image, near, draw.integers(classes)] = draw.uniform(0.4, 0.95, len(near))
    return np.concatenate([boxes, scores], axis=2).transpose(0, 2, 1).astype(np.float32)


OBJECTS = np.float32([[50, 55, 60, 50], [145, 75, 50, 70], [80, 180, 80, 60], [195, 190, 50, 60], [120, 125, 40, 30]])


def constant(classes: int, background: Sequence[float], anchors: int = 1344) -> Floats:
    """The raw output [1, 4 + classes, anchors] of a network of 256 px: five OBJECTS, four anchors each, on one box."""
    at = np.random.default_rng(0).choice(anchors, 20, replace=False)
    raw = np.full((1, 4 + classes, anchors), 1e-4, np.float32)
    raw[0, :4] = np.float32(background)[:, None]
    raw[0, :4, at] = np.tile(OBJECTS, (4, 1)) + np.repeat(np.float32([0, 0.3, 0.6, 0.9]), 5)[:, None]
    raw[0, 4 + np.tile([0, 3, 7, 9, 5], 4) % classes, at] = np.linspace(0.95, 0.76, 20)
    return raw


def quantized(raw: Floats) -> Floats:
    """A raw output as one of 8 bits has it: boxes and scores in 255 steps each."""
    step = raw[:, :4].max() / 255
    return np.concatenate([np.rint(raw[:, :4] / step) * step, np.rint(raw[:, 4:] * 255) / 255], 1, dtype=np.float32)


def logit(scores: Floats) -> Floats:
    certain = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(certain / (1 - certain))


def _corners(raw: Floats) -> Floats:
    """[N, A, 4] corners."""
    centre, extent = raw[:, :2], raw[:, 2:4]
    return np.concatenate([centre - extent / 2, centre + extent / 2], axis=1).transpose(0, 2, 1)


def _objectness(raw: Floats) -> tuple[Floats, Floats]:
    """Objectness [N, A, 1] and class scores [N, A, C] whose product are the scores of `raw`."""
    scores = raw[:, 4:].transpose(0, 2, 1)
    sure = np.sqrt(scores.max(axis=2, keepdims=True))
    return sure, scores / np.maximum(sure, 1e-6)


def _rows(raw: Floats) -> Floats:
    """[N, A, 6]: corners, score and class of every anchor."""
    scores = raw[:, 4:].transpose(0, 2, 1)
    best = scores.argmax(axis=2)[..., None].astype(np.float32)
    return np.concatenate([_corners(raw), scores.max(axis=2, keepdims=True), best], axis=2)


def _chosen(raw: Floats, size: Size) -> Floats:
    """[N, 300, 6]: the detections after NMS, filled up with zeros."""
    found = decode([raw], PLAIN, Decoding(conf=0.002), size, [size[::-1]] * len(raw))
    rows = np.zeros((len(raw), MAX_DET, 6), np.float32)
    for at, one in enumerate(found):
        rows[at, : len(one.scores)] = np.column_stack([one.boxes, one.scores, one.classes])
    return rows


def _relative(raw: Floats, size: Size) -> Floats:
    """[N, A, 4]: boxes as YOLOX has them before decoding."""
    corners, stride = corners_and_strides(size, STRIDES)
    boxes = raw[:, :4].transpose(0, 2, 1)
    return np.concatenate([boxes[..., :2] / stride[:, None] - corners, np.log(boxes[..., 2:] / stride[:, None])], 2)


def _joined(*parts: Floats) -> list[NDArray[Any]]:
    return [np.concatenate(parts, axis=2, dtype=np.float32)]


def sides(size: Size) -> Floats:
    """What the four numbers of a box are divided by to become fractions."""
    return np.float32([size[1], size[0]] * 2)


def _scaled(rows: Floats, size: Size) -> Floats:
    return np.concatenate([rows[..., :4] / sides(size), rows[..., 4:]], axis=2)


def _tables(rows: Floats, size: Size = (1, 1)) -> list[NDArray[Any]]:
    count = (rows[..., 4] > 0).sum(axis=1, keepdims=True).astype(np.int32)
    return [count, rows[..., :4] / sides(size), rows[..., 4], rows[..., 5].astype(np.int32)]


FORMS: dict[str, Callable[[Floats, Size], Sequence[NDArray[Any]]]] = {
    "raw": lambda raw, size: [raw],
    "transposed": lambda raw, size: [raw.transpose(0, 2, 1)],
    "fractions": lambda raw, size: [np.concatenate([raw[:, :4] / sides(size)[:, None], raw[:, 4:]], axis=1)],
    "transposed fractions": lambda raw, size: [_scaled(raw.transpose(0, 2, 1), size)],
    "logits": lambda raw, size: [np.concatenate([raw[:, :4], logit(raw[:, 4:])], axis=1)],
    "logits in fractions": lambda raw, size: [
        np.concatenate([raw[:, :4] / sides(size)[:, None], logit(raw[:, 4:])], axis=1)
    ],
    "corners": lambda raw, size: _joined(_corners(raw), raw[:, 4:].transpose(0, 2, 1)),
    "corners in fractions": lambda raw, size: _joined(_corners(raw) / sides(size), raw[:, 4:].transpose(0, 2, 1)),
    "[N, C, A, 1]": lambda raw, size: [raw[..., None]],
    "[N, 1, A, C]": lambda raw, size: [raw.transpose(0, 2, 1)[:, None]],
    "auxiliary output": lambda raw, size: [raw[:, :, ::-1] * np.float32(0.5), raw],
    "transposed yolov6": lambda raw, size: [
        np.concatenate([raw[:, :4], np.ones((len(raw), 1, raw.shape[2])), raw[:, 4:]], axis=1, dtype=np.float32)
    ],
    "yolov6": lambda raw, size: _joined(
        raw[:, :4].transpose(0, 2, 1), np.ones((len(raw), raw.shape[2], 1)), raw[:, 4:].transpose(0, 2, 1)
    ),
    "yolov6 in fractions": lambda raw, size: _joined(
        raw[:, :4].transpose(0, 2, 1) / sides(size), np.ones((len(raw), raw.shape[2], 1)), raw[:, 4:].transpose(0, 2, 1)
    ),
    "objectness": lambda raw, size: _joined(raw[:, :4].transpose(0, 2, 1), *_objectness(raw)),
    "objectness in fractions": lambda raw, size: _joined(
        raw[:, :4].transpose(0, 2, 1) / sides(size), *_objectness(raw)
    ),
    "yolox": lambda raw, size: _joined(_relative(raw, size), *_objectness(raw)),
    "deepstream": lambda raw, size: [_rows(raw)],
    "deepstream in fractions": lambda raw, size: [_scaled(_rows(raw), size)],
    "deepstream class first": lambda raw, size: [_rows(raw)[..., [0, 1, 2, 3, 5, 4]]],
    "deepstream in three": lambda raw, size: np.split(_rows(raw), [4, 5], axis=2),
    "deepstream in three fractions": lambda raw, size: np.split(_scaled(_rows(raw), size), [4, 5], axis=2),
    "e2e": lambda raw, size: [_chosen(raw, size)],
    "e2e filled up with -1": lambda raw, size: [np.where(_chosen(raw, size)[..., 4:5] > 0, _chosen(raw, size), -1)],
    "e2e in fractions": lambda raw, size: [_scaled(_chosen(raw, size), size)],
    "e2e class first": lambda raw, size: [_chosen(raw, size)[..., [0, 1, 2, 3, 5, 4]]],
    "efficientnms": lambda raw, size: _tables(_chosen(raw, size)),
    "efficientnms in fractions": lambda raw, size: _tables(_chosen(raw, size), size),
    "split corners": lambda raw, size: [_corners(raw), raw[:, 4:].transpose(0, 2, 1)],
    "split centres in fractions": lambda raw, size: [raw[:, 4:], raw[:, :4] / sides(size)[:, None]],
}
"""By name: the outputs of a network whose raw output is [N, 4 + C, A], for a size (height, width) in pixels."""

HEAD = "b = Slice(raw, at0, at4, axis1) s = Slice(raw, at4, end, axis1) t = Transpose<perm=[0,2,1]>(raw) "
TURNED = (
    HEAD + "bt = Transpose<perm=[0,2,1]>(b) st = Transpose<perm=[0,2,1]>(s) best = ReduceMax<keepdims=1>(st, axis2) "
)
MASKED = TURNED + "ge = GreaterOrEqual(st, best) m = Cast<to=1>(ge) s1 = Mul(st, m) "
OBJECT = TURNED + "obj = Sqrt(best) cls = Div(st, obj) "
CORNERED = (
    TURNED + "c = Slice(bt, at0, at2, axis2) e = Slice(bt, at2, at4, axis2) "
    "h = Mul(e, half) low = Sub(c, h) high = Add(c, h) box = Concat<axis=2>(low, high) "
)
RELATIVE = (
    "c = Slice(bt, at0, at2, axis2) e = Slice(bt, at2, at4, axis2) "
    "u = Div(c, stride) o = Sub(u, corner) v = Div(e, stride) l = Log(v) rel = Concat<axis=2>(o, l) "
)
LOGIT = "p = Clip(s, tiny, most) q = Sub(one, p) r = Div(p, q) l = Log(r) "

SURGERY = {
    "transposed": HEAD + "out = Identity(t)",
    "fractions": HEAD + "f = Mul(b, unit) out = Concat<axis=1>(f, s)",
    "transposed fractions": HEAD + "f = Mul(b, unit) g = Concat<axis=1>(f, s) out = Transpose<perm=[0,2,1]>(g)",
    "logits": HEAD + LOGIT + "out = Concat<axis=1>(b, l)",
    "corners": CORNERED + "out = Concat<axis=2>(box, st)",
    "yolov6": TURNED + "z = Sub(best, best) o = Add(z, one) out = Concat<axis=2>(bt, o, st)",
    "objectness": OBJECT + "out = Concat<axis=2>(bt, obj, cls)",
    "yolox decoded": OBJECT + "out = Concat<axis=2>(bt, obj, cls)",
    "yolox": OBJECT + RELATIVE + "out = Concat<axis=2>(rel, obj, cls)",
    "deepstream": CORNERED + "k = ArgMax<axis=2,keepdims=1>(st) n = Cast<to=1>(k) out = Concat<axis=2>(box, best, n)",
    "deepstream fractions": CORNERED + "k = ArgMax<axis=2,keepdims=1>(st) n = Cast<to=1>(k) w = Mul(box, one_by_size) "
    "out = Concat<axis=2>(w, best, n)",
    "one class": MASKED + "out = Concat<axis=2>(bt, s1)",
    "split": CORNERED + "out = Identity(box) out2 = Identity(st)",
}
"""By name: what follows the raw output of a network in ONNX's text form."""

BYTES = ("yolox", "yolox decoded")  # these take BGR in 0–255


def rebuilt(source: Path, form: str, target: Path, size: int = 256) -> Path:
    """Write the graph of a network with raw output [1, 4 + C, A] in another form; returns the path."""
    model = onnx.load(str(source))
    del model.metadata_props[:]
    corner, stride = corners_and_strides((size, size), STRIDES)
    constants = {
        "at0": [0], "at2": [2], "at4": [4], "end": [2**31], "axis1": [1], "axis2": [2], "half": np.float32([0.5]),
        "one": np.float32([1]), "tiny": np.float32(1e-6), "most": np.float32(1 - 1e-6),
        "unit": np.float32([1 / size]), "one_by_size": np.float32([1 / size]), "corner": corner[None],
        "stride": stride[None, :, None],
    }  # fmt: skip
    outs = "float[n,a,c] out" + (", float[n,a,k] out2" if "out2" in SURGERY[form] else "")
    text = f"form (float[1,{model.graph.output[0].type.tensor_type.shape.dim[1].dim_value},a] raw) => ({outs}) {{ "
    graph = parser.parse_graph(text + SURGERY[form] + " }")
    for name, value in constants.items():
        array = np.asarray(value, np.int64) if isinstance(value, list) else np.asarray(value)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    graph = compose.add_prefix_graph(graph, "form_")
    whole = compose.merge_graphs(model.graph, graph, [(model.graph.output[0].name, "form_raw")])
    for output in whole.output:
        output.type.tensor_type.ClearField("shape")
    if form in BYTES:
        _takes_bytes(whole)
    onnx.save(onnx.helper.make_model(whole, opset_imports=model.opset_import, ir_version=model.ir_version), target)
    return target


def _takes_bytes(graph: onnx.GraphProto) -> None:
    """Let the graph take BGR in 0–255 instead of RGB in 0–1."""
    name = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["fed" if one == name else one for one in node.input]
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 1, 0]), "turned"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32([1 / 255]), "byte"))
    graph.node.insert(0, onnx.helper.make_node("Gather", [name, "turned"], ["rgb"], axis=1))
    graph.node.insert(1, onnx.helper.make_node("Mul", ["rgb", "byte"], ["fed"]))
    assert graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
