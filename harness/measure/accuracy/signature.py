"""What one call of an artifact shows of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.measurement import Artifact
from harness.machine.worker import Channel
from harness.measure.accuracy.score import names_of, reading_of


@dataclass(frozen=True)
class Signature:
    """What one call of an artifact shows."""

    layout: str  # of its detections, a key of OUTPUTS
    output: int  # which of the outputs holds them
    shape: tuple[int, ...]  # of that output
    names: Sequence[str]  # of the classes


@dataclass(frozen=True)
class SignatureJob:
    """Open an artifact and run it once."""

    cell: Cell
    artifact: Artifact
    dataset: Dataset  # names the classes where the file does not

    def run(self, channel: Channel) -> Signature:
        import numpy as np

        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        reading = reading_of(session, self.cell, self.artifact)
        blank = np.zeros((self.cell.batch, 3, self.cell.imgsz, self.cell.imgsz), np.float32)
        shape = tuple(map(int, session.infer(blank)[reading.output].shape))
        session.close()
        return Signature(
            reading.layout, reading.output, shape, names_of(reading, self.cell, self.artifact, self.dataset)
        )
