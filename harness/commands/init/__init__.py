"""`quantgate init [DIR]`: a starter suite and a CI workflow in a user's own repository."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command
from harness.core.errors import ConfigError

NEXT = """
Next{where}:
  pytest suites -n auto --qg-baseline-update    measure the bundled model, and accept that as the baseline
  pytest suites -n auto --qg-require-baseline   measure it again, and fail where anything got worse: the gate
then commit, and put your own weights and data into suites/starter/test_starter.py."""
"""What to do next, for the end of the output."""


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "init", run,
        summary="a starter suite, a CI workflow and their folders, for a repository of your own",
        description="Writes suites/starter/test_starter.py, .github/workflows/quantgate.yml, baselines/ and a line of "
        ".gitignore, and says what to do next. What is there already is left as it is, and named.",
        examples=["quantgate init", "quantgate init ~/detector"],
    )  # fmt: skip
    parser.add_argument("dir", metavar="DIR", nargs="?", type=Path, default=Path(), help="the repository (this folder)")


def run(options: argparse.Namespace) -> Exit:
    """Write the files that are not there yet, and say what to do next."""
    from harness.commands.init import scaffold

    if options.dir.exists() and not options.dir.is_dir():
        raise ConfigError(f"{options.dir} is no folder; name the folder of a repository")
    for line in scaffold.write_starter(options.dir):
        print(line)
    root = options.dir.resolve()
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        print("this is no git repository yet: baselines are meant to be committed (git init)")
    where = "" if root == Path.cwd() else f", in {options.dir}"
    print(NEXT.format(where=where))
    return Exit.FINE
