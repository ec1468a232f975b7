"""Scripted detections from a JSON file, no runtime: the mock that ships.

The weights are a `.json` file: {"names": […], "detections": [[x1, y1, x2, y2, score, class], …], "delay_ms": 0,
"work": 0, "fault": null}. Coordinates are pixels of the network input; the same detections come for every image.
`work` is CPU time, in products of two 64 × 64 matrices, and `delay_ms` sleep. `fault` is one of crash, hang, memory,
raise: what goes wrong at the first inference.
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

REFERENCE = "network.json"  # of `references.py`


def probe(cell: Cell) -> str:
    require_cpu(cell)
    return __version__


def load() -> None:
    """Nothing to import."""


def open(artifact: Artifact, cell: Cell, threads: int) -> NullSession:
    return NullSession(json.loads(Path(artifact.path).read_text()), cell)


class NullSession:
    """Answers with the end-to-end layout [N, max_det, 6] and carries out the scripted fault."""

    def __init__(self, script: dict[str, Any], cell: Cell) -> None:
        rows = np.asarray(script.get("detections", []), np.float32).reshape(-1, 6)
        self._output = np.repeat(rows[None], cell.batch, axis=0)
        self._delay = script.get("delay_ms", 0) / 1e3
        self._work, self._factor = script.get("work", 0), np.ones((64, 64), np.float32)
        self._fault = script.get("fault")
        self._executed = script.get("executed", {"f32": 1})

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        if self._fault:
            self._fail(self._fault)
        for _ in range(self._work):
            _ = self._factor @ self._factor
        if self._delay:
            time.sleep(self._delay)
        return (self._output,)

    def _fail(self, fault: str) -> None:
        if fault == "crash":
            print("null: crashing as scripted", flush=True)
            os.abort()
        if fault == "hang":
            time.sleep(3600)
        if fault == "memory":
            raise MemoryError("null: out of memory as scripted")
        raise RuntimeError("null: raising as scripted")

    def executed(self) -> dict[str, int]:
        return dict(self._executed)

    def close(self) -> None:
        del self._output
