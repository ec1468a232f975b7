"""How a model's outputs are read: from what its file says, the shapes, and the values of the first images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from harness.core.cell import Size, size_text
from harness.core.errors import ConfigError
from harness.tasks.base import LAYOUTS, Content, Declared, OutputLayout
from harness.tasks.candidates import Asked, Shape, candidates
from harness.tasks.grids import fills_grid, strides_of
from harness.tasks.parts import ROWS, cube, parts
from harness.tasks.registry import task
from harness.tasks.values import Weighed, judge, probabilities

CURE = "say how it is read: Model(…, family=…, boxes=…, scores=…)"
BAKED = 0.1  # where all scores of a padded output lie above it, the file itself drops lower ones
SEEN = 0.25  # score of an object that a network is said to see


def content(meta: Mapping[str, Any]) -> Content:
    """What a file says of its model, from the metadata of an artifact (`Artifact.meta`).

    Raises:
        ConfigError: the task is not scored, or the file of a pose model does not say how many key points it has.
    """
    names, points = meta.get("names"), meta.get("points") or (0, 0)
    said = Content(
        len(names) if names else None, meta.get("task") or "detect", (points[0], points[1]),
        bool(meta.get("end2end")), bool(meta.get("nms")), meta.get("conf"), meta.get("head") or "",
    )  # fmt: skip
    task(said.task).check(said)
    return said


def read_outputs(
    outputs: Sequence[NDArray[Any]], said: Content, size: Size, declared: Declared | None = None,
    classes: int | None = None, batch: int | None = None,
) -> Weighed:  # fmt: skip
    """How the outputs of a model are read: the first reading that shapes allow and values do not contradict.

    Args:
        outputs: all outputs, for the images that are looked at: as many as the network takes at once, or more.
        said: what the file of the model says.
        size: height and width of the network's input, pixels.
        declared: what the user says of the outputs; it wins over what the values can tell.
        classes: number of classes of the data set, for a file that does not say its own.
        batch: how many images the network takes at once, for messages; None: as many as there are.

    Returns:
        The reading. What its `doubt` names is still open, and more images may tell. Where it is `uncounted`, its
        number of classes is not to be believed.

    Raises:
        ConfigError: no output fits; the message has all shapes, and how the values contradict the readings.
    """
    declared = declared or Declared()
    shapes = [_dense((batch or len(output), *map(int, output.shape[1:])), size) for output in outputs]
    found = task(said.task).extra(said, shapes)
    if found is None:
        raise ConfigError(_no_fit(shapes, said, size, declared))
    asked = Asked(said, said.classes or classes, size, declared.family, *found)
    readings = candidates(shapes, asked)
    if not readings:
        raise ConfigError(_no_fit(shapes, said, size, declared) + _other_count(shapes, asked))
    chosen = said.end2end or said.nms or declared.family == "e2e"
    judged = [judge(one, outputs, size, declared, said.head, chosen) for one in readings]
    fitting = sorted((one for one in judged if not one.defect), key=lambda one: one.nothing)
    if not fitting:
        why = "; ".join(dict.fromkeys(f"as {one.reading.layout}, {one.defect}" for one in judged))
        raise ConfigError(f"output of shape {_text(shapes)} fits no reading: {why}; {CURE}")
    best = fitting[0]
    others = {one.reading.classes for one in fitting if one.reading.classes is not None}
    best = replace(best, uncounted=asked.classes is None and len(others) > 1)
    _expect_own_grid(shapes[best.reading.output], size)
    reading = replace(best.reading, bgr_bytes=best.reading.layout == "yolox")
    return replace(best, reading=replace(reading, notes=(*reading.notes, *_threshold(outputs, reading, said))))


def _dense(shape: Shape, size: Size) -> Shape:
    """The shape without needless sides where the output has the anchors of a grid, such as [N, C, A, 1]."""
    found = cube(shape) if len(shape) > 3 else shape
    return found if any(fills_grid(side, size) for side in found[1:]) else shape


def _expect_own_grid(shape: Shape, size: Size) -> None:
    """Raise ConfigError where an output has the anchors of a square input, and the input is no square."""
    squares = [(side, side) for side in size] if size[0] != size[1] else []
    for anchors in shape[1:]:
        other = next((one for one in squares if strides_of(anchors, one)), None)
        if other and not strides_of(anchors, size):
            raise ConfigError(
                f"output of shape {_text([shape])} has the {anchors} anchors of an input of {size_text(other)} px, and "
                f"the input is {size_text(size)} px: the file contradicts itself, export it again"
            )


def sees(outputs: Sequence[NDArray[Any]], reading: OutputLayout) -> float:
    """The share of the images in whose outputs some score is above SEEN."""
    return float((probabilities(parts(outputs, reading), reading).max(axis=1) > SEEN).mean())


def _threshold(outputs: Sequence[NDArray[Any]], reading: OutputLayout, said: Content) -> tuple[str, ...]:
    """A note on the score below which the network itself drops detections."""
    if reading.layout not in ROWS or reading.nms:
        return ()
    if said.nms and said.conf is not None:
        return (f"the file's own NMS (nms=True) drops scores below {said.conf:g}, which lowers mAP: export without it",)
    scores = parts(outputs, reading).scores
    live = scores[scores > 0]
    if 3 <= len(live) < scores.size and float(live.min()) > BAKED:
        return (f"no score is below {float(live.min()):.2f}: the file seems to drop lower ones, which lowers mAP",)
    return ()


def _no_fit(shapes: Sequence[Shape], said: Content, size: Size, declared: Declared) -> str:
    """The message for outputs whose shapes no family has."""
    family = f"the family {declared.family!r}" if declared.family else f"any known family ({', '.join(LAYOUTS)})"
    having = (f" with {said.classes} classes" if said.classes else "") + task(said.task).finds(said)
    return f"output of shape {_text(shapes)} does not fit {family}{having} at {size_text(size)} px"


def _other_count(shapes: Sequence[Shape], asked: Asked) -> str:
    """For a file without class names: how many classes its outputs would have, where the data set has others."""
    if asked.said.classes or not asked.classes:
        return ""
    others = candidates(shapes, replace(asked, classes=None))
    counts = dict.fromkeys(f"{one.classes} as {one.layout}" for one in others if one.classes)
    read = f", and its output has {' or '.join(counts)}" if counts else ""
    return f": the file carries no class names, the data set has {asked.classes} classes{read}"


def _text(shapes: Sequence[Shape]) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in shapes)
