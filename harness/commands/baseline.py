"""`quantgate baseline list|show|accept|prune`: the committed baselines."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError, nearest


def add(commands: Commands) -> None:
    """Register the command and its four actions."""
    parser = command(
        commands, "baseline", run_list,
        summary="the committed baselines: list them, accept results from elsewhere, remove what no suite declares",
        description="Baselines are files in git, one for each cell, phase and kind of machine. A run with "
        "--qg-baseline-update accepts what it measures; `accept` accepts results that another machine wrote.",
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
        "is the CPU time of a gated latency as a ratio to the reference network, `processes` the number of processes "
        "and of occasions that it was measured by.",
        examples=["quantgate baseline list", "quantgate baseline list --suite digits -k 'int8 and not torch'"],
    )  # fmt: skip
    _add_selection(parser)
    return parser


def _add_show(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "show", run_show,
        summary="everything that the baseline files of a cell hold",
        description="Metrics, classes, samples in brief and everything that they were measured with, for every kind of "
        "machine.",
        examples=["quantgate baseline show yolo26n-digits-int8-openvino-cpu"],
    )  # fmt: skip
    add_cell(parser)
    return parser


def _add_accept(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "accept", run_accept,
        summary="make the measurements of a results.json the baselines",
        description="Writes what --qg-baseline-update would have written on the machine that measured, keyed by that "
        "machine, with the reason in every file that changes. A cell that failed or did not finish is refused. Only "
        "runs with --qg-baseline-update record the processes that judge a gated latency; from other runs the latency "
        "of a cell with such a gate is not accepted.",
        examples=[
            "quantgate baseline accept ci/results.json --reason 'new calibration set, #12' --dry-run",
            "quantgate baseline accept ci/results.json --reason 'OpenVINO 2026.0' --suite digits -k openvino",
        ],
    )  # fmt: skip
    parser.add_argument("results", metavar="RESULTS", type=Path, help="a results.json, or the folder that holds it")
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="why they are right; a reviewer reads it in the files"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change and write nothing")
    _add_selection(parser)
    return parser


def _add_prune(actions: Commands) -> argparse.ArgumentParser:
    parser = command(
        actions, "prune", run_prune,
        summary="remove baselines and anchors of cells that the suites do not declare any more",
        description="Says what it would remove, and removes it with --yes. Files of a suite that --suite does not "
        "declare at all are kept, since the suite may lie elsewhere.",
        examples=["quantgate baseline prune", "quantgate baseline prune --yes --whole-suites"],
    )  # fmt: skip
    parser.add_argument("--suite", type=Path, default=Path("suites"), help="file or folder of suites (suites)")
    parser.add_argument(
        "--whole-suites", action="store_true", help="remove also the files of suites that are not declared at all"
    )
    parser.add_argument("--yes", action="store_true", help="remove the files")
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", default="", metavar="NAME", help="only cells of this suite")
    parser.add_argument(
        "-k",
        dest="expression",
        default="",
        metavar="WORDS",
        help="only cells whose id has these words: 'int8 and not torch'",
    )


def _choice(options: argparse.Namespace) -> Callable[[str, str], bool]:
    """Whether `--suite` and `-k` choose a cell, given the names of its suite and of itself."""
    from harness.commands.selection import selector

    chosen = selector(options.expression)
    return lambda suite, cell: options.suite in ("", suite) and chosen(cell)


def run_list(options: argparse.Namespace) -> Exit:
    """Print every chosen baseline file, a table for each suite, phase and kind of machine."""
    from rich.console import Console

    from harness.report.terminal import baselines
    from harness.store import inventory

    chosen = _choice(options)
    entries = [one for one in inventory.entries(options.baselines) if chosen(one.file.suite, one.file.cell)]
    if not entries:
        raise ConfigError(f"{options.baselines} has no such baseline; `quantgate baseline list` shows all")
    console = Console(highlight=False, markup=False)
    for table in baselines.listings(entries):
        console.print(table)
    return Exit.FINE


def run_show(options: argparse.Namespace) -> Exit:
    """Print everything that the baseline files of one cell hold."""
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
            console.print(part)
    return Exit.FINE


def run_accept(options: argparse.Namespace) -> Exit:
    """Write the baselines that a results.json would replace, or only print them for `--dry-run`."""
    from rich.console import Console

    from harness.report.terminal import baselines
    from harness.store import accept

    if not options.reason.strip():
        raise ConfigError("--reason is empty; say in a few words why these numbers are right")
    chosen, reason = _choice(options), options.reason.strip()
    offer = accept.offer(options.results, options.baselines, lambda result: chosen(result.suite, result.id), reason)
    console = Console(highlight=False, markup=False)
    for table in baselines.change_tables(offer.changes):
        console.print(table)
    for line in (*(f"left as it is: {left}" for left in offer.left), *offer.warnings):
        console.print(line, style="yellow", soft_wrap=True)
    needed = [change for change in offer.changes if change.needed]
    if not options.dry_run:
        for change in needed:
            change.write()
    done = "to write" if options.dry_run else "written"
    unchanged = len(offer.changes) - len(needed)
    console.print(
        f"baselines: {len(needed)} {done}, {unchanged} unchanged, in {options.baselines}; because: {reason}",
        soft_wrap=True,
    )
    return Exit.FINE


def run_prune(options: argparse.Namespace) -> Exit:
    """Print the baseline and anchor files of cells that no suite declares, and with `--yes` remove them."""
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
