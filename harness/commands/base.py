"""What every command shares: exit codes, and a parser whose help ends in examples."""

from __future__ import annotations

import argparse
import contextlib
import json
import textwrap
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Exit(IntEnum):
    """Exit codes of `quantgate`; pytest keeps its own."""

    FINE = 0
    REGRESSION = 1  # something failed its gate
    USAGE = 2  # the command line or a file that it names is wrong
    INFRASTRUCTURE = 3  # this machine cannot: a package, a download, a child process, or quantgate itself failed
    INCONCLUSIVE = 4  # the data cannot decide; only where asked for


EXITS = """Exit codes:
  0  fine
  1  regression: a gate is failed
  2  usage: the command line, or a file that it names, is wrong
  3  infrastructure: this machine cannot run it, or something broke on the way
  4  inconclusive: the data cannot decide; only where an option asks for it"""


class Formatter(argparse.HelpFormatter):
    """Prose is wrapped, indented lines stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        kept = [
            line if line.startswith(" ") else textwrap.fill(line, width, initial_indent=indent)
            for line in text.splitlines()
        ]
        return "\n".join(kept)


def completed_cells(**asked: Any) -> list[str]:
    """Ids that the current folder knows, for a shell that completes: nothing slow, nothing that runs a suite."""
    found = {file.stem for file in Path("baselines").glob("*/*/*/*.json")}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # TAB is no place to complain
        found |= {cell["id"] for cell in json.loads(Path(".quantgate/results.json").read_text())["cells"]}
    return sorted(found)


def add_cell(parser: argparse.ArgumentParser, name: str = "cell", **options: Any) -> None:
    """An argument that names a cell, and that shells complete."""
    wanted = parser.add_argument(name, **{"metavar": "CELL", "help": "its id, as table and tests name it", **options})
    wanted.completer = completed_cells  # type: ignore[attr-defined]  # argcomplete's


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Register a command. `summary` is its line in `quantgate --help`, `examples` are whole command lines."""
    shown = "\n".join(f"  {line}" for line in examples)
    parser = commands.add_parser(
        name, help=summary, description=description, epilog=f"Examples:\n{shown}", formatter_class=Formatter
    )
    parser.set_defaults(run=run)
    return parser
