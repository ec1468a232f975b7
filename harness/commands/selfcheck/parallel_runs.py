"""`quantgate selfcheck interference`: whether parallel tests disturb gated latency, tried in real pytest runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import CellError

SUITE = """from harness import Gate, Suite, matrix
BACKENDS = {backends}
SUITE = Suite("crosscheck", "digits", matrix("yolo26n-digits", ["fp32", "int8"], BACKENDS, imgsz=256), threads=1,
              gates=[Gate("map", max_drop=0.01), Gate("latency", max_rise=0.05)])
"""
"""The suite file of the runs, with a place for the names of backends."""


@dataclass(frozen=True)
class ParallelRun:
    """The gated latency of one pytest run, and how often its timed sections were disturbed."""

    ratios: dict[str, float]  # by cell: the mean logarithm of CPU time against the reference network
    overlaps: int  # pairs of a timed section and anything that ran at the same time


def shifts(backends: Sequence[str], rounds: int, cache: Path) -> tuple[dict[str, float], int]:
    """How far `-n auto` shifts gated latency against `-n 0`.

    Args:
        backends: the backends whose cells are run.
        rounds: how often both runs are made; their logarithms are averaged.
        cache: the artifact cache.

    Returns:
        The shift of each cell's gated ratio as a share (0.01 is 1 % slower), and the overlaps of timed sections with
        anything else, counted over all runs.

    Raises:
        CellError: a run failed.
    """
    pairs = [(_run(backends, "0", cache), _run(backends, "auto", cache)) for _ in range(rounds)]
    cells = pairs[0][0].ratios
    moved = {
        cell: math.expm1(sum(auto.ratios[cell] - alone.ratios[cell] for alone, auto in pairs) / rounds)
        for cell in cells
    }
    return moved, sum(alone.overlaps + auto.overlaps for alone, auto in pairs)


def _run(backends: Sequence[str], workers: str, cache: Path) -> ParallelRun:
    """Run the suite in a temporary project with pytest's `-n WORKERS`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").touch()
        Path(folder, "test_crosscheck.py").write_text(SUITE.format(backends=list(backends)))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", workers, "--qg-baseline-update", "--qg-fresh",
             "--qg-cache-dir", str(cache)],
            cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        results = Path(folder, ".quantgate", "results.json")
        if done.returncode or not results.exists():
            raise CellError(f"pytest -n {workers} ended with {done.returncode}: {done.stdout.splitlines()[-3:]}")
        content = json.loads(results.read_text())
    ratios = {}
    for cell in content["cells"]:
        values = cell["samples"]["log_ratio_network"]
        ratios[cell["id"]] = sum(values) / len(values)
    return ParallelRun(ratios, overlaps(content["intervals"]))


def overlaps(intervals: Sequence[dict[str, float | str]]) -> int:
    """How many pairs of a timed section and any other interval run at the same time.

    An interval has `start` and `end` in seconds and a `kind`: `timed`, or `heavy` for other work.
    """
    spans = sorted((float(one["start"]), float(one["end"]), str(one["kind"])) for one in intervals)
    return sum(
        later[0] < earlier[1] and "timed" in (earlier[2], later[2])
        for number, earlier in enumerate(spans)
        for later in spans[number + 1 :]
    )
