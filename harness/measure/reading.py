"""How the outputs of a cell are read: decided once for each artifact, and the same in every phase.

The images that are looked at are always the first ones of the data set, so the decision is always the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Session
from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.measurement import Artifact
from harness.tasks.base import Declared, OutputLayout
from harness.tasks.look import look
from harness.tasks.outputs import content


def output_layout(
    session: Session, cell: Cell, artifact: Artifact, pixels: NDArray[np.uint8], classes: int | None = None
) -> OutputLayout:
    """Return how the outputs of a cell are read.

    Args:
        session: the opened artifact.
        cell: the cell, with what the suite declares of its outputs.
        artifact: its artifact, whose metadata says what the file says.
        pixels: letterboxed images [N, 3, H, W]; the first ones are looked at.
        classes: number of classes of the data set, for a file that does not say its own.

    Raises:
        ConfigError: the outputs fit no reading, or several, so that the suite has to say which.
    """
    try:
        declared = Declared(cell.head, cell.boxes, cell.scores)
        return look(session.infer, pixels, cell.batch, content(artifact.meta), cell.imgsz, declared, classes)
    except ConfigError as error:
        raise ConfigError(f"{cell}: {error}") from None
