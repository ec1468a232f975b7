"""`quantgate doctor`, `compare` and `sensitivity`. Exit codes: 0 fine, 1 regression, 2 usage or unreadable input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from harness import __version__
from harness.errors import CellError, ConfigError, Unavailable

EPILOG = """Suites run under pytest: `pytest suites/digits -n auto`; `pytest --help` lists quantgate's --qg- options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    parser = argparse.ArgumentParser("quantgate", description="A gate for quantized object detectors.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what this machine can run, and where weights and data are looked for")
    doctor.set_defaults(run=lambda options: run_doctor())
    comparing = commands.add_parser(
        "compare", help="two results or baseline folders side by side; exit 1 on a regression",
        description="A and B are each a results.json, a results folder (.quantgate) or a baselines folder. "
        "B is judged against A by B's own baseline gates, else by: mAP −0.002, size +1 %%.",
    )  # fmt: skip
    comparing.add_argument("a", metavar="A", type=Path, help="what was accepted")
    comparing.add_argument("b", metavar="B", type=Path, help="what is new")
    comparing.set_defaults(run=lambda options: run_compare(options.a, options.b))
    sweep = commands.add_parser(
        "sensitivity", help="which layers lose how much in int8, ranked",
        description="Quantizes one group of layers at a time, all else in float, and judges each network on images of "
        "the train split that calibration has not seen. Weights and data are found as in a suite: by path, or by name "
        "in QUANTGATE_WEIGHTS and QUANTGATE_DATA.",
    )  # fmt: skip
    sweep.add_argument("model", metavar="MODEL", help="a checkpoint, by path or name")
    sweep.add_argument("--backend", default="onnxruntime", help="onnxruntime, the only one so far")
    sweep.add_argument("--data", required=True, help="a data set with a train split, by path or name")
    sweep.add_argument("--calibration", type=Path, help="other images to calibrate on: a data set or a folder")
    sweep.add_argument("--limit", type=int, default=64, help="judge on so many images, 0 for all (64)")
    sweep.add_argument("--imgsz", type=int, default=640, help="side of the network input (640)")
    sweep.add_argument("--scored", action="store_true", help="judge on the val split; then it is no test any more")
    sweep.set_defaults(run=run_sensitivity)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ConfigError, Unavailable, CellError) as error:
        print(f"quantgate: {error}", file=sys.stderr)
        return 2


def run_doctor() -> int:
    from rich.console import Console

    from harness import doctor

    console = Console()
    console.print(doctor.machine_table())
    console.print(doctor.ability_table(doctor.abilities()))
    return 0


def run_compare(a: Path, b: Path) -> int:
    from rich.console import Console

    from harness import compare
    from harness.types import FAILING

    rows = compare.compare(compare.load(a), compare.load(b), compare.gates(b))
    console = Console()
    console.print(compare.table(rows))
    for row in rows:
        if row.detail:
            console.print(f"{'/'.join(row.key)}: {row.detail}", soft_wrap=True)
    return 1 if any(row.status in FAILING for row in rows) else 0


def run_sensitivity(options: argparse.Namespace) -> int:
    from rich.console import Console

    from harness import sensitivity, sources
    from harness.matrix import matrix

    (cell,) = matrix(options.model, "fp32", options.backend, options.imgsz)
    weights = sources.find_weights(cell.weights, Path(), sources.folders_in("QUANTGATE_WEIGHTS"))
    data = sources.find_data([options.data], Path(), sources.folders_in("QUANTGATE_DATA"))
    if weights is None or data is None:
        missing = options.model if weights is None else options.data
        raise ConfigError(f"{missing} is not here; give its path: this command downloads nothing")
    wanted = sensitivity.SplitJob(data, options.calibration, options.limit, options.scored)
    cache = Path(os.environ.get("QUANTGATE_CACHE") or platformdirs.user_cache_dir("quantgate"))
    console = Console()
    with console.status("") as status:
        split, rows = sensitivity.measure(
            cell, weights, wanted, cache,
            lambda label, progress: status.update(f"{label}: {progress.done} of {progress.total}" if progress else ""),
        )  # fmt: skip
    console.print(sensitivity.table(rows))
    console.print(sensitivity.explanation(cell, split), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
