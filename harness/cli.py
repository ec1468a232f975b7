"""`quantgate doctor` and `quantgate compare`. Exit codes: 0 fine, 1 regression, 2 usage or unreadable input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import __version__
from harness.errors import ConfigError

EPILOG = """Suites run under pytest: `pytest suites/digits -n auto`; `pytest --help` lists quantgate's --qg- options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    parser = argparse.ArgumentParser("quantgate", description="A gate for quantized object detectors.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what this machine can run, and where weights and data are looked for")
    doctor.set_defaults(run=lambda options: run_doctor())
    comparing = commands.add_parser(
        "compare", help="two results or baseline folders side by side; exit 1 on a regression",
        description="A and B are each a results.json, a results folder (.quantgate) or a baselines folder. "
        "B is judged against A by B's own baseline gates, else by: mAP −0.002, size +1 %%.",
    )  # fmt: skip
    comparing.add_argument("a", metavar="A", type=Path, help="what was accepted")
    comparing.add_argument("b", metavar="B", type=Path, help="what is new")
    comparing.set_defaults(run=lambda options: run_compare(options.a, options.b))
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(f"quantgate: {error}", file=sys.stderr)
        return 2


def run_doctor() -> int:
    from rich.console import Console

    from harness import doctor

    console = Console()
    console.print(doctor.machine_table())
    console.print(doctor.ability_table(doctor.abilities()))
    return 0


def run_compare(a: Path, b: Path) -> int:
    from rich.console import Console

    from harness import compare
    from harness.types import FAILING

    rows = compare.compare(compare.load(a), compare.load(b), compare.gates(b))
    console = Console()
    console.print(compare.table(rows))
    for row in rows:
        if row.detail:
            console.print(f"{'/'.join(row.key)}: {row.detail}", soft_wrap=True)
    return 1 if any(row.status in FAILING for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
