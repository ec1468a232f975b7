"""The job that builds an artifact in a child, and sees to it that the runtime of its cell loads what was built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.errors import ConfigError, Unavailable
from harness.core.measurement import Artifact
from harness.machine.worker import Channel
from harness.recipes.base import BuildInputs, Recipe


@dataclass(frozen=True)
class BuildJob:
    """Build one artifact into an empty folder, and let the runtime of its cell load it once."""

    recipe: Recipe
    inputs: BuildInputs  # its `advance` is replaced by the progress of the child
    folder: str
    cell: Cell | None = None  # the cell that runs the artifact; None: an intermediate artifact, which nothing runs

    def run(self, channel: Channel) -> dict[str, Any]:
        """Return what the build function adds to the artifact's metadata. Raises as `expect_loads` does."""
        added = self.recipe.run(replace(self.inputs, advance=channel.progress), Path(self.folder))
        entry = Path(self.folder, self.recipe.entry)
        if self.cell and entry.exists():
            expect_loads(self.cell, self.inputs.weights, Artifact(str(entry), "", 0, added))
        return added


def expect_loads(cell: Cell, weights: Path, artifact: Artifact) -> None:
    """Load an artifact with the runtime of its cell, so that no file enters the cache that the runtime refuses.

    `weights` is the user's file that the artifact was made from.

    Raises:
        ConfigError: the runtime refuses the artifact; the message has the runtime's whole reason in one line.
    """
    try:
        backend(cell.backend).open(artifact, cell, threads=1).close()
    except Unavailable:  # the device is not here: whoever runs the cell will say so
        return
    except ConfigError as error:
        raise ConfigError(str(error).replace(artifact.path, str(weights))) from None
    except Exception as error:  # runtimes raise errors of their own
        said = " ".join(str(error).replace(artifact.path, Path(artifact.path).name).split())
        what = "as it is" if cell.family == "ready" else f"as {cell.precision}"
        why = said or type(error).__name__
        raise ConfigError(f"{weights}: {cell.backend} cannot load it {what}: {why}") from None
