"""Where cells are measured: `runner.Runner` is this machine, and a fleet of machines could be another place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.core.processes import Replicate, Target, Turn
from harness.core.suite import Suite
from harness.inputs.finder import CellInputs
from harness.machine.worker import Job


class Place(Protocol):
    """Measures cells; it alone starts the processes in which they run.

    In every method, `suite` and `cell` say what is measured, and `home` is the folder of the suite's file. A cell that
    cannot be measured gives a measurement too, whose `failure` holds the reason.
    """

    def accuracy(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        """Return the accuracy metrics and the size of a cell."""
        ...

    def help_with_accuracy(self, suite: Suite, home: Path, cell: Cell) -> None:
        """Measure the accuracy of a cell, unless it has been measured or another process is measuring it now."""
        ...

    def latency(self, suite: Suite, home: Path, cell: Cell, selected: Sequence[Cell]) -> Measurement:
        """Return the timing of a cell, interleaved with its siblings among `selected`, and with fp32 in any case."""
        ...

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> CellInputs:
        """Return the data, artifact and pixels of a cell, and build what is absent.

        Raises:
            Unavailable, ConfigError, CellError: the cell cannot be built here.
        """
        ...

    def target(self, suite: Suite, home: Path, cell: Cell) -> Target:
        """Return what the fresh processes of `replicates` open. Raises as `inputs` does."""
        ...

    def replicates(
        self, turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int]
    ) -> list[Replicate]:
        """Run one fresh process per turn, one after the other, and return what each has measured.

        Args:
            turns: what each process opens, and how it is started.
            references: names of the references that the CPU time of the target is divided by.
            repeats: how often each reference is repeated per call of the target; a process fits what is absent.

        Raises:
            Unavailable, ConfigError, CellError: what the first process that fails has raised, or how it died.
        """
        ...

    def run_job(self, job: Job, label: str) -> Any:
        """Run a job in a child process of its own, out of the way of timed sections, and return its answer.

        `label` names the job for people: in progress lines and logs.

        Raises:
            Unavailable, ConfigError, CellError: what the job has raised, or how its process died.
        """
        ...
