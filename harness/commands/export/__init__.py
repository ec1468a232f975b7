"""`quantgate export CELL -o DIR`: the built artifact of a cell, with a card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.base import Commands, Exit, add_cell, command
from harness.core.errors import ConfigError

if TYPE_CHECKING:
    from harness.store.results import CellResult


def add(commands: Commands) -> None:
    parser = command(
        commands, "export", run,
        summary="the built artifact of a cell, out of the cache, with a card that says what it is",
        description="Copies the files of a cell into a new folder, building them where they are missing, with "
        "card.json and README.md: hash, recipe, calibration, versions, how to load and decode it, class names, and the "
        "metrics of the last results where those are of this artifact.",
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
        help="take the metrics from here (.quantgate/results.json, if it is there)",
    )


def run(options: argparse.Namespace) -> Exit:
    import json
    import os
    import shutil
    import tempfile

    from rich.console import Console

    from harness.commands import suite_files
    from harness.commands.export import model_card, readme
    from harness.inputs import sources
    from harness.inputs.finder import Settings
    from harness.measure.accuracy.signature import SignatureJob
    from harness.measure.runner import Runner

    target: Path = options.output
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ConfigError(f"{target} is there already; name a folder that is not, or remove it")
    suite, home, cell = suite_files.find(options.cell, options.suite)
    last = _last(options.results, suite.name, cell.id)
    weights, data = (tuple(sources.folders_in(name)) for name in ("QUANTGATE_WEIGHTS", "QUANTGATE_DATA"))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:
        settings = Settings(Path(folder), sources.cache_folder(), weights=weights, data=data)
        runner = Runner(settings, lambda label, progress: status.update(label))
        inputs = runner.inputs(suite, home, cell)
        seen = runner.run_job(SignatureJob(cell, inputs.artifact, inputs.data), f"open {cell}")
    known = model_card.card(suite, cell, inputs.artifact, inputs.provenance, seen, last)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.mkdir(parents=True)
        for name in known["files"]:
            shutil.copyfile(Path(inputs.artifact.path).parent / name, scratch / name)
        (scratch / "card.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        (scratch / "README.md").write_text(readme.readme(known, cell))
        os.replace(scratch, target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}; name another folder with -o") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    made = "built" if inputs.artifact.built else "from the cache"
    print(f"{target}: {', '.join(known['files'])} ({made}, {known['size_bytes'] / 1e6:.2f} MB), card.json, README.md")
    print(f"metrics: {known['metrics_note']}")
    return Exit.FINE


def _last(file: Path | None, suite: str, cell: str) -> CellResult | None:
    """The cell in the last results; a file that the user names has to be there."""
    from harness.store import results

    place = file or Path(".quantgate/results.json")
    if file is None and not place.exists():
        return None
    return next((one for one in results.read_cells(place) if (one.suite, one.id) == (suite, cell)), None)
