"""The recipe that makes a precision for a backend, or the reason why there is none.

A toolchain is one module of this package. It has the table `RECIPES` and the functions that the table names, and the
tables `REASONS` and `SOURCES` where it needs them. It imports its toolchain inside functions only. The registry reads
every module of this package, so that a new toolchain is a new file and no other change.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import harness.recipes
from harness.backends.base import require
from harness.backends.registry import backend_module, backend_names
from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable, Unsupported
from harness.recipes import ready
from harness.recipes.base import Recipe, Table

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int8-dynamic", "w8a16", "int8-qat", "ready")
"""The precisions without the names of recipes behind a colon, in the order in which matrices and tables list them."""


_MODULES = [
    importlib.import_module(f"harness.recipes.{module.name}")
    for module in pkgutil.iter_modules(harness.recipes.__path__)
    if module.name != "registry"
]
"""Every module of this package but this one, in alphabetical order."""


def _merged(name: str) -> dict[Any, Any]:
    """The union of the tables called `name` in all modules of this package."""
    return {key: value for module in _MODULES for key, value in getattr(module, name, {}).items()}


RECIPES: dict[tuple[str, str], Recipe] = _merged("RECIPES")
"""(backend, precision) → recipe, for the backends that ship with quantgate.

A backend of another package has the tables `RECIPES` and, where it needs one, `REASONS` in its own module.
"""

REASONS: dict[tuple[str, ...], str] = _merged("REASONS")
"""Why there is no recipe: (backend, precision) → reason, or (backend, precision, kind of device) → reason."""

SOURCES: dict[str, Recipe] = _merged("SOURCES")
"""Name in `Recipe.source` → recipe of the intermediate artifact that the other artifacts are made from."""

EXTRAS = {
    "openvino": "openvino",
    "nncf": "openvino",
    "torchao": "torch-int8",
    "nvidia-modelopt": "qat",
    "litert-torch": "litert",
    "ai-edge-litert": "litert",
    "ai-edge-quantizer": "litert",
}
"""Distribution → the pip extra of quantgate that installs it."""


def recipe(cell: Cell) -> Recipe:
    """The recipe of a cell.

    Raises:
        Unsupported: the backend cannot run this precision on this device, or this version of quantgate cannot make it.
        Unavailable: a tool for building it is not installed, or an int8-qat cell does not say how it is trained.
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
    """The recipe of the intermediate artifact that `made_by` starts from; None where it starts from the weights.

    Weights that are a float `.onnx` file take the place of the exported graph.

    Raises:
        ConfigError: `weights` is a file for a runtime, and the recipe needs a checkpoint.
    """
    suffix = weights.suffix.lower()
    if made_by.source == "onnx" and suffix == ".onnx":
        return SOURCES["onnx file"]
    reads_files = made_by.stored == ready.AS_READ or made_by.build.startswith("ready:")
    if made_by.source == "checkpoint" and suffix in ready.SUFFIXES and not reads_files:
        raise ConfigError(
            f"{weights} is no checkpoint, and only a float .onnx can be quantized further, for ONNX Runtime and "
            f"OpenVINO; to run a file as it is, declare it with precisions='ready'"
        )
    return SOURCES.get(made_by.source)


def steps(made_by: Recipe) -> list[Recipe]:
    """The recipe and the recipes of the intermediate artifacts below it, from the last step to the first."""
    below = SOURCES.get(made_by.source)
    return [made_by, *(steps(below) if below else [])]


def recipe_names() -> set[str]:
    """Every precision of any backend that names its recipe, such as `int8:ultralytics`."""
    return {precision for name in backend_names() for _, precision in _recipes(name) if ":" in precision}


def _recipes(name: str) -> Table:
    """The recipes of a backend: its own module's, or quantgate's table for a backend that ships with quantgate."""
    return cast(Table, getattr(backend_module(name), "RECIPES", RECIPES))


def _reasons(name: str) -> Mapping[tuple[str, ...], str]:
    """The reasons of a backend, from where its recipes are."""
    module = backend_module(name)
    return getattr(module, "REASONS", {}) if hasattr(module, "RECIPES") else REASONS
