"""The backends by name. Every backend is an entry point of the group `quantgate.backends`, quantgate's own too."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.metadata import EntryPoint
from typing import Any, cast

from harness.backends.base import Backend
from harness.backends.moved import hint
from harness.core.errors import ConfigError, first_line

GROUP = "quantgate.backends"
"""The group of entry points in which a package registers its backends."""

PARTS = ("probe", "load", "open", "REFERENCE", "RECIPES")
"""What the module of another package must have: the parts of a `Backend`, and the recipes of its artifacts."""


def backend_names() -> tuple[str, ...]:
    """The backends that a suite may name: quantgate's own in alphabetical order, then those of other packages."""
    return tuple(registered())


def own_backends() -> tuple[str, ...]:
    """The backends that come with quantgate, among them `null`, the mock that needs no runtime."""
    return tuple(name for name, point in registered().items() if _is_own(point))


def backend(name: str) -> Backend:
    """Return the module of a backend. Importing it imports no runtime.

    Raises:
        ConfigError: no package registers the name, or its module cannot be imported or lacks one of `PARTS`.
    """
    return cast(Backend, backend_module(name))


@functools.cache
def registered() -> dict[str, EntryPoint]:
    """Return the entry point of every backend by the backend's name. Imports none of their modules.

    Raises:
        ConfigError: two packages register one name, or a name is not a Python identifier.
    """
    found: dict[str, EntryPoint] = {}
    points = importlib.metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda one: (not _is_own(one), one.name)):
        if point.name in found or not point.name.isidentifier():
            raise ConfigError(
                f"{_package(point)} registers a backend {point.name!r}: the name is taken, or it is no identifier; "
                f"uninstall the package, or install a version that names its backend otherwise"
            )
        found[point.name] = point
    return found


@functools.cache
def backend_module(name: str) -> Any:
    """Return the module of a backend, for callers that read more of it than `Backend` has. Raises as `backend` does."""
    if name not in registered():
        raise ConfigError(f"no installed package registers a backend {name!r}; `quantgate doctor` lists the backends")
    point = registered()[name]
    where = f"backend {name!r} of {_package(point)}"
    try:
        module = point.load()
    except Exception as error:  # whatever its import runs into
        reason = hint(error) or first_line(error)
        raise ConfigError(f"{where} cannot be imported from {point.value}: {reason}") from None
    absent = [part for part in PARTS if not hasattr(module, part)]
    if absent and not _is_own(point):
        raise ConfigError(f"{where}: {point.value} has no {', '.join(absent)}; docs/backends.md says what each is")
    return module


def _is_own(point: EntryPoint) -> bool:
    """Whether the backend comes with quantgate."""
    return point.value.startswith("harness.")


def _package(point: EntryPoint) -> str:
    """Name and version of the package that registers an entry point, for messages."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
