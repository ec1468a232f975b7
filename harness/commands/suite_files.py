"""The suites that files declare, for commands that run outside pytest."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

from harness.core.cell import Cell
from harness.core.errors import ConfigError, nearest
from harness.core.suite import Suite


def find(name: str, place: Path) -> tuple[Suite, Path, Cell]:
    """The suite that declares a cell, the folder of the suite's file, and the cell.

    Args:
        name: the id of the cell.
        place: a suite file, or a folder that is searched with all folders below it.

    Raises:
        ConfigError: no suite there has such a cell, several have one, or a file cannot be read.
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
    """Yield the suites of a file, or of every `test_*.py` below a folder, each with its file.

    A suite is a module-level variable, as pytest collects it. The file's code runs.

    Raises:
        ConfigError: a file cannot be run.
    """
    for file in [place] if place.is_file() else sorted(place.rglob("test_*.py")):
        try:
            content = runpy.run_path(str(file))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        except Exception as error:  # a suite file is anybody's code
            raise ConfigError(f"{file} cannot be read: {type(error).__name__}: {error}") from None
        yield from ((value, file) for value in content.values() if isinstance(value, Suite))
