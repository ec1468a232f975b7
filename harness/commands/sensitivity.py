"""`quantgate sensitivity MODEL`: which layers lose how much in int8."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.commands.base import Commands, Exit, command
from harness.core.cell import Size, as_size
from harness.core.errors import ConfigError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "sensitivity", run,
        summary="which layers lose how much in int8, ranked",
        description="Quantizes one group of layers at a time, all else in float, and judges each network on images of "
        "the train split that calibration has not seen. Weights and data are found as in a suite: by path, or by name "
        "in the folders of QUANTGATE_WEIGHTS and QUANTGATE_DATA.",
        examples=["quantgate sensitivity yolo26n-digits --data digits --imgsz 256"],
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="a checkpoint, by path or name")
    parser.add_argument("--backend", default="onnxruntime", help="onnxruntime, the only one so far")
    parser.add_argument("--data", required=True, help="a data set with a train split, by path or name")
    parser.add_argument("--calibration", type=Path, help="other images to calibrate on: a data set or a folder")
    parser.add_argument("--limit", type=int, default=64, help="how many images to judge on, 0 for all (64)")
    parser.add_argument(
        "--imgsz", type=int, nargs="+", default=[640], metavar="PX",
        help="the network input: the side of a square, or height and width (640)",
    )  # fmt: skip
    parser.add_argument(
        "--scored", action="store_true", help="judge on the val split, which is then no test of the result any more"
    )


def _size(sides: Sequence[int]) -> Size:
    """The size that one or two numbers of the command line name."""
    if len(sides) > 2:
        raise ConfigError(f"--imgsz takes the side of a square, or height and width, not {len(sides)} numbers")
    return as_size(sides if len(sides) == 2 else sides[0])


def run(options: argparse.Namespace) -> Exit:
    """Quantize one group of layers after the other, and print what each of them costs."""
    from rich.console import Console

    from harness.commands import runner
    from harness.inputs import sources
    from harness.matrix import matrix
    from harness.measure.explain import sensitivity
    from harness.report.terminal import sensitivity as terminal

    (cell,) = matrix(options.model, "fp32", options.backend, [_size(options.imgsz)])
    weights = sources.find_weights(cell.weights, Path(), sources.folders_in("QUANTGATE_WEIGHTS"))
    data = sources.find_data([options.data], Path(), sources.folders_in("QUANTGATE_DATA"))
    if weights is None or data is None:
        missing = options.model if weights is None else options.data
        raise ConfigError(f"{missing} is not here; give its path: this command downloads nothing")
    wanted = sensitivity.SplitJob(data, options.calibration, options.limit, options.scored)
    console = Console()
    with runner.opened(console) as place:
        split, rows = sensitivity.measure_sensitivity(place, sources.cache_folder(), cell, weights, wanted)
    console.print(terminal.table(rows))
    console.print(terminal.explanation(cell, split), soft_wrap=True)
    return Exit.FINE
