"""`quantgate explain CELL`: where the accuracy of a cell went."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "explain", run,
        summary="where the accuracy of a cell went: stages, kinds of error, classes, images, layers",
        description="Swaps one stage at a time between the fp32 PyTorch pipeline and the cell's, and ranks the layers "
        "of int8 by the noise that they add. In a run, --qg-explain does this for every cell that fails an accuracy "
        "gate.",
        examples=[
            "quantgate explain yolo26n-digits-int8-openvino-cpu",
            "quantgate explain yolo26n-int8-onnxruntime-cpu --suite suites/coco --images 128",
        ],
    )  # fmt: skip
    add_cell(parser)
    parser.add_argument("--suite", type=Path, default=Path("suites"), help="file or folder of suites (suites)")
    parser.add_argument("--images", type=int, default=64, help="how many images of the data set, from its start (64)")


def run(options: argparse.Namespace) -> Exit:
    """Compare the cell with the fp32 PyTorch pipeline stage by stage, and print where its accuracy went."""
    from rich.console import Console

    from harness.commands import runner, suite_files
    from harness.measure.explain.explain import explain
    from harness.report.terminal import explanation

    if options.images < 1:
        raise ConfigError(f"--images {options.images}: look at one image or more")
    suite, home, cell = suite_files.find(options.cell, options.suite)
    console = Console()
    with runner.opened(console) as place:
        explained = explain(place, suite, home, cell, options.images)
    for part in explanation.render_explanation(explained):
        console.print(part, soft_wrap=isinstance(part, str))
    return Exit.FINE
