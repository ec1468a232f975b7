"""`quantgate compare A B`: two results, or two folders of baselines, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "compare", run,
        summary="two results or baseline folders side by side; exit 1 on a regression",
        description="A and B are each a results.json, a results folder (.quantgate) or a baselines folder. "
        "B is judged against A by the baseline gates of B's own suites; a suite without any by: mAP −0.002, "
        "size +1 %.",
        examples=[
            "quantgate compare baselines .quantgate",
            "quantgate compare main/results.json branch/results.json --inconclusive fail",
        ],
    )  # fmt: skip
    parser.add_argument("a", metavar="A", type=Path, help="what was accepted")
    parser.add_argument("b", metavar="B", type=Path, help="what is new")
    parser.add_argument(
        "--inconclusive", choices=("pass", "fail"), default="pass",
        help="`fail`: exit 4 where a verdict cannot be decided, or there is nothing to compare with (pass)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> Exit:
    """Print both sides in one table, and return whether B is worse than A."""
    from rich.console import Console

    from harness.commands.compare import side_by_side
    from harness.core.status import FAILING, UNDECIDED
    from harness.report.common.tables import draw, fitted

    sides = [side_by_side.load_side(source) for source in (options.a, options.b)]
    rows = side_by_side.compare_results(*sides)
    console = Console()
    for part in draw(fitted(side_by_side.comparison_sheet(rows), console.width), console.width):
        console.print(part)
    for side in sides:
        if side.age:
            console.print(side.age, soft_wrap=True)
    for row in rows:
        if row.detail:
            console.print(f"{'/'.join(row.key)}: {row.detail}", soft_wrap=True)
    if any(row.status in FAILING for row in rows):
        return Exit.REGRESSION
    undecided = options.inconclusive == "fail" and any(row.status in UNDECIDED for row in rows)
    return Exit.INCONCLUSIVE if undecided else Exit.FINE
