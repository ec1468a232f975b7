"""The base of `quantgate gate`: the commit that a pull request is held against, and what its run has left.

The base's run leaves one file per cell beside its records (`core.processes.Target`); `quantgate gate` writes one file
about the base (`Base`), which `pytest --qg-base FILE` reads. The parent process of the candidate drives the workers of
both sides: a base whose quantgate has another `measure.latency.cpu_pairs.PairsJob` fails with what its worker says.
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
from harness.core.measurement import Artifact, Baseline, Measurement, Observation, cell_from_json
from harness.core.processes import Side, Target
from harness.store import results
from harness.store.results import CellResult


@dataclass(frozen=True)
class Base:
    """The base of a pull request, scored; its processes of latency are still to come."""

    title: str  # HEAD~1 (1a2b3c4), and its environment where that is not the candidate's
    command: tuple[str, ...]  # `quantgate gate …` without the suites: repeats the comparison
    python: str  # the interpreter of its processes
    path: str  # PYTHONPATH of its processes
    results: str  # folder of its results.json; empty where it has none of the suites
    allow_removed: bool = False  # whether the candidate may lack cells that the base has

    def write(self, file: Path) -> None:
        """Write `file`, for `read`.

        Raises:
            ConfigError: the folder cannot be written.
        """
        write_text(file, json.dumps(dataclasses.asdict(self)), "TMPDIR")

    @classmethod
    def read(cls, file: Path) -> Base:
        """The base that `write` has written.

        Raises:
            ConfigError: `file` cannot be read, or holds something else.
        """
        try:
            data: dict[str, Any] = json.loads(file.read_text())
            return cls(**{**data, "command": tuple(data["command"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"--qg-base {file}: {type(error).__name__} {error}; `quantgate gate` writes it") from None

    @property
    def side(self) -> Side:
        """How the processes of the base are started."""
        return Side("the base", self.python, {"PYTHONPATH": self.path})

    def cells(self, suite: str) -> dict[str, CellResult]:
        """The results of the base's cells in a suite, by id of the cell; empty where the base has no such suite."""
        if not self.results:
            return {}
        return {row.id: row for row in results.read_cells(Path(self.results, "results.json")) if row.suite == suite}

    def removed(self, suite: str, present: Sequence[Cell]) -> list[str]:
        """Ids of the cells that the base ran and that are not among `present`; none where removal is allowed."""
        return [] if self.allow_removed else sorted(self.cells(suite).keys() - {cell.id for cell in present})

    def target(self, suite: str, cell: Cell) -> Target | None:
        """What the base's processes of this cell open; None where the base has built no such cell."""
        files = sorted(Path(self.results, "runs").glob(f"*/{suite}/{cell.id}.target.json")) if self.results else []
        if not files:
            return None
        data = json.loads(files[-1].read_text())
        return Target(**{**data, "cell": cell_from_json(data["cell"]), "artifact": Artifact(**data["artifact"])})

    def lacks(self, suite: str, cell: Cell) -> str:
        """Why the base has nothing to hold a cell against, in words."""
        row = self.cells(suite).get(cell.id)
        if row is None:
            return f"new: the base {self.title} has no such cell"
        if row.reason:
            return f"{row.status} on the base {self.title}: {row.reason}"
        return f"the base {self.title} has no such measurement (is its quantgate older than `quantgate gate`?)"


def other_versions(measured: Measurement, base: Baseline) -> Measurement:
    """The measurement with a note for every tool that the base's accuracy was measured with in another version."""
    theirs = base.provenance.get("versions") if isinstance(base, Observation) else None
    if not theirs:
        return measured
    ours = measured.provenance.get("versions", {})
    differing = [
        f"{tool} {theirs.get(tool, 'absent')} on the base, {ours.get(tool, 'absent')} here"
        for tool in sorted({*theirs, *ours})
        if theirs.get(tool) != ours.get(tool)
    ]
    return dataclasses.replace(measured, notes=(*measured.notes, *differing))
