"""The console script: runs a command of `harness/commands`, and makes one line and an exit code of what goes wrong."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from harness import __version__
from harness.commands import NAMES, completion
from harness.commands.base import EXITS, Exit, Formatter
from harness.errors import CellError, ConfigError, Unavailable

FIRST_STEPS = """First steps:
  quantgate doctor                            what this machine can run
  pytest suites/digits -n auto                run a suite; `pytest --help` lists quantgate's --qg- options
  pytest suites/digits -n auto --qg-baseline-update
                                              accept what it measures
  quantgate explain CELL                      where the accuracy of a cell went
  quantgate compare A B                       two results side by side
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    whole = parser()
    if "_ARGCOMPLETE" in os.environ:
        completion.complete(whole)
    options = whole.parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(f"quantgate: {error}", file=sys.stderr)
        return Exit.USAGE
    except (Unavailable, CellError) as error:
        print(f"quantgate: {error}", file=sys.stderr)
    except (
        BrokenPipeError,
        SystemExit,
    ):  # the reader has seen enough, as `| head` does; rich makes SystemExit(1) of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:  # a bug; Python's own exit code would read as a regression
        traceback.print_exc()
    return Exit.INFRASTRUCTURE


def parser() -> argparse.ArgumentParser:
    """The whole command line, with every command of `harness/commands`."""
    whole = argparse.ArgumentParser(
        "quantgate", description="A gate for quantized object detectors.", epilog=f"{FIRST_STEPS}\n{EXITS}",
        formatter_class=Formatter,
    )  # fmt: skip
    whole.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name in NAMES:
        importlib.import_module(f"harness.commands.{name}").add(commands)
    return whole


if __name__ == "__main__":
    sys.exit(main())
