"""models × precisions × backends → sorted cells. Every name is checked here, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from os import PathLike, fspath
from pathlib import PurePath

from harness.backends import BACKENDS
from harness.errors import ConfigError, nearest
from harness.precision import PRECISIONS, recipe_names
from harness.types import Cell

HEADS = ("", "e2e")


def matrix(
    models: str | PathLike[str] | Sequence[str | PathLike[str]],
    precisions: str | Sequence[str],
    backends: str | Sequence[str],
    imgsz: int | Sequence[int] = 640,
    batch: int | Sequence[int] = 1,
    device: str | Sequence[str] = "cpu",
) -> tuple[Cell, ...]:
    """Every combination, fp32 first.

    Combinations that a backend cannot run stay in the matrix and are reported as `unavailable` with the reason.

    Raises:
        ConfigError: an axis is empty, or a name is unknown (the nearest known one is named).
    """
    sizes, batches = _numbers("imgsz", imgsz), _numbers("batch", batch)
    for size in sizes:
        if size % 32:
            raise ConfigError(f"matrix: imgsz={size} is not a multiple of 32, the stride of the detectors")
    named = [_model(name) for name in _names("models", _texts(models))]
    makes = [_precision(name) for name in _names("precisions", precisions)]
    runs = [_backend(name) for name in _names("backends", backends)]
    cells = [
        Cell(model, precision, runtime, where, size, count, _tag(sizes, batches, size, count), weights)
        for (model, weights), precision, runtime in product(named, makes, runs)
        for where, size, count in product(_names("device", device), sizes, batches)
    ]
    order = {precision: rank for rank, precision in enumerate(PRECISIONS)}
    return tuple(sorted(dict.fromkeys(cells), key=lambda c: (c.model, c.backend, order[c.family], c)))


def _texts(values: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[str]:
    return [fspath(value) for value in ([values] if isinstance(values, str | PathLike) else values)]


def _tag(sizes: Sequence[int], batches: Sequence[int], size: int, batch: int) -> str:
    return "-".join([f"{size}px"] * (len(sizes) > 1) + [f"b{batch}"] * (len(batches) > 1))


def _model(declared: str) -> tuple[str, str]:
    """`weights/mine.pt:e2e` → the cell's model `mine:e2e` and its weights `weights/mine.pt`."""
    weights, _, head = declared.partition(":")
    stem = PurePath(weights).name.removesuffix(".pt").removesuffix(".json")  # .json: a script of the null backend
    if not stem or head not in HEADS:
        raise ConfigError(f"matrix: model {declared!r}: after ':' comes a head, and the only named head is 'e2e'")
    return (f"{stem}:{head}" if head else stem), weights


def _precision(name: str) -> str:
    family, _, recipe = name.partition(":")
    if family not in PRECISIONS:
        raise ConfigError(f"matrix: unknown precision {name!r}; {nearest(family, PRECISIONS)}")
    if recipe and name not in recipe_names():
        raise ConfigError(f"matrix: unknown recipe {name!r}; {nearest(name, recipe_names())}")
    return name


def _backend(name: str) -> str:
    if name not in BACKENDS:
        raise ConfigError(f"matrix: unknown backend {name!r}; {nearest(name, BACKENDS)}")
    return name


def _names(axis: str, values: str | Sequence[str]) -> Sequence[str]:
    values = (values,) if isinstance(values, str) else tuple(values)
    if not values or not all(isinstance(value, str) and value for value in values):
        raise ConfigError(f"matrix: {axis}={list(values)!r} must be one or more non-empty names")
    return values


def _numbers(axis: str, values: int | Sequence[int]) -> Sequence[int]:
    values = (values,) if isinstance(values, int) else tuple(values)
    if not values or not all(isinstance(value, int) and value > 0 for value in values):
        raise ConfigError(f"matrix: {axis}={list(values)!r} must be one or more whole numbers > 0")
    return values
