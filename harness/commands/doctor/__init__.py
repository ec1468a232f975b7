"""`quantgate doctor`: what this machine can run."""

from __future__ import annotations

import argparse

from harness.commands.base import Commands, Exit, command


def add(commands: Commands) -> None:
    """Register the command."""
    command(
        commands, "doctor", run,
        summary="what this machine can run, and where weights and data are looked for",
        description="Lists the machine as baselines name it, what makes its latency unreliable, the folders that are "
        "searched, and for every backend and precision what runs or what is missing.",
        examples=["quantgate doctor", "QUANTGATE_WEIGHTS=~/weights quantgate doctor"],
    )  # fmt: skip


def run(options: argparse.Namespace) -> Exit:
    """Print a table of the machine, and a table of what runs on it."""
    from rich.console import Console

    from harness.commands.doctor import tables

    console = Console()
    console.print(tables.machine_table())
    console.print(tables.ability_table(tables.abilities()))
    return Exit.FINE
