"""`quantgate history CELL | list | import RESULTS`: what earlier runs measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError

SHOWN = ("map", "size_bytes", "cpu_ratio", "latency_p50_ms")
"""The metrics whose trends are drawn where no option names others."""


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "history", run,
        summary="what earlier runs measured: the trend of a cell, and where its level changed",
        description="Every run is appended to .quantgate/history.db (--qg-history names another file, or `off`). "
        "`history CELL` draws the metrics of a cell with their change points, and names the commit and the versions "
        "that changed there. `history list` lists the runs. `history import` adds the runs of results.json files, from "
        "CI for instance; a run that is there already is left alone.",
        examples=[
            "quantgate history yolo26n-digits-int8-openvino-cpu",
            "quantgate history yolo26n-digits-int8-openvino-cpu --metric map --metric map_small",
            "quantgate history list",
            "quantgate history import artifacts/*/results.json",
        ],
    )  # fmt: skip
    add_cell(parser, "what", metavar="CELL | list | import", help="the id of a cell, or one of the two words")
    parser.add_argument(
        "files",
        metavar="RESULTS",
        nargs="*",
        type=Path,
        help="for `import`: results.json files, or folders that hold one",
    )
    parser.add_argument("--metric", action="append", help=f"draw this one, repeatable ({', '.join(SHOWN)})")
    parser.add_argument("--suite", default="", help="only cells of this suite")
    parser.add_argument("--db", type=Path, default=Path(".quantgate/history.db"), help="the history file (%(default)s)")


def run(options: argparse.Namespace) -> Exit:
    """Import results, list the runs, or draw the trends of a cell."""
    if options.files and options.what != "import":
        raise ConfigError(f"only `history import` takes files: {options.files[0]}")
    if options.what == "import":
        return _import(options.db, options.files)
    from rich.console import Console

    from harness.report.terminal import trend
    from harness.store import trends

    console = Console(highlight=False, markup=False)
    if options.what == "list":
        console.print(trend.runs_table(trends.known_runs(options.db)))
        return Exit.FINE
    drawn = 0
    for metric in options.metric or SHOWN:
        for one in trends.trend(options.db, options.what, metric, options.suite):
            for part in trend.render_trend(one, console.width):
                console.print(part)
            drawn += 1
    if not drawn:
        raise ConfigError(f"no run of {options.what} in {options.db} has {' or '.join(options.metric or SHOWN)}")
    return Exit.FINE


def _import(db: Path, files: list[Path]) -> Exit:
    """Add the runs of results.json files, or of the folders that hold them, to the history file `db`."""
    from harness.store import history_db
    from harness.store.results import results_file

    if not files:
        raise ConfigError("history import takes results: quantgate history import artifacts/*/results.json")
    for file in map(results_file, files):
        print(f"{file}: {'imported' if history_db.add_file(db, file) else 'is there already'}")
    return Exit.FINE
