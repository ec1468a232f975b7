"""Which recipe makes a precision for a backend, what it stores and what it executes, and what cannot exist and why.

A toolchain is one module of this package with `RECIPES` (and `REASONS`, `SOURCES` where it has any) and the functions
that they name. The module imports its toolchain inside the functions only, and is found by lying here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import harness.recipes
from harness.backends.base import require
from harness.backends.registry import backend_names, module_of
from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable, Unsupported
from harness.recipes import ready
from harness.recipes.base import Recipe, Table

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int8-dynamic", "w8a16", "int8-qat", "ready")


def _merged(name: str) -> dict[Any, Any]:
    """The tables of that name of every module of this package; a toolchain is a file that is here."""
    modules = (module.name for module in pkgutil.iter_modules(harness.recipes.__path__) if module.name != "registry")
    found = [getattr(importlib.import_module(f"harness.recipes.{module}"), name, {}) for module in sorted(modules)]
    return {key: value for table in found for key, value in table.items()}


RECIPES: dict[tuple[str, str], Recipe] = _merged("RECIPES")
"""Of quantgate's own backends. Another package's module has `RECIPES`, and `REASONS` where it has any, of its own."""

REASONS: dict[tuple[str, ...], str] = _merged("REASONS")
"""(backend, precision), or (backend, precision, kind of device) → why there is no recipe, or none for that device."""

SOURCES: dict[str, Recipe] = _merged("SOURCES")
"""Intermediate artifacts that others are made from, by the name that `Recipe.source` uses."""

EXTRAS = {
    "openvino": "openvino",
    "nncf": "openvino",
    "torchao": "torch-int8",
    "nvidia-modelopt": "qat",
    "litert-torch": "litert",
    "ai-edge-litert": "litert",
    "ai-edge-quantizer": "litert",
}
"""Distribution → the extra of quantgate that brings it."""


def recipe(cell: Cell) -> Recipe:
    """The recipe of a cell.

    Raises:
        Unsupported: the backend cannot do it, or this version cannot.
        Unavailable: a tool that builds it is not installed.
    """
    device = cell.device.partition(":")[0]
    reasons = _reasons(cell.backend)
    reason = reasons.get((cell.backend, cell.precision, device)) or reasons.get((cell.backend, cell.precision))
    found = _recipes(cell.backend).get((cell.backend, cell.precision))
    if found is None or reason:
        raise Unsupported(reason or f"this version of quantgate has no {cell.precision} recipe for {cell.backend}")
    if cell.family == "int8-qat" and cell.qat is None:
        raise Unavailable("int8-qat is trained and nothing says how: Model('…', qat=Qat(epochs=…)) in the matrix")
    for tool in dict.fromkeys(tool for step in steps(found) for tool in step.tools):
        require(tool, extra=EXTRAS.get(tool, ""))
    return found


def source_of(made_by: Recipe, weights: Path) -> Recipe | None:
    """What a recipe's result is made from, where that is built too; a float `.onnx` stands for the exported graph.

    Raises:
        ConfigError: a file of another runtime is given where a checkpoint is needed.
    """
    if made_by.source == "onnx" and weights.suffix == ".onnx":
        return SOURCES["onnx file"]
    reads_files = made_by.stored == ready.AS_READ or made_by.build.startswith("ready:")
    if made_by.source == "checkpoint" and weights.suffix in ready.SUFFIXES and not reads_files:
        raise ConfigError(
            f"{weights} is no checkpoint, and only a float .onnx can be quantized further, for ONNX Runtime and "
            f"OpenVINO; to run a file as it is, declare it with precisions='ready'"
        )
    return SOURCES.get(made_by.source)


def steps(made_by: Recipe) -> list[Recipe]:
    """A recipe and those that it builds upon, the last step first."""
    below = SOURCES.get(made_by.source)
    return [made_by, *(steps(below) if below else [])]


def recipe_names() -> set[str]:
    """Every precision that names its recipe, such as `int8:ultralytics`."""
    return {precision for name in backend_names() for _, precision in _recipes(name) if ":" in precision}


def _recipes(name: str) -> Table:
    """The recipes of a backend: the module of another package has its own, quantgate's are in this package."""
    return cast(Table, getattr(module_of(name), "RECIPES", RECIPES))


def _reasons(name: str) -> Mapping[tuple[str, ...], str]:
    module = module_of(name)
    return getattr(module, "REASONS", {}) if hasattr(module, "RECIPES") else REASONS
