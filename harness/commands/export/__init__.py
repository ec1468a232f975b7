"""`quantgate export CELL -o DIR`: the built artifact of a cell, with a card."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError

if TYPE_CHECKING:
    from harness.core.cell import Cell
    from harness.store.results import CellResult


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "export", run,
        summary="the built artifact of a cell, out of the cache, with a card that says what it is",
        description="Copies the files of a cell into a new folder, building them where they are missing, with "
        "card.json and README.md: hash, recipe, calibration, versions, how to load and decode it, class names, and the "
        "metrics of the last results where they are of this artifact.",
        examples=[
            "quantgate export yolo26n-digits-int8-openvino-cpu -o release/openvino",
            "quantgate export yolo26n-int8-onnxruntime-cpu -o release --suite suites/coco --results ci/results.json",
        ],
    )  # fmt: skip
    add_cell(parser)
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="a folder that is not there yet"
    )
    parser.add_argument("--suite", type=Path, default=Path("suites"), help="file or folder of suites (suites)")
    parser.add_argument(
        "--results",
        metavar="FILE",
        type=Path,
        help="take the metrics from this results.json, or from the one in this folder (.quantgate, if it has one)",
    )


def run(options: argparse.Namespace) -> Exit:
    """Build the cell or take it from the cache, and copy its files into a new folder with a card."""
    from rich.console import Console

    from harness.commands import runner, suite_files
    from harness.commands.export import model_card
    from harness.measure.accuracy.signature import SignatureJob
    from harness.report.common.numbers import quantity

    target: Path = options.output
    empty = target.is_dir() and not any(target.iterdir())
    if target.exists() and not empty:
        raise ConfigError(f"{target} is there already; name a folder that is not, or remove it")
    suite, home, cell = suite_files.find(options.cell, options.suite)
    last = _last(options.results, suite.name, cell.id)
    with runner.opened(Console()) as place:
        inputs = place.inputs(suite, home, cell)
        seen = place.run_job(SignatureJob(cell, inputs.artifact, inputs.data, str(inputs.pixels)), f"open {cell}")
    known = model_card.card(suite, cell, inputs.artifact, inputs.provenance, seen, last)
    _write(target, known, cell, Path(inputs.artifact.path).parent)
    made = "built" if inputs.artifact.built else "from the cache"
    size = quantity("size_bytes", known["size_bytes"])
    print(f"{target}: {', '.join(known['files'])} ({made}, {size}), card.json, README.md")
    print(f"metrics: {known['metrics_note']}")
    return Exit.FINE


def _write(target: Path, known: Mapping[str, Any], cell: Cell, built: Path) -> None:
    """Write the whole folder `target`, or nothing: the artifact's files from the folder `built`, and its card."""
    import json
    import os
    import shutil

    from harness.commands.export import readme

    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.mkdir(parents=True)
        for name in known["files"]:
            shutil.copyfile(built / name, scratch / name)
        (scratch / "card.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        (scratch / "README.md").write_text(readme.readme(known, cell))
        os.replace(scratch, target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}; name another folder with -o") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _last(file: Path | None, suite: str, cell: str) -> CellResult | None:
    """The cell in `file` or, where the user names none, in the last results of this folder, if there are any.

    Raises:
        ConfigError: the file that the user names does not exist, or a file is damaged.
    """
    from harness.store.results import read_cells, results_file

    place = results_file(file or Path(".quantgate"))
    if file is None and not place.is_file():
        return None
    return next((one for one in read_cells(place) if (one.suite, one.id) == (suite, cell)), None)
