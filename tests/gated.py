"""Processes of gated latency as a quiet or busy machine gives them, and recordings of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from builders import measurement

from harness import Gate
from harness.core.measurement import Measurement
from harness.core.processes import Identity, Interference, Replicate
from harness.judge import latency
from harness.store.accept import plan_change
from harness.store.baselines import BaselineFile

IDENTITY = Identity("artifact", {"network": "n on ort 1", "numpy": "p"})
NOON = datetime(2026, 11, 24, 12)
QUIET = Interference(0.0, 0.0, 1.0)
BUSY = Interference(0.0, 0.4, 90.0)
NOISE = (-0.004, 0.004, 0.0, -0.002, 0.002, 0.001, -0.001)


def processes(
    shift: float = 0.0, wall: float = 0.0, meanwhile: Interference = QUIET, count: int = 5, level: float = 15.0
) -> list[Replicate]:
    """`count` processes whose CPU time and wall clock are shifted, on a machine whose reference takes e^level ns."""
    return [
        Replicate(
            cpu={"network": noise + shift, "numpy": noise + shift + 1},
            wall={"network": noise + wall, "numpy": noise + wall},
            levels={"network": level, "numpy": level},
            repeats={"network": 7},
            interference=meanwhile,
        )
        for noise in NOISE[:count]
    ]


def recorded(at: datetime = NOON, shift: float = 0.0, identity: Identity = IDENTITY, **repeats: int) -> Measurement:
    made = processes(shift)
    traced = latency.provenance(identity, repeats or {"network": 7}, len(made), at)
    return Measurement(measurement().cell, samples=latency.samples(made), provenance={"gated": traced})


def accept(file: BaselineFile, occasions: int, apart: timedelta = timedelta(hours=1)) -> BaselineFile:
    """Accept the latency of so many occasions, the first at noon, of five processes each; returns the file."""
    for number in range(occasions):
        plan_change(file, recorded(NOON + number * apart), [Gate("latency", max_rise=0.05)]).write()
    return file
