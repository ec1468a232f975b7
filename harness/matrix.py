"""The matrix of a suite: models × precisions × backends as sorted cells. Every name is checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from os import PathLike, fspath
from pathlib import PurePath

from harness.backends.registry import backend_module, backend_names
from harness.core.cell import Cell, Model, Size, as_size, size_text
from harness.core.errors import ConfigError, nearest
from harness.recipes.ready import SUFFIXES
from harness.recipes.registry import PRECISIONS, recipe_names
from harness.tasks.base import LAYOUTS

HEADS = ("", *LAYOUTS)
"""What may follow the colon of a model: YOLO26's end-to-end head, or a ready file's family that it does not tell."""

MANY_SIDES = 2  # one side of a tuple is so many times the other: more likely two sizes than one

ENDINGS = (".pt", ".json", "_openvino_model", *SUFFIXES)
"""The endings that the name of a cell's model leaves out; .json is a script of the null backend."""


Declared = str | PathLike[str] | Model
"""A model as a suite declares it."""


def matrix(
    models: Declared | Sequence[Declared],
    precisions: str | Sequence[str],
    backends: str | Sequence[str],
    imgsz: int | Size | Sequence[int | Size] = 640,
    batch: int | Sequence[int] = 1,
    device: str | Sequence[str] = "cpu",
) -> tuple[Cell, ...]:
    """Every combination of the axes as a cell, sorted by model and backend, with fp32 first.

    Combinations that a backend cannot run stay in the matrix. They are reported as `unavailable` with the reason.

    Args:
        models: paths or names, or `Model(…)` where a model is declared with more than its name. A float `.onnx` file
            is quantized like a checkpoint.
        precisions: names such as `fp32` and `int8`, or `int8:NAME` for another recipe. Precision `ready` runs an
            `.onnx`, OpenVINO IR, `.tflite` or `.engine` file as it is.
        backends: names such as `torch` and `onnxruntime`.
        imgsz: the network's input in pixels, multiples of 32: the side of a square, or the tuple `(height, width)`. A
            list holds several of them.
        batch: images per inference call.
        device: `cpu`, `cuda` (the first GPU) or `cuda:N`. TensorRT takes `cpu` as `cuda`.

    Raises:
        ConfigError: an axis is empty, a number is out of range, or a name is unknown; the message has a similar name.
    """
    sizes, batches = _sizes(imgsz), _numbers("batch", batch)
    named = [(one, *_model(one)) for one in _models(models)]
    makes = [_precision(name) for name in _names("precisions", precisions)]
    runs = [_backend(name) for name in _names("backends", backends)]
    floats = {model: _model(Model(one.float)) for one, model, _ in named if one.float}
    if floats and "ready" not in makes:
        raise ConfigError(f"matrix: float= of {', '.join(floats)} is for files run as they are; add precision 'ready'")
    named_devices = _names("device", device)
    devices = {runtime: _devices(runtime, named_devices) for runtime in runs}
    cells = [
        Cell(model, precision, runtime, where, size, count, _tag(sizes, batches, size, count), weights, one.qat,
             one.boxes, one.scores)
        for (one, model, weights), precision, runtime in product(named, makes, runs)
        for where, size, count in product(devices[runtime], sizes, batches)
    ]  # fmt: skip
    cells = _held_against_float(cells, floats)
    order = {precision: rank for rank, precision in enumerate(PRECISIONS)}
    return tuple(sorted(cells, key=lambda c: (c.model, c.backend, order[c.family], c)))


def _models(declared: Declared | Sequence[Declared]) -> Sequence[Model]:
    several = [declared] if isinstance(declared, str | PathLike | Model) else list(declared)
    models = list(dict.fromkeys(one if isinstance(one, Model) else Model(one) for one in several))
    _names("models", [fspath(model.weights) for model in models])
    return models


def _tag(sizes: Sequence[Size], batches: Sequence[int], size: Size, batch: int) -> str:
    tells_size = len(sizes) > 1 or size[0] != size[1]
    return "-".join([f"{size_text(size)}px"] * tells_size + [f"b{batch}"] * (len(batches) > 1))


def _sizes(declared: int | Size | Sequence[int | Size]) -> list[Size]:
    """The sizes of the network's input. A tuple is one size, a list holds several.

    Raises:
        ConfigError: a number is no multiple of 32, or a tuple looks like two sizes.
    """
    if isinstance(declared, tuple):
        _expect_one_size(declared)
        declared = [declared]
    listed = [declared] if isinstance(declared, int) else list(declared)
    numbers = [number for one in listed for number in ((one,) if isinstance(one, int) else one)]
    pairs = all(isinstance(one, int) or len(one) == 2 for one in listed)
    if not pairs or not all(isinstance(number, int) and number > 0 for number in numbers) or not numbers:
        raise ConfigError(f"matrix: imgsz={declared!r} must be whole numbers > 0, or tuples (height, width) of them")
    for number in numbers:
        if number % 32:
            raise ConfigError(f"matrix: imgsz={number} is not a multiple of 32, the stride of the detectors")
    return list(dict.fromkeys(map(as_size, listed)))


def _expect_one_size(declared: tuple[int, ...]) -> None:
    """Raise ConfigError for a tuple that does not read as one height and width: of other length, or twice as long."""
    listed = ", ".join(map(str, declared))
    if len(declared) != 2:
        raise ConfigError(f"matrix: imgsz=({listed}): a tuple is one size, (height, width); list sizes as [{listed}]")
    if all(isinstance(side, int) for side in declared) and max(declared) >= MANY_SIDES * min(declared):
        raise ConfigError(
            f"matrix: imgsz=({listed}) looks like two sizes: list squares as [{listed}]; "
            f"for one input of height {declared[0]} and width {declared[1]} write [({listed})]"
        )


def _model(declared: Model) -> tuple[str, str]:
    """`weights/mine.pt:e2e` → the cell's model `mine:e2e` and its weights `weights/mine.pt`."""
    weights, _, head = fspath(declared.weights).partition(":")
    if declared.family and head not in ("", declared.family):
        raise ConfigError(f"matrix: {fspath(declared.weights)!r} and family={declared.family!r} name two families")
    head = declared.family or head
    stem = PurePath(weights).name
    for ending in ENDINGS:
        if stem.lower().endswith(ending):  # BEST.ONNX too
            stem = stem[: -len(ending)]
    if not stem or head not in HEADS:
        raise ConfigError(
            f"matrix: model {fspath(declared.weights)!r}: after ':' comes a head or family; {nearest(head, HEADS[1:])}"
        )
    return (f"{stem}:{head}" if head else stem), weights


def _held_against_float(cells: Sequence[Cell], floats: Mapping[str, tuple[str, str]]) -> list[Cell]:
    """The cells, each ready file with the fp32 cell of its float model, which is added where it is not there.

    `floats` has the name and the weights of the float model by the name of the ready file's model.
    Of a model with a float model, only `ready` is the file itself: all other precisions are made from the float model.
    """
    found = [cell for cell in cells if cell.model not in floats]
    for cell in [cell for cell in cells if cell.model in floats]:
        model, weights = floats[cell.model]
        float_cell = Cell(model, "fp32", cell.backend, cell.device, cell.imgsz, cell.batch, cell.tag, weights)
        wanted = [float_cell, replace(cell, float_cell=float_cell)]
        if cell.precision != "ready":
            wanted = [replace(float_cell, precision=cell.precision, qat=cell.qat)]
        for one in wanted:
            there = next((other for other in found if other == one), None)
            if there and there.weights != one.weights:
                raise ConfigError(
                    f"matrix: {there.weights} and float={one.weights!r} are both called {one.model!r}; write them alike"
                )
            found += [] if there else [one]
    return found


def _precision(name: str) -> str:
    family, _, recipe = name.partition(":")
    if family not in PRECISIONS:
        raise ConfigError(f"matrix: unknown precision {name!r}; {nearest(family, PRECISIONS)}")
    if recipe and name not in recipe_names():
        raise ConfigError(f"matrix: unknown recipe {name!r}; {nearest(name, recipe_names())}")
    return name


def _devices(runtime: str, declared: Sequence[str]) -> Sequence[str]:
    """The devices of the cells of a backend. A backend that runs on GPUs alone takes `cpu` as the first GPU."""
    try:
        gpu_only = getattr(backend_module(runtime), "GPU_ONLY", False)
    except ConfigError:  # another package's backend that cannot be imported: its cells say so, and cost nobody else
        return declared
    if not gpu_only:
        return declared
    return list(dict.fromkeys("cuda" if where == "cpu" else where for where in declared))


def _backend(name: str) -> str:
    if name not in backend_names():
        raise ConfigError(f"matrix: unknown backend {name!r}; {nearest(name, backend_names())}")
    return name


def _names(axis: str, values: str | Sequence[str]) -> Sequence[str]:
    values = (values,) if isinstance(values, str) else tuple(dict.fromkeys(values))
    if not values or not all(isinstance(value, str) and value for value in values):
        raise ConfigError(f"matrix: {axis}={list(values)!r} must be one or more non-empty names")
    return values


def _numbers(axis: str, values: int | Sequence[int]) -> Sequence[int]:
    values = (values,) if isinstance(values, int) else tuple(values)
    if not values or not all(isinstance(value, int) and value > 0 for value in values):
        raise ConfigError(f"matrix: {axis}={list(values)!r} must be one or more whole numbers > 0")
    return values
