"""What this machine can run: every backend with every precision, and where weights and data are looked for."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import platformdirs
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harness.backends import cuda
from harness.backends.registry import backend_names
from harness.core.cell import Model, Qat
from harness.core.errors import Unavailable
from harness.inputs.finder import runnable
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS, folders_in
from harness.machine import energy, fingerprint, noise
from harness.matrix import matrix
from harness.recipes.registry import PRECISIONS

NAMES_SHOWN = 6  # of the files in a folder that is searched


@dataclass(frozen=True)
class Ability:
    """Whether one backend can run one precision on this machine."""

    backend: str
    precision: str
    version: str | None  # of the runtime; None where the precision cannot run
    reason: str  # why it cannot run, or the types that are stored and executed


def abilities() -> list[Ability]:
    """Every combination of backend and precision that a suite may declare, without the backend `null`."""
    return [_ability(name, precision) for name in backend_names() if name != "null" for precision in PRECISIONS]


def _ability(name: str, precision: str) -> Ability:
    (cell,) = matrix(Model("doctor", qat=Qat()), precision, name)
    try:
        made_by, version = runnable(cell)
    except Unavailable as error:
        return Ability(name, precision, None, str(error))
    return Ability(name, precision, version, f"stored {made_by.stored}, executes {made_by.executes}")


def ability_table(rows: list[Ability]) -> Table:
    """A row for each backend and outcome, with the precisions that share it."""
    drawn = Table(title="backends", title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    drawn.add_column("backend", no_wrap=True)
    drawn.add_column("precision", max_width=20)
    drawn.add_column("runtime", no_wrap=True)
    drawn.add_column("what runs, or why not", overflow="fold")
    previous = ""
    for (name, version, reason), same in groupby(rows, key=lambda row: (row.backend, row.version, row.reason)):
        shown = Text(version or "unavailable", "green" if version else "dim")
        precisions = ", ".join(row.precision for row in same)
        drawn.add_row("" if name == previous else name, precisions, shown, Text(reason))
        previous = name
    return drawn


def machine_table() -> Table:
    """The machine, what disturbs its latency, what it can measure, and the folders that are searched."""
    drawn = Table(
        title="machine", title_justify="left", box=SIMPLE_HEAD, show_edge=False, show_header=False, pad_edge=False
    )
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in dataclasses.asdict(fingerprint.this_machine()).items():
        shown = f"{value / 2**30:.1f} GiB" if name == "memory_bytes" else str(value)
        drawn.add_row(name.removesuffix("_bytes").replace("_", " "), shown)
    for number, text in enumerate(noise.warnings(cores=fingerprint.cores(), processors=fingerprint.processors())):
        drawn.add_row("" if number else "latency", text)
    meter, why = energy.meter()
    drawn.add_row("energy", why if meter else f"not measured: {why}")
    missing = cuda.why_absent("cuda")
    drawn.add_row("devices", f"cpu; no cuda: {missing}" if missing else "cpu, cuda")
    drawn.add_row("bundled weights", _places(BUNDLED_WEIGHTS))
    drawn.add_row("bundled data", _places(BUNDLED_DATA))
    for variable, option in (("QUANTGATE_WEIGHTS", "--qg-weights-dir"), ("QUANTGATE_DATA", "--qg-data-dir")):
        folders = folders_in(variable)
        searched = ", ".join(f"{folder} ({_content(folder)})" for folder in folders)
        drawn.add_row(variable, searched or f"not set; also {option}; else Ultralytics by name")
    drawn.add_row(
        "QUANTGATE_CACHE", os.environ.get("QUANTGATE_CACHE") or f"not set: {platformdirs.user_cache_dir('quantgate')}"
    )
    return drawn


def _places(known: dict[str, Path]) -> str:
    """The names of bundled files, and the path of every one that is absent."""
    return ", ".join(name if path.exists() else f"{name} (absent: {path})" for name, path in known.items())


def _content(folder: Path) -> str:
    """The first names in a folder, hidden files left out."""
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return ", ".join(names[:NAMES_SHOWN]) or "empty"
