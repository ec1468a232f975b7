"""The backends by name. Each is an entry point of the group `quantgate.backends`, quantgate's own like anyone's."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.metadata import EntryPoint
from typing import Any, cast

from harness.backends.base import Backend
from harness.backends.moved import hint
from harness.core.errors import ConfigError, first_line

GROUP = "quantgate.backends"
PARTS = ("probe", "load", "open", "REFERENCE", "RECIPES")
"""What the module of another package has to have: a backend, and the recipes of its artifacts."""


def backend_names() -> tuple[str, ...]:
    """The names that a suite may use: quantgate's own backends, then the backends of other packages."""
    return tuple(registered())


def own_backends() -> tuple[str, ...]:
    """The backends that come with quantgate. `null` runs scripted detections and needs no runtime: the mock."""
    return tuple(name for name, point in registered().items() if _is_own(point))


def backend(name: str) -> Backend:
    """The module of a backend. Importing it imports no runtime.

    Raises:
        ConfigError: no package registers the name, its module cannot be imported, or lacks one of `PARTS`.
    """
    return cast(Backend, module_of(name))


@functools.cache
def registered() -> dict[str, EntryPoint]:
    """The entry points by the name of their backend; nothing is imported.

    Raises:
        ConfigError: two packages register one name, or a name is no identifier.
    """
    found: dict[str, EntryPoint] = {}
    points = importlib.metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda one: (not _is_own(one), one.name)):
        if point.name in found or not point.name.isidentifier():
            raise ConfigError(
                f"{_package(point)} registers a backend {point.name!r}: the name is taken, or no identifier; "
                f"it needs another, or that package has to go"
            )
        found[point.name] = point
    return found


@functools.cache
def module_of(name: str) -> Any:
    """The module of a backend, checked; raises as `backend` does."""
    if name not in registered():
        raise ConfigError(f"no installed package registers a backend {name!r}; `quantgate doctor` lists the backends")
    point = registered()[name]
    where = f"backend {name!r} of {_package(point)}"
    try:
        module = point.load()
    except Exception as error:  # whatever its import runs into
        said = hint(error) or first_line(error)
        raise ConfigError(f"{where} cannot be imported from {point.value}: {said}") from None
    absent = [part for part in PARTS if not hasattr(module, part)]
    if absent and not _is_own(point):
        raise ConfigError(f"{where}: {point.value} has no {', '.join(absent)}; docs/backends.md says what that is")
    return module


def _is_own(point: EntryPoint) -> bool:
    return point.value.startswith("harness.")


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
