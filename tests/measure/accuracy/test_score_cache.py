"""Reuse of accuracy: only of the very same thing, and marked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from builders import coco, null_weights

from harness import Decoding, Suite, matrix
from harness.core.measurement import Measurement
from harness.inputs.finder import Settings
from harness.measure.accuracy.score_cache import REUSED
from harness.measure.runner import Runner


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    null_weights(tmp_path / "model.json")
    return Suite("demo", str(coco(tmp_path)), matrix("model.json", "fp32", "null", imgsz=64))


def measured(tmp_path: Path, suite: Suite, run: str, fresh: bool = False) -> Measurement:
    settings = Settings(tmp_path / run, tmp_path / "cache", fresh=fresh)
    return Runner(settings).accuracy(suite, tmp_path, suite.cells[0])


def test_a_second_run_reuses_the_score_and_says_so(tmp_path: Path, suite: Suite) -> None:
    first, second = measured(tmp_path, suite, "first"), measured(tmp_path, suite, "second")
    assert REUSED not in first.notes
    assert REUSED in second.notes
    assert (second.metrics, second.per_class, second.executed) == (first.metrics, first.per_class, first.executed)
    name = f"detections/{first.provenance['detections']}.npz"
    assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


def test_a_score_whose_detections_are_gone_is_measured_anew(tmp_path: Path, suite: Suite) -> None:
    first = measured(tmp_path, suite, "first")
    (tmp_path / "cache" / "detections" / f"{first.provenance['detections']}.npz").unlink()
    assert REUSED not in measured(tmp_path, suite, "second").notes


def test_fresh_measures_again(tmp_path: Path, suite: Suite) -> None:
    measured(tmp_path, suite, "first")
    assert REUSED not in measured(tmp_path, suite, "second", fresh=True).notes


def test_other_weights_data_or_thresholds_are_measured(tmp_path: Path, suite: Suite) -> None:
    measured(tmp_path, suite, "first")
    stricter = dataclasses.replace(suite, decoding=Decoding(conf=0.5))
    assert REUSED not in measured(tmp_path, stricter, "thresholds").notes
    null_weights(tmp_path / "model.json", detections=[[1, 2, 3, 4, 0.5, 1]])
    assert REUSED not in measured(tmp_path, suite, "weights").notes


@pytest.mark.parametrize("damage", ["", "[]", '{"metrics": {}}'])
def test_a_damaged_score_is_measured_anew(tmp_path: Path, suite: Suite, damage: str) -> None:
    first = measured(tmp_path, suite, "first")
    (card,) = (tmp_path / "cache" / "scores").glob("*.json")
    card.write_text(damage)
    again = measured(tmp_path, suite, "second")
    assert REUSED not in again.notes
    assert again.metrics == first.metrics
