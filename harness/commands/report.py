"""`quantgate report RESULTS`: writes the HTML report of a results file."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "report", run,
        summary="the HTML report of a results file: one file that opens anywhere",
        description="RESULTS is a results.json or the folder that holds one (.quantgate, or what CI kept of it). Where "
        "the run's detections still lie beside it, the report has pictures of what changed; everything else is in "
        "the file. Under pytest, --qg-html FILE writes the same report at the end of the run.",
        examples=["quantgate report .quantgate -o report.html", "quantgate report artifact/results.json"],
    )  # fmt: skip
    parser.add_argument("results", metavar="RESULTS", type=Path, help="a results.json, or the folder that holds it")
    parser.add_argument("--history", type=Path, help="the file of earlier runs (history.db beside the results)")
    parser.add_argument("-o", "--out", type=Path, default=Path("report.html"), help="the file to write (report.html)")


def run(options: argparse.Namespace) -> Exit:
    """Write the report, and print where it lies."""
    from harness.report.html import page
    from harness.store import trends

    if options.history:  # a damaged file that the user names is a mistake; one beside the results costs the history
        trends.known_cells(options.history)
    page.write_page(options.results, options.out, history=options.history)
    print(options.out)
    return Exit.FINE
