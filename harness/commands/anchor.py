"""`quantgate anchor set|show`: the latency at a release, against which later small regressions add up."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command
from harness.core.errors import ConfigError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "anchor", run,
        summary="what a release was like, so that many small regressions are one large one",
        description="`set` copies this machine's latency baselines; from then on every run that gates latency is also "
        "held against the copy (latency_creep, 10 % unless a gate says otherwise). `show` says how far the baselines "
        "have moved since.",
        examples=["quantgate anchor set v1.0", "quantgate anchor show"],
    )  # fmt: skip
    parser.add_argument("action", choices=("set", "show"))
    parser.add_argument("release", nargs="?", default="", help="the name of the release, for `set`")
    parser.add_argument("--baselines", type=Path, default=Path("baselines"), help="the folder of baselines (baselines)")


def run(options: argparse.Namespace) -> Exit:
    """Set anchors at a release, or print those that there are."""
    from rich.console import Console

    from harness.machine.fingerprint import machine_class
    from harness.report.terminal import baselines
    from harness.store import anchors

    console = Console()
    if options.action == "set":
        if not options.release:
            raise ConfigError("anchor set needs a name: quantgate anchor set v1.0")
        for line in anchors.set_all(options.baselines, machine_class(), options.release):
            console.print(line, soft_wrap=True)
    else:
        console.print(baselines.anchors(anchors.listed(options.baselines, machine_class())))
    return Exit.FINE
