"""One file per runtime. A backend is a module with the functions of `base.Backend`; its runtime loads on `open`.

Other packages bring theirs by an entry point of the group `quantgate.backends`: docs/backends.md.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from typing import Any, cast

from harness.backends.base import Backend
from harness.core.errors import ConfigError, first_line

BACKENDS = ("torch", "onnxruntime", "openvino", "litert", "tensorrt", "null")
"""quantgate's own. `null` runs scripted detections and needs no runtime: the mock that ships."""

GPU_ONLY = ("tensorrt",)
"""Their cells of device `cpu`, the default of a matrix, are cells of the first GPU, `cuda`."""

GROUP = "quantgate.backends"
PARTS = ("probe", "load", "open", "REFERENCE", "RECIPES")
"""What the module of another package has to have: a backend, and the recipes of its artifacts."""


def backend_names() -> tuple[str, ...]:
    """What a suite may name: quantgate's own backends, then those of other packages."""
    return (*BACKENDS, *sorted(registered()))


def backend(name: str) -> Backend:
    """The backend's module; importing it imports no runtime."""
    return cast(Backend, importlib.import_module(f"harness.backends.{name}") if name in BACKENDS else outside(name))


@functools.cache
def registered() -> dict[str, importlib.metadata.EntryPoint]:
    """The entry points of other packages by the name of their backend; nothing is imported."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name in (*BACKENDS, *found) or not point.name.isidentifier():
            raise ConfigError(
                f"{_package(point)} registers a backend {point.name!r}: the name is taken, or no identifier; "
                f"it needs another, or that package has to go"
            )
        found[point.name] = point
    return found


@functools.cache
def outside(name: str) -> Any:
    """The module of another package's backend.

    Raises:
        ConfigError: it cannot be imported, or lacks one of `PARTS`.
    """
    point = registered()[name]
    where = f"backend {name!r} of {_package(point)}"
    try:
        module = point.load()
    except Exception as error:  # whatever its import runs into
        raise ConfigError(f"{where} cannot be imported from {point.value}: {first_line(error)}") from None
    if absent := [part for part in PARTS if not hasattr(module, part)]:
        raise ConfigError(f"{where}: {point.value} has no {', '.join(absent)}; docs/backends.md says what that is")
    return module


def _package(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
