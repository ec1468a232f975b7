"""What accepting does to a file: numbers, occasions and the reason that explains them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from builders import INT8, measurement
from gated import NOON, recorded

from harness import ConfigError, Gate
from harness.store import baselines
from harness.store.accept import plan_change
from harness.store.baselines import BaselineFile

GATES = (Gate("latency", max_rise=0.05),)


def accept(root: Path, measured, phase="accuracy", reason=""):
    change = plan_change(file(root, phase), measured, GATES, reason)
    return change, change.write()


def file(root: Path, phase="accuracy") -> BaselineFile:
    return BaselineFile(root, "made", phase, "kind", INT8.id)


def stored(root: Path, phase="accuracy") -> str:
    return baselines.reason(file(root, phase))


def timed(after: timedelta = timedelta(), shift: float = 0.0):
    made = recorded(NOON + after, shift)
    return dataclasses.replace(made, metrics={"latency_p50_ms": 4.0})


def test_a_plan_writes_nothing_and_knows_what_it_replaces(tmp_path: Path) -> None:
    change = plan_change(file(tmp_path), measurement(), GATES)
    assert (change.old, change.needed, change.file.path.exists()) == (None, True, False)
    change.write()
    again = plan_change(file(tmp_path), measurement(map=0.4), GATES)
    assert (again.old.metrics, again.needed) == (measurement().metrics, True)
    assert not plan_change(file(tmp_path), measurement(), GATES).needed


def test_provenance_of_the_other_phase_stays_out(tmp_path: Path) -> None:
    both = measurement(latency_p50_ms=4.0)
    both = dataclasses.replace(both, provenance={**both.provenance, "threads": 2, "detections": "d"})
    accept(tmp_path, both)
    accept(tmp_path, both, "latency")
    for phase, known, unknown in (("accuracy", "detections", "threads"), ("latency", "threads", "detections")):
        kept = baselines.load_baseline(file(tmp_path, phase)).provenance
        assert known in kept and unknown not in kept


def test_a_reason_stays_with_the_numbers_that_it_explains(tmp_path: Path) -> None:
    accept(tmp_path, measurement(map=0.4), reason="new data, #12")
    assert accept(tmp_path, measurement(map=0.4))[1] is False
    assert accept(tmp_path, measurement(map=0.4), reason="another")[1] is False, "nothing new, nothing to explain"
    assert stored(tmp_path) == "new data, #12"
    accept(tmp_path, measurement(map=0.41))
    assert stored(tmp_path) == ""


def test_a_reason_stays_with_the_level_of_a_latency(tmp_path: Path) -> None:
    accept(tmp_path, timed(), "latency", "new kernel")
    change, written = accept(tmp_path, timed(timedelta(hours=1)), "latency")
    assert (change.happened, written, stored(tmp_path, "latency")) == ("occasion 2, 10 processes", True, "new kernel")
    change, _ = accept(tmp_path, timed(timedelta(hours=2), shift=0.3), "latency")
    assert (change.happened[:26], stored(tmp_path, "latency")) == ("occasion 1 of a new level:", "")


def test_the_same_occasion_is_not_added_twice(tmp_path: Path) -> None:
    accept(tmp_path, timed(), "latency")
    before = file(tmp_path, "latency").path.read_bytes()
    change, written = accept(tmp_path, timed(), "latency")
    assert change.happened.startswith("no occasion added")
    assert (written, change.file.path.read_bytes()) == (False, before)


def test_a_damaged_accuracy_is_written_anew_and_damaged_occasions_are_not(tmp_path: Path) -> None:
    for phase, measured in (("accuracy", measurement()), ("latency", timed())):
        accept(tmp_path, measured, phase)[0].file.path.write_text("{")
    assert accept(tmp_path, measurement())[1] is True
    with pytest.raises(ConfigError, match="is damaged"):
        accept(tmp_path, timed(), "latency")
