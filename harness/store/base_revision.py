"""The two sides of `quantgate gate`: what a cell's processes open, and the base that a pull request is held against.

The base's run leaves one file a cell beside its records (`Target`); `quantgate gate` writes one file about the base
(`Base`), which `pytest --qg-base` reads. Both sides' workers are driven by the candidate's parent: a base whose
quantgate has another `PairsJob` fails with what its worker says.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.core.measurement import Artifact, Baseline, Measurement, cell_from_json
from harness.core.processes import Side, Target
from harness.store import results
from harness.store.results import CellResult


@dataclass(frozen=True)
class Base:
    """The base of a pull request, scored; its processes of latency are still to come."""

    title: str  # HEAD~1 (1a2b3c4), and its environment where that is not the candidate's
    command: tuple[str, ...]  # `quantgate gate …`, less the suites: repeats the comparison
    python: str
    path: str  # PYTHONPATH of its processes
    results: str  # folder of its results.json; empty where it has none of the suites
    allow_removed: bool = False

    def write(self, file: Path) -> None:
        write_text(file, json.dumps(dataclasses.asdict(self)), "TMPDIR")

    @classmethod
    def read(cls, file: Path) -> Base:
        """Raises ConfigError: it is not what `quantgate gate` writes."""
        try:
            data: dict[str, Any] = json.loads(file.read_text())
            return cls(**{**data, "command": tuple(data["command"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"--qg-base {file}: {type(error).__name__} {error}; `quantgate gate` writes it") from None

    @property
    def side(self) -> Side:
        return Side("the base", self.python, {"PYTHONPATH": self.path})

    def cells(self, suite: str) -> dict[str, CellResult]:
        """What the base found of a suite, by cell; empty where it has no such suite."""
        if not self.results:
            return {}
        return {row.id: row for row in results.read_cells(Path(self.results, "results.json")) if row.suite == suite}

    def removed(self, suite: str, present: Sequence[Cell]) -> list[str]:
        """Cells that the base ran and this suite has not, except where that is allowed."""
        return [] if self.allow_removed else sorted(self.cells(suite).keys() - {cell.id for cell in present})

    def target(self, suite: str, cell: Cell) -> Target | None:
        """What its processes of this cell open; None where it has none."""
        files = sorted(Path(self.results, "runs").glob(f"*/{suite}/{cell.id}.target.json")) if self.results else []
        if not files:
            return None
        data = json.loads(files[-1].read_text())
        return Target(**{**data, "cell": cell_from_json(data["cell"]), "artifact": Artifact(**data["artifact"])})

    def lacks(self, suite: str, cell: Cell) -> str:
        """Why there is nothing to hold a cell against."""
        row = self.cells(suite).get(cell.id)
        if row is None:
            return f"new: the base {self.title} has no such cell"
        if row.reason:
            return f"{row.status} on the base {self.title}: {row.reason}"
        return f"the base {self.title} has no such measurement (is its quantgate older than `quantgate gate`?)"


def other_versions(measured: Measurement, base: Baseline) -> Measurement:
    """With a note of the versions that the base's accuracy was measured with, where they are others."""
    theirs = base.provenance.get("versions", {}) if isinstance(base, Measurement) else {}
    ours = measured.provenance.get("versions", {})
    differing = [
        f"{tool} {theirs.get(tool)} on the base, {ours.get(tool)} here"
        for tool in sorted({*theirs, *ours})
        if theirs and theirs.get(tool) != ours.get(tool)
    ]
    return dataclasses.replace(measured, notes=(*measured.notes, *differing))
