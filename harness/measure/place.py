"""Where cells are measured. `runner.Runner` is this machine; a fleet of machines would be another implementation."""

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
    """Measures cells. It alone starts the processes in which they run.

    `suite` and `cell` say what is measured, `home` is the folder of the suite's file. What goes wrong with a cell is
    a measurement too: its `failure` says what.
    """

    def accuracy(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        """mAP and size of a cell."""
        ...

    def help_with_accuracy(self, suite: Suite, home: Path, cell: Cell) -> None:
        """Measure the accuracy of a cell that no process is measuring yet; otherwise do nothing."""
        ...

    def latency(self, suite: Suite, home: Path, cell: Cell, selected: Sequence[Cell]) -> Measurement:
        """Timing of a cell, interleaved with the selected siblings on the same backend and with fp32."""
        ...

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> CellInputs:
        """Data, artifact and pixels of a cell, built where they are missing.

        Raises:
            Unavailable, ConfigError, CellError: the cell cannot be built here.
        """
        ...

    def target(self, suite: Suite, home: Path, cell: Cell) -> Target:
        """What the fresh processes of `replicates` open; raises as `inputs` does."""
        ...

    def replicates(
        self, turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int]
    ) -> list[Replicate]:
        """Run one fresh process a turn, in this order, that measures pairs of target and references.

        Raises:
            Unavailable, ConfigError, CellError: the first process that fails.
        """
        ...

    def run_job(self, job: Job, label: str) -> Any:
        """The answer of a job that runs in a child of its own, out of the way of timed sections.

        Raises:
            Unavailable, ConfigError, CellError: what the job raises, or how its process died.
        """
        ...
