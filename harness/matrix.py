"""models × precisions × backends → sorted cells. Every name is checked here, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from os import PathLike, fspath
from pathlib import PurePath

from harness.backends.registry import backend_names, module_of
from harness.core.cell import Cell, Model, Qat
from harness.core.errors import ConfigError, nearest
from harness.recipes.ready import SUFFIXES
from harness.recipes.registry import PRECISIONS, recipe_names
from harness.tasks.base import LAYOUTS

HEADS = ("", *LAYOUTS)
"""What may stand behind a model's name: YOLO26's end-to-end head, or the family of a ready file that tells it not."""
ENDINGS = (".pt", ".json", "_openvino_model", *SUFFIXES)  # .json: a script of the null backend


Declared = str | PathLike[str] | Model


def matrix(
    models: Declared | Sequence[Declared],
    precisions: str | Sequence[str],
    backends: str | Sequence[str],
    imgsz: int | Sequence[int] = 640,
    batch: int | Sequence[int] = 1,
    device: str | Sequence[str] = "cpu",
) -> tuple[Cell, ...]:
    """Every combination, fp32 first.

    `models`: paths or names, or `Model(…)` where one carries more than its name. A float `.onnx` is quantized like a
    checkpoint; precision `ready` runs an `.onnx`, OpenVINO IR, `.tflite` or `.engine` as it is.
    `device`: `cpu`, `cuda` (the first GPU) or `cuda:N`; TensorRT takes `cpu` as `cuda`.
    Combinations that a backend cannot run stay in the matrix and are reported as `unavailable` with the reason.

    Raises:
        ConfigError: an axis is empty, or a name is unknown (the nearest known one is named).
    """
    sizes, batches = _numbers("imgsz", imgsz), _numbers("batch", batch)
    for size in sizes:
        if size % 32:
            raise ConfigError(f"matrix: imgsz={size} is not a multiple of 32, the stride of the detectors")
    named = [_model(declared) for declared in _models(models)]
    makes = [_precision(name) for name in _names("precisions", precisions)]
    runs = [_backend(name) for name in _names("backends", backends)]
    devices = _names("device", device)
    cells = [
        Cell(model, precision, runtime, where, size, count, _tag(sizes, batches, size, count), weights, qat)
        for (model, weights, qat), precision, runtime in product(named, makes, runs)
        for where, size, count in product(_devices(runtime, devices), sizes, batches)
    ]
    order = {precision: rank for rank, precision in enumerate(PRECISIONS)}
    return tuple(sorted(cells, key=lambda c: (c.model, c.backend, order[c.family], c)))


def _models(declared: Declared | Sequence[Declared]) -> Sequence[Model]:
    several = [declared] if isinstance(declared, str | PathLike | Model) else list(declared)
    models = list(dict.fromkeys(one if isinstance(one, Model) else Model(one) for one in several))
    _names("models", [fspath(model.weights) for model in models])
    return models


def _tag(sizes: Sequence[int], batches: Sequence[int], size: int, batch: int) -> str:
    return "-".join([f"{size}px"] * (len(sizes) > 1) + [f"b{batch}"] * (len(batches) > 1))


def _model(declared: Model) -> tuple[str, str, Qat | None]:
    """`weights/mine.pt:e2e` → the cell's model `mine:e2e` and its weights `weights/mine.pt`."""
    weights, _, head = fspath(declared.weights).partition(":")
    stem = PurePath(weights).name
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    if not stem or head not in HEADS:
        raise ConfigError(
            f"matrix: model {fspath(declared.weights)!r}: after ':' comes a head or family; {nearest(head, HEADS[1:])}"
        )
    return (f"{stem}:{head}" if head else stem), weights, declared.qat


def _precision(name: str) -> str:
    family, _, recipe = name.partition(":")
    if family not in PRECISIONS:
        raise ConfigError(f"matrix: unknown precision {name!r}; {nearest(family, PRECISIONS)}")
    if recipe and name not in recipe_names():
        raise ConfigError(f"matrix: unknown recipe {name!r}; {nearest(name, recipe_names())}")
    return name


def _devices(runtime: str, declared: Sequence[str]) -> Sequence[str]:
    """A cell says where it runs: `cpu` means the first GPU to a runtime that has no CPU."""
    if not getattr(module_of(runtime), "GPU_ONLY", False):
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
