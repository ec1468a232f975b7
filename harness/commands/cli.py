"""The console script: runs a command of `harness/commands`, and makes one line and an exit code of what goes wrong."""

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
from harness.core.errors import CellError, ConfigError, Unavailable
from harness.core.version import __version__

INTERRUPTED = 128 + signal.SIGINT  # as shells have it

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
    except (BrokenPipeError, SystemExit):  # the reader has seen enough, as `| head`; rich then exits with 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return INTERRUPTED
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
