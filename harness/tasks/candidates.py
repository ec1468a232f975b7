"""The readings that the shapes of a network's outputs allow. Which of them is right, `values` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.tasks.base import Content, OutputLayout
from harness.tasks.grids import fills_grid, strides_of

QUERIES = 1000  # the most boxes of a network that chooses them itself; DETRs have 100 to 900

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Asked:
    """What is known before the values are looked at."""

    said: Content
    classes: int | None  # number of classes: of the file, else of the data set; None: neither tells
    sides: tuple[int, int]  # height and width of the network's input, pixels
    family: str = ""  # declared by the user: any number of anchors is believed
    extra: int = 0  # numbers per detection behind its classes
    protos: int | None = None  # index of the output with mask prototypes


def candidates(shapes: Sequence[Shape], asked: Asked) -> list[OutputLayout]:
    """Every reading that the shapes of all outputs allow, the more specific ones first.

    Of outputs that allow the same reading the later one counts: a network with an auxiliary head (YOLOv9) has its
    detections there.
    """
    found: dict[OutputLayout, OutputLayout] = {}
    for index, shape in enumerate(shapes):
        if index != asked.protos and len(shape) == 3:
            for one in (*_rows(index, shape, asked), *_anchors(index, shape, asked)):
                found[replace(one, output=0)] = one
    if not found:
        found = {one: one for one in (*_tables(shapes, asked), *_split(shapes, asked))}
    return [
        replace(one, extra=asked.extra, protos=asked.protos, points=asked.said.points, task=asked.said.task)
        for one in found.values()
        if asked.family in ("", one.layout)
    ]


def _rows(index: int, shape: Shape, asked: Asked) -> Iterator[OutputLayout]:
    """Readings of one output as rows of corners, score and class."""
    _, rows, columns = shape
    if columns != 6 + asked.extra:
        return
    dense = fills_grid(rows, asked.sides)
    one_per_anchor = OutputLayout("deepstream", index, asked.classes, corners=True)
    chosen = OutputLayout("e2e", index, asked.classes, corners=True, nms=False)
    fitting = []
    if dense or rows > QUERIES or asked.family == "deepstream":
        fitting.append(one_per_anchor)
    if rows <= QUERIES or asked.family == "e2e":
        fitting.append(chosen)
    yield from fitting
    yield from (replace(one, class_first=True) for one in fitting)


def _anchors(index: int, shape: Shape, asked: Asked) -> Iterator[OutputLayout]:
    """Readings of one output as anchors, whose columns are boxes and scores of all classes."""
    _, first, last = shape
    for columns, anchors, transposed in ((first, last, False), (last, first, True)):
        dense = strides_of(anchors, asked.sides) is not None
        if asked.classes:
            plain, with_objectness = columns == 4 + asked.classes + asked.extra, columns == 5 + asked.classes
        else:
            enough = columns < anchors and (dense or bool(asked.family))
            plain, with_objectness = enough and columns > 4 + asked.extra, columns < anchors and columns > 5
        classes = columns - 4 - asked.extra
        if with_objectness and not asked.extra:
            yield from _with_objectness(
                OutputLayout("yolov5", index, columns - 5, transposed=transposed), anchors, asked
            )
        if plain and transposed and anchors <= QUERIES and not dense and not asked.extra:
            yield OutputLayout("rtdetr", index, classes, transposed=True, fractions=True, nms=False)
        if plain:
            yield OutputLayout("raw", index, classes, transposed=transposed)


def _with_objectness(read: OutputLayout, anchors: int, asked: Asked) -> Iterator[OutputLayout]:
    """Readings of anchors that also have an objectness; `read` is that of a YOLOv5."""
    three, one = (strides_of(anchors, asked.sides, per_cell) is not None for per_cell in (3, 1))
    if one:
        yield replace(read, layout="yolox", relative=True)
        yield replace(read, layout="yolov6")
        yield replace(read, layout="yolox")
    if three or one or asked.family or (asked.classes and anchors > QUERIES):
        yield read
    if asked.family == "yolov6" and not one:
        yield replace(read, layout="yolov6")


def _tables(shapes: Sequence[Shape], asked: Asked) -> Iterator[OutputLayout]:
    """Readings of boxes [N, D, 4], scores [N, D] and class numbers [N, D]; which is which of the two, values tell."""
    boxes = next((at for at, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4), None)
    if boxes is None or asked.extra:
        return
    images, anchors, _ = shapes[boxes]
    flat = [at for at, shape in enumerate(shapes) if shape in ((images, anchors), (images, anchors, 1))]
    count = next((at for at, shape in enumerate(shapes) if shape in ((images,), (images, 1))), None)
    if len(flat) == 2:
        first, second = flat
        for scores, labels in ((first, second), (second, first)):
            yield OutputLayout(
                "efficientnms", boxes, asked.classes, scores=scores, labels=labels, count=count, corners=True,
                nms=count is None and strides_of(anchors, asked.sides) is not None,
            )  # fmt: skip


def _split(shapes: Sequence[Shape], asked: Asked) -> Iterator[OutputLayout]:
    """Readings of boxes and scores of all classes in two outputs of as many anchors."""
    if asked.extra:
        return
    cubes = [(at, shape) for at, shape in enumerate(shapes) if len(shape) == 3]
    for boxes, (_, first, last) in cubes:
        if 4 not in (first, last):
            continue
        transposed = last == 4
        anchors = first if transposed else last
        for scores, shape in cubes:
            for at, classes in ((1, shape[2]), (2, shape[1])):
                if scores == boxes or shape[at] != anchors or (asked.classes or classes) != classes:
                    continue
                few = anchors <= QUERIES and strides_of(anchors, asked.sides) is None
                yield OutputLayout(
                    "split", boxes, classes, transposed=transposed, scores=scores, scores_transposed=at == 1,
                    nms=not few,
                )  # fmt: skip
