"""Contents of results.json files as runs of one suite, `made`, write them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
CELL = "yolo26n-int8-onnxruntime-cpu"
ENVIRONMENT = {
    "machine_class": "epyc-2c", "isa": "avx2", "cpu": "EPYC", "cores": 2, "memory_bytes": 1, "system": "Linux",
    "python": "3.11", "command": "pytest",
}  # fmt: skip


def results(
    run: str = "r1", cells: int = 1, started: datetime = NOW, isa: str = "avx2", **metrics: Any
) -> dict[str, Any]:
    """What a run of `cells` cells wrote."""
    entry = {
        "suite": "made", "cell": None, "status": "unchanged", "reason": None, "metrics": {"map": 0.5, **metrics},
        "per_class": {}, "instances": {}, "executed": {}, "samples": {}, "baseline": None, "explanation": None,
        "provenance": {"versions": {"onnxruntime": "1.2"}}, "timings": {}, "notes": [],
        "verdicts": [
            {"metric": "map", "against": "baseline", "status": "unchanged", "observed": 0.5, "reference": 0.5,
             "expected": "≥ 0.49", "detail": ""}
        ],
    }  # fmt: skip
    return {
        "schema": 1,
        "run": {"id": run, "started": started.isoformat(), "commit": "c0ffee", "dirty": False},
        "environment": {**ENVIRONMENT, "isa": isa},
        "suites": [],
        "cells": [{**entry, "id": CELL if n == 0 else f"{CELL}{n}"} for n in range(cells)],
    }
