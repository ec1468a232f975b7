"""The record of one finished test: a worker publishes it as JSON, the controller of the run reads and merges it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.files import write_text
from harness.core.measurement import Measurement, measurement_from_json
from harness.core.verdict import Verdict, verdict_from_json


@dataclasses.dataclass(frozen=True)
class Record:
    """What one finished test says about its cell."""

    suite: str
    phase: str  # accuracy | latency
    measured: Measurement
    verdicts: tuple[Verdict, ...] = ()
    baseline: dict[str, float | None] | None = None  # the accepted metrics that the cell was compared with
    explanation: dict[str, Any] | None = None  # where the accuracy went (`measure.explain.explain.from_json` reads it)

    @staticmethod
    def path(run: Path, suite: str, phase: str, cell: Cell) -> Path:
        """The file of a record in `run`, the folder of its run."""
        return run / suite / f"{cell.id}.{phase}.record.json"

    def publish(self, run: Path) -> None:
        """Write the record into the folder of its run. Raises ConfigError where it cannot be written."""
        text = json.dumps(dataclasses.asdict(self))
        write_text(self.path(run, self.suite, self.phase, self.measured.cell), text, "--qg-results-dir")

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record at `path`, or None where its test has not finished."""
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        measured = measurement_from_json(data["measured"])
        verdicts = tuple(map(verdict_from_json, data["verdicts"]))
        return cls(**{**data, "measured": measured, "verdicts": verdicts})
