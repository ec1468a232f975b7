"""The console script `quantgate`: runs one command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from harness.commands import NAMES, completion
from harness.commands.base import EXITS, Exit, Formatter
from harness.core.errors import QuantgateError
from harness.core.version import __version__

INTERRUPTED = 128 + signal.SIGINT  # the exit code that shells give to a process that Ctrl-C has ended

FIRST_STEPS = """First steps:
  quantgate init                              a starter suite, a workflow for CI
  quantgate doctor                            what this machine can run
  pytest suites -n auto --qg-baseline-update  measure, and accept it as baseline
  pytest suites -n auto                       measure again, and judge: the gate
  quantgate explain CELL                      where its accuracy went
  quantgate history CELL                      when its numbers changed
  quantgate baseline accept RESULTS --reason TEXT
                                              accept what CI has measured
`pytest --help` lists the options of a run (--qg-…), `quantgate COMMAND --help` has examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    `arguments` are the words after `quantgate`; None: the words that this process was started with. A QuantgateError is
    one line on stderr and ends with its own exit code. Any other exception is a bug: it ends with 3 and a traceback,
    since Python's own exit code 1 would read as a regression.

    Raises:
        SystemExit: argparse printed the help (0), or does not understand the arguments (2).
    """
    whole = parser()
    if "_ARGCOMPLETE" in os.environ:
        completion.complete(whole)
    options = whole.parse_args(arguments)
    try:
        return int(options.run(options))
    except QuantgateError as error:
        print(f"quantgate: {error}", file=sys.stderr)
        return error.exit_code
    except (BrokenPipeError, SystemExit):  # a reader such as `head` has seen enough; rich then exits with 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
    return Exit.INFRASTRUCTURE


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, with every command of `NAMES`."""
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
