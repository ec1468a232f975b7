"""The family that a model's outputs belong to, told by their shapes and by what its file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.cell import Size, size_text
from harness.core.errors import ConfigError
from harness.tasks.base import LAYOUTS, Content, Layout, OutputLayout
from harness.tasks.registry import task

STRIDES = (8, 16, 32)  # input pixels per grid cell, of the three feature maps of every family


def content(meta: Mapping[str, Any]) -> Content:
    """What a file says of its model, from the metadata of an artifact (`Artifact.meta`).

    Raises:
        ConfigError: the task is not scored, or the file of a pose model does not say how many key points it has.
    """
    names, points = meta.get("names"), meta.get("points") or (0, 0)
    said = Content(len(names) if names else None, meta.get("task") or "detect", (points[0], points[1]))
    task(said.task).check(said)
    return said


def read_outputs(shapes: Sequence[tuple[int, ...]], said: Content, size: Size, declared: str = "") -> OutputLayout:
    """How the outputs of a model are read: the first output that fits a family holds the detections.

    Args:
        shapes: of all outputs.
        said: what the file of the model says.
        size: height and width of the network's input, pixels.
        declared: the family, where the user names one; empty: the shapes tell it.

    Raises:
        ConfigError: no output fits; the message has all shapes.
    """
    found = task(said.task).extra(said, shapes)
    if found is not None:
        extra, protos = found
        for output, shape in enumerate(shapes):
            if declared:
                layout = _as_declared(shape, said.classes, size, declared, extra)
            else:
                layout = layout_of(shape, said.classes, size, extra)
            if layout:
                classes = _classes(layout, shape, extra)
                return OutputLayout(layout, output, classes, extra, protos, said.points, said.task)
    seen = ", ".join("×".join(map(str, shape)) for shape in shapes)
    family = f"the family {declared!r}" if declared else f"any known family ({', '.join(LAYOUTS)})"
    having = (f" with {said.classes} classes" if said.classes else "") + task(said.task).finds(said)
    raise ConfigError(f"output of shape {seen} does not fit {family}{having} at {size_text(size)} px")


def layout_of(shape: tuple[int, ...], classes: int | None, size: Size, extra: int = 0) -> Layout | None:
    """The family of an output; None where it fits no family.

    Args:
        shape: of the output.
        classes: how many classes the model has; None: unknown, so that the number of anchors alone tells the family.
        size: height and width of the network's input, pixels.
        extra: numbers per detection behind its classes.
    """
    if len(shape) != 3:
        return None
    _, first, last = shape
    cells = _grid_cells(size)
    if classes:
        raw, columns = first == 4 + classes + extra, last == 5 + classes
    else:
        raw, columns = last == cells and first > 4 + extra, last > 5
    if raw:
        return "raw"
    if columns and not extra and first == 3 * cells:
        return "yolov5"
    if columns and not extra and first == cells:
        return "yolox"
    return "e2e" if last == 6 + extra else None


def _as_declared(shape: tuple[int, ...], classes: int | None, size: Size, declared: str, extra: int) -> Layout | None:
    """The declared family where an output of `shape` can be of it; its strides may differ where boxes need none."""
    if len(shape) != 3:
        return None
    _, first, last = shape
    cells = _grid_cells(size)
    columns = not extra and (last == 5 + classes if classes else first > last > 5)
    raw = first == 4 + classes + extra if classes else last > first > 4 + extra
    fits = {
        "raw": raw,
        "e2e": last == 6 + extra,
        "yolov5": columns and first != cells,  # one box per grid cell is YOLOX
        "yolox": columns and first == cells,
    }
    return declared if fits[declared] else None  # type: ignore[return-value]


def _grid_cells(size: Size) -> int:
    """How many grid cells the three feature maps have at this input size, pixels."""
    height, width = size
    return sum((height // stride) * (width // stride) for stride in STRIDES)


def input_layout(shapes: Sequence[tuple[int, ...]], size: Size) -> Layout:
    """A family with this model's input, for `decode.prepare`; told by shapes alone, without the number of classes."""
    return "yolox" if any(layout_of(shape, None, size) == "yolox" for shape in shapes) else "raw"


def _classes(layout: Layout, shape: tuple[int, ...], extra: int) -> int | None:
    return {"raw": shape[1] - 4 - extra, "yolov5": shape[2] - 5, "yolox": shape[2] - 5}.get(layout)
