"""`quantgate gate --base REV`: the working tree against the commit it is to be merged into."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, command


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "gate", run,
        summary="the working tree against a base revision, on this machine, in one run; for pull requests",
        description="Builds and scores the suites of REV in a temporary git worktree, then runs the working tree's "
        "suites against them: accuracy by the paired statistics of stored baselines, latency by fresh processes of "
        "both sides in turns. No stored baseline is read. A cell of one side only is named: new, or removed.",
        examples=[
            "quantgate gate --base origin/main",
            "quantgate gate --base HEAD~1 suites/digits --pytest='-n auto -k onnxruntime'",
            "quantgate gate --base origin/main --base-requirements requirements.txt --inconclusive fail",
        ],
    )  # fmt: skip
    parser.add_argument("suites", metavar="SUITE", nargs="*", help="files, folders or test ids, as for pytest (suites)")
    parser.add_argument("--base", metavar="REV", required=True, help="what the working tree is held against")
    parser.add_argument(
        "--pytest", metavar="OPTIONS", action="append", default=[],
        help="options of pytest, for both sides, each in its own tree: --pytest='-n auto -k int8'; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--inconclusive", choices=("pass", "fail"), default="pass",
        help="`fail`: exit 4 where a verdict cannot be decided (pass)",
    )  # fmt: skip
    parser.add_argument(
        "--allow-removed",
        action="store_true",
        help="a cell that only the base has is named, and does not fail the gate",
    )
    own = parser.add_mutually_exclusive_group()
    own.add_argument("--base-python", metavar="PATH", type=Path, help="the base's Python, with quantgate installed")
    own.add_argument(
        "--base-requirements", metavar="FILE", default="",
        help="a file for pip; where the base's differs from the working tree's, the base's is installed into a virtual "
        "environment for the base",
    )  # fmt: skip
    parser.add_argument(
        "--results-dir", metavar="PATH", type=Path, default=Path(".quantgate"),
        help="the folder for results.json and for base.log, the output of the base (.quantgate)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure the base and the working tree, and judge the working tree against the base."""
    import shlex
    import signal
    import sys

    from harness.commands.gate.against_base import GateOptions, run_gate

    wanted = GateOptions(
        revision=options.base,
        suites=tuple(options.suites) or ("suites",),
        pytest=tuple(word for words in options.pytest for word in shlex.split(words)),
        results=options.results_dir,
        inconclusive_fails=options.inconclusive == "fail",
        allow_removed=options.allow_removed,
        python=options.base_python,
        requirements=options.base_requirements,
    )
    try:
        return run_gate(wanted)
    except KeyboardInterrupt:
        print("quantgate: interrupted; the base's worktree is removed", file=sys.stderr)
        return 128 + signal.SIGINT
