"""The suites that files declare, for commands that run outside pytest."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.commands import collect
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
    """Yield the suites of a file, or of every test file below a folder, each with its file.

    Files are found and imported as pytest does (`commands.collect`). A suite is a module-level variable. The file's
    code runs. A file that skips itself (`pytest.importorskip`) is passed over with a line on the standard error.

    Raises:
        ConfigError: a file cannot be run; the message names file and line.
    """
    known = collect.configuration(place)
    importer = collect.Importer(known)
    for file in collect.collected(place, known):
        yield from ((value, file) for value in _content(importer, file).values() if isinstance(value, Suite))


def _content(importer: collect.Importer, file: Path) -> Mapping[str, object]:
    """The module-level variables of a file; none where it skips itself, or where a conftest.py ignores it."""
    try:
        return importer.content(file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a suite file is anybody's code: it may also call sys.exit or pytest.fail
        said = " ".join(str(error).split()) or type(error).__name__
        if type(error).__name__ in ("Skipped", "SkipTest"):
            print(f"{file}: passed over, as pytest does: {said}", file=sys.stderr)
            return {}
        if isinstance(error, ConfigError):
            raise ConfigError(f"{file}: {error}") from None
        place = _place(error, file)
        raise ConfigError(f"{place}: {type(error).__name__}: {said[:300]}; `pytest {file}` shows all of it") from None


def _place(error: BaseException, file: Path) -> str:
    """File and line that an error comes from: the last that is the user's own, and no library's."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    above = file.resolve().parent
    own = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(above)] or [
        frame for frame in frames if Path(frame.filename).name == "conftest.py"
    ]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else str(file)
