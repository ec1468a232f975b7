"""Suites as files, for commands that run outside pytest."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

from harness.core.cell import Cell
from harness.core.errors import ConfigError, nearest
from harness.core.suite import Suite


def find(name: str, place: Path) -> tuple[Suite, Path, Cell]:
    """The suite that declares a cell of this id, in a file or below a folder; the folder of its file, and the cell.

    Raises:
        ConfigError: no suite there has it, or several have.
    """
    known: dict[str, list[tuple[Suite, Path, Cell]]] = {}
    for suite, file in declared(place):
        for cell in suite.cells:
            known.setdefault(cell.id, []).append((suite, file.parent, cell))
    if not known:
        raise ConfigError(f"{place} declares no suite; name its file or folder with --suite")
    if name not in known:
        raise ConfigError(f"no suite in {place} has a cell {name!r}; {nearest(name, known)}")
    if len(known[name]) > 1:
        suites = ", ".join(suite.name for suite, _, _ in known[name])
        raise ConfigError(f"several suites have a cell {name!r} ({suites}): name one's file with --suite")
    return known[name][0]


def declared(place: Path) -> Iterator[tuple[Suite, Path]]:
    """Module-level suites of the files that pytest would collect."""
    for file in [place] if place.is_file() else sorted(place.rglob("test_*.py")):
        try:
            content = runpy.run_path(str(file))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        except Exception as error:  # a suite file is anybody's code
            raise ConfigError(f"{file} cannot be read: {type(error).__name__}: {error}") from None
        yield from ((value, file) for value in content.values() if isinstance(value, Suite))
