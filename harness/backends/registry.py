"""The backends by name. Every backend is an entry point of the group `quantgate.backends`, quantgate's own too."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.metadata import EntryPoint
from typing import Any, cast

from harness.backends.base import Backend
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
    return tuple(_own())


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
    found = dict(_own())
    others = [point for point in importlib.metadata.entry_points(group=GROUP) if point not in found.values()]
    for point in sorted(others, key=lambda one: one.name):
        if point.name in found or not point.name.isidentifier():
            raise ConfigError(
                f"{_package(point)} registers a backend {point.name!r}: the name is taken, or it is no identifier; "
                f"uninstall the package, or install a version that names its backend otherwise"
            )
        found[point.name] = point
    return found


@functools.cache
def backend_module(name: str) -> Any:
    """Return the module of a backend, for callers that read more of it than `Backend` has. Raises as `backend` does.

    A process that measures asks for one of quantgate's own: it does not look through every installed package.
    """
    point = _own().get(name) or registered().get(name)
    if point is None:
        raise ConfigError(f"no installed package registers a backend {name!r}; `quantgate doctor` lists the backends")
    where = f"backend {name!r} of {_package(point)}"
    try:
        module = point.load()
    except Exception as error:  # whatever its import runs into
        from harness.backends.moved import hint  # a table that only a failed import needs

        reason = hint(error) or first_line(error)
        raise ConfigError(f"{where} cannot be imported from {point.value}: {reason}") from None
    absent = [part for part in PARTS if not hasattr(module, part)]
    if absent and name not in _own():
        raise ConfigError(f"{where}: {point.value} has no {', '.join(absent)}; docs/backends.md says what each is")
    return module


@functools.cache
def _own() -> dict[str, EntryPoint]:
    """The entry points of quantgate's own backends by name, in alphabetical order."""
    try:
        points = importlib.metadata.distribution("quantgate").entry_points.select(group=GROUP)
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {point.name: point for point in sorted(points, key=lambda one: one.name)}


def _package(point: EntryPoint) -> str:
    """Name and version of the package that registers an entry point, for messages."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
