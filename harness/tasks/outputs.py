"""Which family the outputs of a model belong to: told by their shapes, and by what its file says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.errors import ConfigError
from harness.tasks.base import LAYOUTS, Content, Layout, OutputLayout
from harness.tasks.registry import task

STRIDES = (8, 16, 32)  # of the three feature maps of all these families


def content(meta: Mapping[str, Any]) -> Content:
    """From the metadata of an artifact.

    Raises:
        ConfigError: a task that is not scored, or a pose model that does not say how many key points it has.
    """
    names, points = meta.get("names"), meta.get("points") or (0, 0)
    said = Content(names and len(names), meta.get("task") or "detect", (points[0], points[1]))
    task(said.task).check(said)
    return said


def read_outputs(shapes: Sequence[tuple[int, ...]], said: Content, size: int, declared: str = "") -> OutputLayout:
    """The first output that fits a family; `declared` names the family where the model's user did.

    Raises:
        ConfigError: none fits; the shapes are named.
    """
    wanted = task(said.task)
    found = wanted.extra(said, shapes)
    extra, protos = found or (0, None)
    for output, shape in enumerate(shapes if found else ()):
        shaped = (shape, said.classes, size)
        layout = _as_declared(*shaped, declared, extra) if declared else layout_of(*shaped, extra)
        if layout:
            classes = _classes(layout, shape, extra)
            return OutputLayout(layout, output, classes, extra, protos, said.points, said.task)
    seen = ", ".join("×".join(map(str, shape)) for shape in shapes)
    family = f"the family {declared!r}" if declared else f"any known family ({', '.join(LAYOUTS)})"
    having = f" with {said.classes} classes" if said.classes else ""
    raise ConfigError(f"output of shape {seen} does not fit {family}{having}{wanted.finds(said)} at {size} px")


def layout_of(shape: tuple[int, ...], classes: int | None, size: int, extra: int = 0) -> Layout | None:
    """The family that an output of `shape` belongs to, or None. `classes` None: unknown, told by the anchors alone."""
    if len(shape) != 3:
        return None
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    if shape[1] == 4 + classes + extra if classes else shape[2] == cells and shape[1] > 4 + extra:
        return "raw"
    for layout, anchors in (("yolov5", 3 * cells), ("yolox", cells)):
        if not extra and shape[1] == anchors and (shape[2] == 5 + classes if classes else shape[2] > 5):
            return layout  # type: ignore[return-value]
    return "e2e" if shape[2] == 6 + extra else None


def _as_declared(shape: tuple[int, ...], classes: int | None, size: int, declared: str, extra: int) -> Layout | None:
    """The declared family where an output of `shape` can be one: with other strides too, where boxes need none."""
    if len(shape) != 3:
        return None
    _, first, last = shape
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    columns = not extra and (last == 5 + classes if classes else first > last > 5)
    fits = {
        "raw": first == 4 + classes + extra if classes else last > first > 4 + extra,
        "e2e": last == 6 + extra,
        "yolov5": columns and first != cells,  # a box a cell is YOLOX's
        "yolox": columns and first == cells,
    }
    return declared if fits[declared] else None  # type: ignore[return-value]


def input_layout(shapes: Sequence[tuple[int, ...]], size: int) -> Layout:
    """The family as far as its input goes, where the number of classes is not known; see `families.prepare`."""
    return "yolox" if any(layout_of(shape, None, size) == "yolox" for shape in shapes) else "raw"


def _classes(layout: Layout, shape: tuple[int, ...], extra: int) -> int | None:
    return {"raw": shape[1] - 4 - extra, "yolov5": shape[2] - 5, "yolox": shape[2] - 5}.get(layout)
