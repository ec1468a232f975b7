"""The state of a process: which statuses fail in a run, and which cells have left a suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import FP32, INT8, measurement

from harness import Suite
from harness.core.status import FAILING
from harness.measure.runner import Runner
from harness.store import baselines
from harness.store.base_revision import Base
from harness.store.baselines import BaselineFile


@pytest.mark.parametrize(
    ("require_baseline", "inconclusive_fails", "more"),
    [
        (False, False, set()),
        (True, False, {"no-baseline", "incomparable"}),
        (False, True, {"inconclusive"}),
        (True, True, {"no-baseline", "incomparable", "inconclusive"}),
    ],
)
def test_options_make_more_statuses_fail(make_state, require_baseline, inconclusive_fails, more):
    state = make_state(require_baseline=require_baseline, inconclusive_fails=inconclusive_fails)
    assert state.failing == FAILING | more


def test_cells_that_any_machine_has_a_baseline_of_are_missed_once(make_state, tmp_path: Path) -> None:
    state, suite = make_state(), Suite("made", "coco8", (FP32,))
    assert state.stale(suite) == [], "no baselines yet"
    for cell in (FP32, INT8):
        for kind in ("avx2", "neon"):
            baselines.save_baseline(BaselineFile(state.baselines, "made", "accuracy", kind, cell.id), measurement(cell))
    assert state.stale(suite) == [INT8.id]
    assert [(file.kind, file.cell) for file in state.stale_files(suite)] == [("avx2", INT8.id), ("neon", INT8.id)]


def test_against_a_base_its_cells_are_missed_and_no_baselines(make_state, tmp_path: Path) -> None:
    row = {
        "suite": "made", "id": INT8.id, "cell": None, "status": "met", "reason": None, "verdicts": [],
        "baseline": None, "explanation": None,
    }  # fmt: skip
    content = {"schema": 1, "environment": {}, "suites": [{"name": "made", "file": "", "gates": []}], "cells": [row]}
    (tmp_path / "results.json").write_text(json.dumps(content))
    state = make_state(base=Base("HEAD~1", (), "python", "", str(tmp_path)))
    baselines.save_baseline(BaselineFile(state.baselines, "made", "accuracy", "avx2", "old"), measurement())
    assert state.stale(Suite("made", "coco8", (FP32,))) == [INT8.id]


def test_cells_are_measured_on_this_machine_and_once_for_the_whole_process(make_state) -> None:
    state = make_state()
    assert isinstance(state.place, Runner)
    assert state.place is state.place
