"""What one call of an artifact shows of its outputs, for the card of an exported artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.measurement import Artifact
from harness.machine.worker import Channel
from harness.measure.accuracy.score import blank_batch, class_names_of, output_layout


@dataclass(frozen=True)
class Signature:
    """The output of an artifact that holds the detections, and the classes of the model."""

    layout: str  # one of `tasks.base.LAYOUTS`
    output: int  # position of this output among all outputs
    shape: tuple[int, ...]  # its shape
    names: Sequence[str]  # class names, in the order of the outputs


@dataclass(frozen=True)
class SignatureJob:
    """Open an artifact and run it on black images."""

    cell: Cell
    artifact: Artifact
    dataset: Dataset  # names the classes where the file does not

    def run(self, channel: Channel) -> Signature:
        """Return the signature.

        Raises:
            Unavailable: the device is absent.
            ConfigError: the outputs fit no family, or do not fit the class names.
        """
        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        layout = output_layout(session, self.cell, self.artifact)
        shape = tuple(map(int, session.infer(blank_batch(self.cell))[layout.output].shape))
        session.close()
        names = class_names_of(layout, self.cell, self.artifact, self.dataset)
        return Signature(layout.layout, layout.output, shape, names)
