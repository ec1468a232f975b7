"""`quantgate baseline list|show|accept|prune`: the committed baselines."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError, nearest


def add(commands: Commands) -> None:
    parser = command(
        commands, "baseline", run_list,
        summary="the committed baselines: list them, accept results from elsewhere, drop what no suite has",
        description="Baselines are files in git, one for each cell, phase and kind of machine. A run with "
        "--qg-baseline-update accepts what it measures; `accept` does so with results that another machine wrote.",
        examples=["quantgate baseline list", "quantgate baseline accept ci/results.json --reason 'OpenVINO 2026.0'"],
    )  # fmt: skip
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    added = (_add_list(actions), _add_show(actions), _add_accept(actions), _add_prune(actions))
    for action in added:
        action.add_argument("--baselines", type=Path, default=Path("baselines"), help="their folder (baselines)")


def _add_list(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "list", run_list,
        summary="every file: machine, date, values, level, anchor, reason",
        description="`when` is the day of the last occasion of a gated latency, else of the last commit. `× network` "
        "is the level of a gated latency, against the reference network, `processes` how many on how many occasions "
        "say so.",
        examples=["quantgate baseline list", "quantgate baseline list --suite digits -k 'int8 and not torch'"],
    )  # fmt: skip
    _add_selection(parser)
    return parser


def _add_show(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "show", run_show,
        summary="everything that the files of a cell hold",
        description="Metrics, classes, samples in brief, and everything they were measured with, for every machine.",
        examples=["quantgate baseline show yolo26n-digits-int8-openvino-cpu"],
    )  # fmt: skip
    add_cell(parser)
    return parser


def _add_accept(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "accept", run_accept,
        summary="make the measurements of a results.json the baselines",
        description="Writes what --qg-baseline-update would have written on the machine that measured, keyed by that "
        "machine, with the reason in every file that changes. A cell that failed or did not finish is refused. The "
        "processes that judge latency are recorded by runs with --qg-baseline-update alone; what other runs say of the "
        "latency of a cell with such a gate is left out.",
        examples=[
            "quantgate baseline accept ci/results.json --reason 'new calibration set, #12' --dry-run",
            "quantgate baseline accept ci/results.json --reason 'OpenVINO 2026.0' --suite digits -k openvino",
        ],
    )  # fmt: skip
    parser.add_argument("results", metavar="RESULTS", type=Path, help="a results.json, or its folder")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; a reviewer reads it in the files")
    parser.add_argument("--dry-run", action="store_true", help="say what would change and write nothing")
    _add_selection(parser)
    return parser


def _add_prune(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "prune", run_prune,
        summary="remove baselines and anchors of cells that the suites do not declare any more",
        description="Says what it would remove, and removes it with --yes. Files of a suite that is not there at all "
        "are kept, since it may lie elsewhere.",
        examples=["quantgate baseline prune", "quantgate baseline prune --yes --whole-suites"],
    )  # fmt: skip
    parser.add_argument("--suite", type=Path, default=Path("suites"), help="file or folder of suites (suites)")
    parser.add_argument("--whole-suites", action="store_true", help="remove those of suites that are not there too")
    parser.add_argument("--yes", action="store_true", help="do it")
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", default="", metavar="NAME", help="only this suite's")
    parser.add_argument(
        "-k",
        dest="expression",
        default="",
        metavar="WORDS",
        help="only cells whose id has these words: 'int8 and not torch'",
    )


def run_list(options: argparse.Namespace) -> Exit:
    from rich.console import Console

    from harness.commands.selection import selector
    from harness.report.terminal import baselines
    from harness.store import inventory

    chosen = selector(options.expression)
    entries = [
        one
        for one in inventory.entries(options.baselines)
        if options.suite in ("", one.file.suite) and chosen(one.file.cell)
    ]
    if not entries:
        raise ConfigError(f"{options.baselines} has no such baseline; `quantgate baseline list` shows all")
    console = Console(highlight=False, markup=False)
    for table in baselines.listings(entries):
        console.print(table)
    return Exit.FINE


def run_show(options: argparse.Namespace) -> Exit:
    from rich.console import Console

    from harness.report.terminal import baselines
    from harness.store import inventory

    known = inventory.entries(options.baselines)
    entries = [one for one in known if one.file.cell == options.cell]
    if not entries:
        hint = nearest(options.cell, {one.file.cell for one in known})
        raise ConfigError(f"{options.baselines} has no baseline of {options.cell!r}; {hint}")
    console = Console(highlight=False, markup=False)
    for entry in entries:
        for part in baselines.whole(entry):
            console.print(part, soft_wrap=isinstance(part, str))
    return Exit.FINE


def run_accept(options: argparse.Namespace) -> Exit:
    from rich.console import Console

    from harness.commands.selection import selector
    from harness.report.terminal import baselines
    from harness.store import accept

    if not options.reason.strip():
        raise ConfigError("--reason is empty; say in a few words why these numbers are right")
    chosen = selector(options.expression)
    offer = accept.offer(
        options.results, options.baselines,
        lambda result: options.suite in ("", result.suite) and chosen(result.id), options.reason.strip(),
    )  # fmt: skip
    console = Console(highlight=False, markup=False)
    for table in baselines.change_tables(offer.changes):
        console.print(table)
    for line in (*(f"left as it is: {left}" for left in offer.left), *offer.warnings):
        console.print(line, style="yellow", soft_wrap=True)
    needed = [change for change in offer.changes if change.needed]
    if not options.dry_run:
        for change in needed:
            change.write()
    tally = (
        f"{len(needed)} {'to write' if options.dry_run else 'written'}, {len(offer.changes) - len(needed)} unchanged"
    )
    console.print(f"baselines: {tally}, in {options.baselines}; because: {options.reason.strip()}", soft_wrap=True)
    return Exit.FINE


def run_prune(options: argparse.Namespace) -> Exit:
    from harness.commands import suite_files
    from harness.store import inventory

    if not options.baselines.is_dir():
        raise ConfigError(f"{options.baselines} is no folder of baselines; name it with --baselines")
    suites = [suite for suite, _ in suite_files.declared(options.suite)]
    if not suites:
        raise ConfigError(f"{options.suite} declares no suite; name its file or folder with --suite")
    files = inventory.unwanted(options.baselines, suites)
    foreign = inventory.undeclared(options.baselines, {suite.name for suite in suites})
    if options.whole_suites:
        files += foreign
    elif foreign:
        names = ", ".join(sorted({file.suite for file in foreign}))
        print(
            f"kept: {len(foreign)} baselines of suites that {options.suite} does not declare ({names}): --whole-suites"
        )
    for file in files:
        print(f"{'removed' if options.yes else 'to remove'}: {file.path}")
        if options.yes:
            file.path.unlink()
    if not files:
        print("every other baseline is of a cell that a suite declares")
    elif not options.yes:
        print(f"nothing is removed yet: {len(files)} files; do it with --yes")
    return Exit.FINE
