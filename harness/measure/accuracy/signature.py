"""What one call of an artifact shows of its outputs, for the card of an exported artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.measurement import Artifact
from harness.machine.worker import Channel
from harness.measure.accuracy.score import class_names_of
from harness.measure.reading import output_layout
from harness.tasks.base import OutputLayout
from harness.tasks.preprocess import normalize


@dataclass(frozen=True)
class Signature:
    """The output of an artifact that holds the detections, and the classes of the model."""

    reading: OutputLayout  # how it is read
    shape: tuple[int, ...]  # its shape
    names: Sequence[str]  # class names, in the order of the outputs


@dataclass(frozen=True)
class SignatureJob:
    """Open an artifact and run it on the first images."""

    cell: Cell
    artifact: Artifact
    dataset: Dataset  # names the classes where the file does not
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W]

    def run(self, channel: Channel) -> Signature:
        """Return the signature.

        Raises:
            Unavailable: the device is absent.
            ConfigError: the outputs fit no family, or do not fit the class names.
        """
        session = backend(self.cell.backend).open(self.artifact, self.cell, threads=1)
        pixels = np.load(self.pixels, mmap_mode="r")
        layout = output_layout(session, self.cell, self.artifact, pixels, len(self.dataset.categories))
        batch = normalize(np.take(pixels, range(self.cell.batch), axis=0, mode="wrap"))
        shape = tuple(map(int, session.infer(batch)[layout.output].shape))
        session.close()
        names = class_names_of(layout, self.cell, self.artifact, self.dataset)
        return Signature(layout, shape, names)
