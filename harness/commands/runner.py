"""A runner for the commands that measure outside pytest."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from harness.core.processes import Progress
from harness.inputs import sources
from harness.inputs.finder import Settings
from harness.measure.runner import Runner


def job_line(label: str, progress: Progress | None) -> str:
    """What a job is doing, for one line: its label and how far it is; empty where it has ended (None)."""
    if progress is None:
        return ""
    return f"{label}: {progress.done} of {progress.total}" if progress.total else label


@contextlib.contextmanager
def opened(console: Console) -> Iterator[Runner]:
    """A runner whose results folder is temporary and whose progress is one line of `console`.

    It uses the user's cache and the folders that QUANTGATE_WEIGHTS and QUANTGATE_DATA name.
    """
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:

        def say(label: str, progress: Progress | None) -> None:
            status.update(job_line(label, progress))

        weights, data = (tuple(sources.folders_in(name)) for name in ("QUANTGATE_WEIGHTS", "QUANTGATE_DATA"))
        yield Runner(Settings(Path(folder), sources.cache_folder(), weights, data), say)
