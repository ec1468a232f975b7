"""The mock that comes with quantgate: scripted detections from a JSON file, without a runtime.

The weights are a `.json` file with these keys. Only `names` is required:

    names       class names, by class number
    detections  rows of x1, y1, x2, y2 (pixels of the network input), score, class number; every image gets all of them
    delay_ms    milliseconds that a call sleeps
    work        CPU time of a call, in products of two 64 × 64 matrices
    fault       what goes wrong at the first call: "crash", "hang", "memory" or "raise"
    executed    what `executed` returns; {"f32": 1} by default
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor, require_cpu
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.version import __version__

REFERENCE = "network.json"  # in assets/reference


def probe(cell: Cell) -> str:
    """Return quantgate's own version. The mock runs wherever quantgate does, on the CPU alone."""
    require_cpu(cell)
    return __version__


def load() -> None:
    """Do nothing: there is no runtime to import."""


def open(artifact: Artifact, cell: Cell, threads: int) -> NullSession:
    """Read the script. `threads` is ignored: the scripted work is one thread's."""
    return NullSession(json.loads(Path(artifact.path).read_text()), cell)


class NullSession:
    """An opened script. Its one output is end-to-end: [N, detections, 6] of x1, y1, x2, y2, score and class."""

    def __init__(self, script: dict[str, Any], cell: Cell) -> None:
        rows = np.asarray(script.get("detections", []), np.float32).reshape(-1, 6)
        self._output = np.repeat(rows[None], cell.batch, axis=0)
        self._delay = script.get("delay_ms", 0) / 1e3
        self._work, self._factor = script.get("work", 0), np.ones((64, 64), np.float32)
        self._fault = script.get("fault")
        self._executed = script.get("executed", {"f32": 1})

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Work and sleep as scripted, and return the scripted detections whatever `batch` shows.

        Raises:
            MemoryError, RuntimeError: the scripted fault; "crash" and "hang" end or stop the process instead.
        """
        if self._fault:
            self._fail(self._fault)
        for _ in range(self._work):
            _ = self._factor @ self._factor
        if self._delay:
            time.sleep(self._delay)
        return (self._output,)

    def _fail(self, fault: str) -> None:
        """Carry out the scripted fault."""
        if fault == "crash":
            print("null: crashing as scripted", flush=True)
            os.abort()
        if fault == "hang":
            time.sleep(3600)
        if fault == "memory":
            raise MemoryError("null: out of memory as scripted")
        raise RuntimeError("null: raising as scripted")

    def executed(self) -> dict[str, int]:
        """Return what the script says was executed; nothing is counted."""
        return dict(self._executed)

    def close(self) -> None:
        """Forget the detections, so that a call after this one fails as it would with a runtime."""
        del self._output
