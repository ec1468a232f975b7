"""Which family the outputs of a model belong to: told by their shapes, and by what its file says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.dataset import TASKS, Task
from harness.core.errors import ConfigError
from harness.tasks.base import LAYOUTS, Layout

STRIDES = (8, 16, 32)  # of the three feature maps of all these families


@dataclass(frozen=True)
class Content:
    """What a model's file says of itself."""

    classes: int | None = None  # how many; None: it does not say
    task: Task = "detect"
    points: tuple[int, int] = (0, 0)  # of "pose": key points, and the numbers that each has: x, y and maybe visibility


@dataclass(frozen=True)
class Reading:
    """How the outputs of a model are read."""

    layout: Layout
    output: int  # which of the outputs holds the detections
    classes: int | None  # as many as its shape tells; e2e's does not
    extra: int = 0  # numbers of a detection behind its classes: mask coefficients, or its key points
    protos: int | None = None  # the output with the masks' prototypes [N, extra, S / 4, S / 4]
    points: tuple[int, int] = (0, 0)  # as of Content


def content(meta: Mapping[str, Any]) -> Content:
    """From the metadata of an artifact.

    Raises:
        ConfigError: a task that is not scored, or a pose model that does not say how many key points it has.
    """
    names, points, task = meta.get("names"), meta.get("points") or (0, 0), meta.get("task") or "detect"
    if task not in TASKS:
        raise ConfigError(f"the model is for the task {task!r}; quantgate scores {', '.join(TASKS)}")
    if task == "pose" and not points[0]:
        raise ConfigError("the file of this pose model does not say how many key points it has (kpt_shape)")
    return Content(names and len(names), task, (points[0], points[1]))


def read_outputs(shapes: Sequence[tuple[int, ...]], said: Content, size: int, declared: str = "") -> Reading:
    """The first output that fits a family; `declared` names the family where the model's user did.

    Raises:
        ConfigError: none fits; the shapes are named.
    """
    protos = next((at for at, shape in enumerate(shapes) if said.task == "segment" and len(shape) == 4), None)
    extra = math.prod(said.points) if protos is None else shapes[protos][1]
    for output, shape in enumerate(shapes):
        shaped = (shape, said.classes, size)
        layout = _as_declared(*shaped, declared, extra) if declared else layout_of(*shaped, extra)
        if layout and (said.task != "segment" or protos is not None):
            return Reading(layout, output, _classes(layout, shape, extra), extra, protos, said.points)
    seen = ", ".join("×".join(map(str, shape)) for shape in shapes)
    wanted = f"the family {declared!r}" if declared else f"any known family ({', '.join(LAYOUTS)})"
    having = f" with {said.classes} classes" if said.classes else ""
    what = {"detect": "", "segment": " and mask coefficients", "pose": f" and {said.points[0]} key points"}[said.task]
    raise ConfigError(f"output of shape {seen} does not fit {wanted}{having}{what} at {size} px")


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
