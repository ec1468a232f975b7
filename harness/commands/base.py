"""What every command uses: exit codes, a parser whose help ends in examples, and arguments that shells complete."""

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
    """Exit codes of `quantgate`; pytest keeps its own codes."""

    FINE = 0
    REGRESSION = 1  # something failed its gate
    USAGE = 2  # the command line or a file that it names is wrong
    INFRASTRUCTURE = 3  # this machine cannot do it: a package, a download, a child process or quantgate itself failed
    INCONCLUSIVE = 4  # the data cannot decide; only where an option asks for it


EXITS = """Exit codes:
  0  fine
  1  regression: a gate is failed
  2  usage: the command line, or a file that it names, is wrong
  3  infrastructure: this machine cannot run it, or something broke on the way
  4  inconclusive: the data cannot decide; only where an option asks for it"""
"""`Exit` for the end of `quantgate --help`."""


class Formatter(argparse.HelpFormatter):
    """Wraps prose to the width of the terminal and leaves indented lines as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        kept = [
            line if line.startswith(" ") else textwrap.fill(line, width, initial_indent=indent)
            for line in text.splitlines()
        ]
        return "\n".join(kept)


def completed_cells(**asked: Any) -> list[str]:
    """The ids of cells that a shell may complete, sorted.

    They come from `.quantgate/results.json` and `baselines/` in this folder. No suite is run, because a user waits at
    every TAB. A broken file has no cells. argcomplete passes `asked`, which is not needed.
    """
    found = {file.stem for file in Path("baselines").glob("*/*/*/*.json")}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # TAB is no place to complain
        found |= {cell["id"] for cell in json.loads(Path(".quantgate/results.json").read_text())["cells"]}
    return sorted(found)


def add_cell(parser: argparse.ArgumentParser, name: str = "cell", **options: Any) -> None:
    """Add an argument that names a cell and that shells complete; `options` go to `add_argument`."""
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
    """Register a command, and return its parser, to which the caller adds arguments.

    Args:
        commands: the parsers that `quantgate` or a command with actions has so far.
        name: the word that the user types.
        run: does the work with the parsed options; returns the exit code.
        summary: the command's line in the help of what it belongs to.
        description: prose for its own help.
        examples: whole command lines for the end of its own help.
    """
    shown = "\n".join(f"  {line}" for line in examples)
    parser = commands.add_parser(
        name, help=summary, description=description, epilog=f"Examples:\n{shown}", formatter_class=Formatter
    )
    parser.set_defaults(run=run)
    return parser
