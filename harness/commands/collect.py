"""The files that pytest would collect below a folder, and their content imported as pytest imports it."""

from __future__ import annotations

import configparser
import fnmatch
import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = ("test_*.py", "*_test.py")  # python_files, where no configuration says otherwise
PRUNED = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")  # norecursedirs
SECTIONS = {
    "pytest.toml": "pytest", ".pytest.toml": "pytest", "pytest.ini": "pytest", ".pytest.ini": "pytest",
    "pyproject.toml": "tool.pytest.ini_options", "tox.ini": "pytest", "setup.cfg": "tool:pytest",
}  # fmt: skip
"""File of pytest's configuration → its section, in the order in which pytest looks."""


@dataclass(frozen=True)
class Collection:
    """What pytest's configuration says about test files."""

    root: Path  # the folder of the configuration, or of the tests without one
    files: tuple[str, ...] = FILES
    pruned: tuple[str, ...] = PRUNED
    path: tuple[str, ...] = ()  # `pythonpath`: folders that are importable, relative to `root`


def configuration(place: Path) -> Collection:
    """The configuration of the nearest folder, at or above `place`, that has one."""
    start = place.resolve()
    folders = [start, *start.parents] if start.is_dir() else list(start.parents)
    for folder in folders:
        for name, section in SECTIONS.items():
            found = _section(folder / name, section)
            if found is not None:
                return Collection(
                    folder,
                    _words(found.get("python_files")) or FILES,
                    _words(found.get("norecursedirs")) or PRUNED,
                    _words(found.get("pythonpath")),
                )
    return Collection(folders[0])


def _section(file: Path, section: str) -> dict[str, Any] | None:
    """The entries of a section; None where the file or the section is not there. A pytest.ini always has one."""
    if not file.is_file():
        return None
    try:
        if file.suffix == ".toml":
            toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
            content: Any = toml.loads(file.read_text(encoding="utf-8"))
            for word in section.split("."):
                content = (content or {}).get(word)
            return content if isinstance(content, dict) else None
        parser = configparser.ConfigParser(interpolation=None, allow_no_value=True)
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):  # pytest itself will say so
        return None
    if section in parser:
        return dict(parser[section])
    return {} if file.name.endswith("pytest.ini") else None


def _words(value: Any) -> tuple[str, ...]:
    """An entry that is a list, or text with spaces or line breaks between its words."""
    return tuple(map(str, value)) if isinstance(value, list) else tuple(str(value or "").split())


def collected(place: Path, known: Collection) -> list[Path]:
    """The file itself, or the test files below a folder, sorted, as pytest finds them by their names."""
    if place.is_file():
        return [place]
    found: list[Path] = []
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in sorted(folders) if not _pruned(Path(folder, name), known.pruned)]
        found += [Path(folder, name) for name in names if _matches(Path(folder, name), known.files)]
    return sorted(found)


def _pruned(folder: Path, patterns: Sequence[str]) -> bool:
    """Whether pytest does not look into a folder: by its name, or since it is a virtual environment."""
    return _matches(folder, patterns) or (folder / "pyvenv.cfg").is_file() or folder.name == "__pycache__"


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits the name, or the whole path for a pattern with a slash."""
    whole = path.resolve().as_posix()
    return any(fnmatch.fnmatch(whole if "/" in one else f"/{path.name}", f"*/{one}") for one in patterns)


class Importer:
    """Imports test files as pytest does by default: what lies beside them and their conftest.py can be imported."""

    def __init__(self, known: Collection) -> None:
        self._known = known
        self._conftests: dict[Path, dict[str, Any]] = {}  # content of a conftest.py by its folder
        for folder in reversed(known.path):
            _importable(known.root / folder)

    def content(self, file: Path) -> dict[str, Any]:
        """The module-level variables of a file; none where a conftest.py ignores it.

        The file's code runs, after the code of every conftest.py above it.
        """
        whole = file.resolve()
        for conftest in self._above(whole):
            if conftest.parent not in self._conftests:
                self._conftests[conftest.parent] = _module("conftest", conftest)
        if self._ignored(whole):
            return {}
        root = _importable(_base(whole))
        if root != whole.parent:  # the file is in a package, and may import relatively
            return vars(importlib.import_module(".".join(whole.relative_to(root).with_suffix("").parts)))
        return runpy.run_path(str(file), run_name=file.stem)

    def _above(self, file: Path) -> Iterator[Path]:
        """The conftest.py files of the folders from the root of the configuration down to the file's own."""
        for folder in reversed(file.parents):
            if folder.is_relative_to(self._known.root) and (folder / "conftest.py").is_file():
                yield folder / "conftest.py"

    def _ignored(self, whole: Path) -> bool:
        """Whether a conftest.py that was imported ignores the file: `collect_ignore` and `collect_ignore_glob`."""
        for folder, content in self._conftests.items():
            named = [folder / str(one) for one in content.get("collect_ignore", ())]
            globs = [str(folder / str(one)) for one in content.get("collect_ignore_glob", ())]
            if any(whole == one or one in whole.parents for one in named):
                return True
            if any(fnmatch.fnmatch(str(whole), one) for one in globs):
                return True
        return False


def _base(file: Path) -> Path:
    """The first folder above a file that is no package: pytest makes it importable."""
    return next(folder for folder in file.parents if not (folder / "__init__.py").exists())


def _importable(folder: Path) -> Path:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return folder


def _module(name: str, file: Path) -> dict[str, Any]:
    """Run a file as the module `name`, which others can then import."""
    _importable(_base(file))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return vars(module)
