"""What the processes of a run of the suite `made` have published in its folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from builders import FP32, INT8, measurement

from harness import Gate, Measurement, Suite, Verdict
from harness.store.records import Record
from harness.store.results import plan_of

GATES = (Gate("map", max_drop=0.002, precisions=["int8"]),)
REGRESSED = Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408")
BOTH = ("accuracy", "latency")


def plan(name="made", phases=None, stale=()):
    """The plan of a suite in `suites/test_made.py` with one cell in fp32 and one in int8."""
    file = "suites/test_made.py"
    made = plan_of(Suite(name, "coco8", (FP32, INT8), GATES), file, phases, stale, 2)
    return dataclasses.replace(made, node=file)


def publish_run(folder: Path) -> None:
    """Publish a run that finished everything of fp32, and of int8 only the accuracy test."""
    plan(phases={FP32: BOTH, INT8: BOTH}, stale=["old-cell"]).publish(folder)
    timed = Measurement(
        FP32, metrics={"latency_p50_ms": 9.5}, samples={"latency_ms": [9.5]}, timings={"latency_s": 1.0}
    )
    Record("made", "accuracy", measurement(FP32), (), {"map": 0.4}).publish(folder)
    Record("made", "latency", timed, (), {"latency_p50_ms": 9.0}).publish(folder)
    Record("made", "accuracy", measurement(INT8), (REGRESSED,)).publish(folder)
